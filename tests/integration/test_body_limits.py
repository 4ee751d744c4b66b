"""How much one request may bring: refused with the field, the limit and a way out, never with a server's error."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pixshift.blueprints import limits
from pixshift.blueprints.helpers import DEEPEST_JSON
from tests import factories, servers
from tests.factories import Person
from tests.odd_requests import LOGIN, ODD_BUT_SOUND, REFUSED_BY_THE_SERVER, ask, is_refused, request, status_of

CREATE = "/api/v1/transformations"
UPLOAD = "/api/v1/transformations/upload"


def send(who: Person, body: bytes | str) -> TestResponse:
    return who.client.post(CREATE, data=body, content_type="application/json", headers=who.headers)


def refusal(answer: TestResponse) -> tuple[int, str, str]:
    error = factories.error_of(answer)
    return answer.status_code, error["code"], error["details"]["field"]


WRONG = (400, "VALIDATION_ERROR", "body")

# --- JSON -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    ["[" * 60_000, '{"a":' * 10_000, "[" * 500 + "]" * 500, '{"a":' * 500 + "1" + "}" * 500, '["\\"",' * 9_000],
)
def test_json_that_is_nested_too_deep_is_refused_with_the_limit(who: Person, body: str) -> None:
    answer = send(who, body)
    error = factories.error_of(answer)
    assert refusal(answer) == WRONG
    assert error["details"]["limit"] == DEEPEST_JSON
    assert error["message"] == "The JSON is nested too deep: 20 levels are possible. Send only the fields described."


def test_the_depth_of_json_is_counted_exactly(who: Person) -> None:
    for levels, is_deep in ((DEEPEST_JSON, False), (DEEPEST_JSON + 1, True)):
        nested = '{"imageId":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"
        message = factories.error_of(send(who, nested))["message"]
        assert ("too deep" in message) is is_deep, levels
    wide = json.dumps({"imageId": [[] for _ in range(5000)]})
    in_text = json.dumps({"imageId": "[{" * 5000 + '"' + "\\"})
    for body in (wide, in_text):
        assert "too deep" not in factories.error_of(send(who, body))["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\xfe", b"\0", b'{"imageId": "a\0b"}', b'{"imageId": "\xc3\x28"}', '{"imageId": NaN}',
        '{"imageId": -Infinity}', '{"imageId": %s}' % ("9" * 60_000), '{"imageId": "a', '"' * 60_000,
        '\\"' * 30_000, "{}".encode("utf-16"), "[{}".encode("utf-32"), "{} {}", "'", '{"a" 1}',
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(who: Person, body: bytes | str) -> None:
    answer = send(who, body)
    assert refusal(answer) == WRONG
    assert factories.error_of(answer)["message"]


@pytest.mark.parametrize(
    "body", ['{"imageId": 1e999}', '{"imageId": "%s"}' % ("x" * 60_000), "1", "null", '"text"', "[1]", "true"]
)
def test_json_that_is_not_what_was_asked_for_is_refused_by_its_field(who: Person, body: str) -> None:
    answer = send(who, body)
    assert (answer.status_code, factories.error_of(answer)["code"]) == (400, "VALIDATION_ERROR")
    assert len(answer.data) < 2000


def test_the_last_of_two_equal_keys_counts(quick: Flask, who: Person) -> None:
    kind, photo = factories.style(quick), factories.upload(who)["imageId"]
    answer = send(who, f'{{"transformationTypeId": "x", "transformationTypeId": "{kind}", "imageId": "{photo}"}}')
    assert answer.status_code == 201


def test_a_character_that_no_text_has_is_refused_at_its_field(who: Person) -> None:
    for body, field in (
        ('{"imageId": "\\u0000"}', "imageId"),
        ('{"a": 1, "b": {"c": ["\\ud800"]}}', "b"),
        ('{"\\udfff": 1}', "body"),
        ('["\\u0000"]', "body"),
    ):
        assert refusal(send(who, body)) == (400, "VALIDATION_ERROR", field)


def test_a_character_beyond_the_first_plane_is_text(who: Person) -> None:
    assert "character" not in factories.error_of(send(who, '{"imageId": "\\ud83d\\ude00"}'))["message"]


# --- bodies and forms -----------------------------------------------------------------------------------------------


def test_a_body_above_the_limit_is_refused_with_the_limit(who: Person) -> None:
    largest = '{"imageId": "' + "x" * (limits.SMALL_BODY - 15) + '"}'
    assert "too large" not in factories.error_of(send(who, largest))["message"]
    answer = send(who, largest + " ")
    error = factories.error_of(answer)
    assert refusal(answer) == WRONG
    assert error["details"]["limit"] == limits.SMALL_BODY
    assert error["message"] == "The request is too large. Up to 64 kB are possible here."


def parts(count: int, head: str = "") -> bytes:
    part = f'--b\r\nContent-Disposition: form-data; name="f"{head}\r\n\r\nx\r\n'
    return (part * count + "--b--\r\n").encode()


@pytest.mark.parametrize(("path", "skin"), [(UPLOAD, "json"), ("/transform/photo", "page"), ("/transform", "fragment")])
def test_hundreds_of_parts_are_refused_with_the_limit_in_every_skin(who: Person, path: str, skin: str) -> None:
    headers = {**who.headers, **({"HX-Request": "true"} if skin == "fragment" else {})}
    media_type = "multipart/form-data; boundary=b"
    answer = who.client.post(path, data=parts(400), content_type=media_type, headers=headers)
    assert answer.status_code == 400
    text = 65 if skin == "fragment" else 500  # kB; a photo's form may be large as a whole
    assert f"20 parts and {text} kB of text are possible." in answer.text
    if skin == "json":
        assert refusal(answer) == WRONG
        assert factories.error_of(answer)["details"]["limit"] == limits.MOST_PARTS


@pytest.mark.parametrize(
    "body",
    [
        parts(1, "; x=" + "y" * 600_000),
        ("--b\r\n" + "X-Odd: y\r\n" * 60_000 + "\r\n--b--\r\n").encode(),
        b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + b"x" * 600_000 + b"\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data; name=\"f\xff\0\"; filename*=utf-8''%ff%00\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nno colon\r\n\r\nx\r\n--b--\r\n",
        b"--b",
        b"--" + b"b" * 70_000,
        b"",
    ],
    ids=range(9),
)
def test_a_form_with_odd_or_endless_parts_is_refused(who: Person, body: bytes) -> None:
    media_type = "multipart/form-data; boundary=b"
    answer = who.client.post(UPLOAD, data=body, content_type=media_type, headers=who.headers)
    assert (answer.status_code, factories.error_of(answer)["category"]) == (400, "VALIDATION")


@pytest.mark.parametrize("boundary", ["", "b" * 5000, "\xff", "b\0"])
def test_an_odd_boundary_is_refused(who: Person, boundary: str) -> None:
    media_type = f"multipart/form-data; boundary={boundary}"
    answer = who.client.post(UPLOAD, data=parts(1), content_type=media_type, headers=who.headers)
    assert answer.status_code == 400


def test_a_form_of_many_fields_costs_little_and_changes_nothing(who: Person) -> None:
    answer = who.client.post("/transform", data="&".join(["a=1"] * 16_000), headers=who.headers)
    assert answer.status_code == 400


# --- addresses and headers ------------------------------------------------------------------------------------------


def test_an_address_that_is_too_long_is_refused_with_the_limit(who: Person) -> None:
    for path in ("/transformations", "/api/v1/transformations", "/nothing-here"):
        assert who.client.get(f"{path}?x={'y' * 8000}").status_code in (200, 400, 404)
        answer = who.client.get(f"{path}?x={'y' * 8300}")
        assert (answer.status_code, "8 kB are possible" in answer.text) == (414, True)
        answer = who.client.get(f"{path}?{'&'.join(['x=1'] * 51)}")
        assert (answer.status_code, "50 are possible" in answer.text) == (400, True)


ODD_PATHS = [
    "/%00", "/%ff%fe", "/static/%00", "/static/x/%00", "/static/..%2f..%2fetc/passwd", "/transformations/%00",
    "/transformations?status=%00", "/transformations?page=%ff", "/transformations?page=" + "9" * 5000,
    "/api/v1/transformations?status=%00&page=%ff", "/api/v1/transformations?page=1e9", "/login?next=%00%ff",
    "/transform?photo=%00&style=%ff", "/pictures/%00/00000000-0000-0000-0000-000000000000", "/%2e%2e/%2e%2e", "//",
    "/;", "/transformations/" + "a" * 5000, "/api/v1/transformations/%E2%80%AE", "/login%0d%0aX-Odd:%201",
    "/pictures/photo/00000000-0000-0000-0000-000000000000?expires=%00&signature=%ff",
]  # fmt: skip


@pytest.mark.parametrize("path", ODD_PATHS)
def test_an_odd_address_is_no_error_of_ours(who: Person, quick: Flask, path: str) -> None:
    for client in (who.client, quick.test_client()):
        for headers in ({}, {"HX-Request": "true"}):
            assert client.get(path, headers=headers).status_code < 500


ODD_COOKIES = [
    "session=\xff\xfe", 'session="\\000"', "session=" + "x" * 60_000, "flow=\0", "flow=.eJw.x.y",
    "flow=" + "x" * 60_000, "; ".join(f"c{number}=x" for number in range(5000)),
    "session", "=;=;=", "session=a; session=b", "flow=e30.x.\xff",
]  # fmt: skip


@pytest.mark.parametrize("cookie", ODD_COOKIES, ids=range(len(ODD_COOKIES)))
def test_an_odd_cookie_is_no_error_of_ours(quick: Flask, cookie: str) -> None:
    client = quick.test_client(use_cookies=False)
    for path in ("/", "/login", "/dashboard", "/api/v1/auth/session", "/api/v1/auth/csrf", "/nothing-here"):
        assert client.get(path, headers={"Cookie": cookie}).status_code < 500, path


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer \xff", "Bearer " + "x" * 60_000, "Basic \xff", "\xff", "bearer a b"]
)
def test_an_odd_token_is_refused(quick: Flask, value: str) -> None:
    answer = quick.test_client().get("/api/v1/auth/session", headers={"Authorization": value})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "header",
    ["Accept", "Accept-Language", "User-Agent", "Referer", "Content-Type", "X-CSRFToken", "Sec-Fetch-Site", "Range",
     "If-None-Match", "If-Modified-Since", "X-Forwarded-For", "X-Request-ID", "HX-Request", "Cache-Control", "Origin"],
)  # fmt: skip
def test_an_odd_header_is_no_error_of_ours(who: Person, header: str) -> None:
    for value in ("\xff\xfe", "x" * 20_000, ",;=\"'", "0" * 400, "q=1;q=\xff, */*;q=nan", "[::1"):
        for path, method in (("/", "GET"), ("/static/favicon.svg", "GET"), (CREATE, "POST"), ("/login", "POST")):
            answer = who.client.open(path, method=method, headers={**who.headers, header: value}, data=b"{}")
            assert answer.status_code < 500, (path, value)


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "OPTIONS", "FROB", "PROPFIND", "CONNECT"])
def test_a_method_that_is_not_there_is_refused(who: Person, client_of_all: FlaskClient, method: str) -> None:
    for client in (who.client, client_of_all):
        for path in ("/", CREATE, "/nothing-here"):
            status = client.open(path, method=method, headers=who.headers).status_code
            assert status in ((200, 401, 404) if method == "OPTIONS" else (404, 405)), path


@pytest.fixture
def client_of_all(quick: Flask) -> FlaskClient:
    return quick.test_client()


# --- what the web server decides ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.product(tmp_path_factory.mktemp("limits"), {}) as product:
        yield int(product.url.rpartition(":")[2])


@pytest.mark.parametrize("name", REFUSED_BY_THE_SERVER)
def test_what_is_no_sound_request_is_refused_by_the_server(port: int, name: str) -> None:
    assert is_refused(port, name)


def test_a_request_hidden_behind_another_is_not_answered(port: int) -> None:
    """Length and chunks at once: the chunks count, and the connection ends there."""
    hidden = b"0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    for headers in (
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
    ):
        raw = request("POST /login", LOGIN, *headers, body=hidden).replace(b"Connection: close\r\n", b"")
        said = ask(port, raw)
        assert said.count(b"HTTP/1.1 ") == 1
        assert said.startswith(b"HTTP/1.1 403 ")


def test_http_2_is_not_spoken(port: int) -> None:
    assert b"HTTP/1.1 2" not in ask(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")


@pytest.mark.parametrize("name", ODD_BUT_SOUND)
def test_what_is_odd_but_sound_is_answered_by_us(port: int, name: str) -> None:
    raw, status = ODD_BUT_SOUND[name]
    assert status_of(ask(port, raw)) == status


def test_a_body_in_chunks_is_bounded_too_and_hears_why(port: int) -> None:
    csrf = ask(port, request("GET /api/v1/auth/csrf"))
    token = csrf.partition(b'"csrfToken":"')[2].partition(b'"')[0].decode()
    cookie = csrf[csrf.lower().index(b"set-cookie: ") + 12 :].partition(b";")[0]
    headers = ["Content-Type: application/json", f"X-CSRFToken: {token}", f"Cookie: {cookie.decode()}"]
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    for count in (2, 100):
        head = request("POST /api/v1/auth/sms/request-otp", *headers, "Transfer-Encoding: chunked")
        said = ask(port, head, chunk * count + b"0\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 400 ")
        assert b"Up to 64 kB are possible here." in said
