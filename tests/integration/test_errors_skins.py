"""One error, three skins: JSON for programs, a fragment for HTMX, a page for people; same code, same status."""

import io
import logging
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pixshift.blueprints.access import RULES, Rule, Who
from pixshift.blueprints.limits import Calls
from pixshift.errors import ExternalServiceError, PaymentFailed, PixShiftError, RateLimitExceeded
from tests import factories
from tests.integration.conftest import MakeApp

HTMX = {"HX-Request": "true"}


@pytest.fixture
def app(make_app: MakeApp, sqlite_url: str) -> Flask:
    """How an error looks does not depend on the database."""
    return make_app(DATABASE_URL=sqlite_url)


@pytest.fixture
def failing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The application with two routes that fail as asked: ``/fails/<word>`` and ``/api/fails/<word>``."""
    ways = {
        "late": RateLimitExceeded(retry_after=7.2),
        "down": ExternalServiceError("The store is away.", category="NETWORK", way_out="Try later."),
        "poor": PaymentFailed(details={"reason": "declined"}),
    }

    def fail(word: str) -> str:
        if word in ways:
            raise ways[word]
        raise ValueError("database-secret at /etc/passwd")

    for endpoint, rule in (("fails", "/fails/<word>"), ("api_fails", "/api/fails/<word>")):
        monkeypatch.setitem(RULES, endpoint, Rule(Who.EVERYBODY, Calls.READ))
        app.add_url_rule(rule, endpoint, fail)
    return app


@pytest.mark.parametrize(
    ("word", "code", "status"),
    [
        ("late", "RATE_LIMIT_EXCEEDED", 429),
        ("down", "API_ERROR", 502),
        ("poor", "PAYMENT_FAILED", 402),
        ("x", "INTERNAL_ERROR", 500),
    ],
)
def test_an_error_has_one_code_and_status_in_three_skins(failing: Flask, word: str, code: str, status: int) -> None:
    client = failing.test_client()
    program = client.get(f"/api/fails/{word}")
    page, fragment = client.get(f"/fails/{word}"), client.get(f"/fails/{word}", headers=HTMX)
    assert [answer.status_code for answer in (program, page, fragment)] == [status] * 3
    error = factories.error_of(program)
    assert set(error) == {"code", "message", "category", "details", "requestId"}
    assert error["code"] == code
    for skin in (page, fragment):
        assert error["message"] in skin.text
        assert skin.headers["X-Request-ID"] in skin.text
    assert "<html" in page.text
    assert code in page.text
    assert "<html" not in fragment.text
    assert 'role="alert"' in fragment.text
    assert "HX-Request" in fragment.headers["Vary"]


def test_retry_after_is_rounded_up_in_every_skin(failing: Flask) -> None:
    client = failing.test_client()
    for path in ("/fails/late", "/api/fails/late"):
        assert client.get(path).headers["Retry-After"] == "8"


def test_the_way_out_is_shown(failing: Flask) -> None:
    assert "Try later." in failing.test_client().get("/fails/down").text


def test_an_unexpected_error_tells_the_log_everything_and_the_caller_nothing(failing: Flask) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.getLogger().handlers[0].formatter)
    logging.getLogger().addHandler(handler)
    try:
        answers = [failing.test_client().get(path) for path in ("/fails/x", "/api/fails/x")]
    finally:
        logging.getLogger().removeHandler(handler)
    for answer in answers:
        assert "secret" not in answer.text
        assert "passwd" not in answer.text
        assert "Traceback" not in answer.text
    assert "ValueError" in written.getvalue()
    assert answers[1].json["error"]["requestId"] in written.getvalue()


def test_who_asks_for_json_gets_json_anywhere(failing: Flask) -> None:
    client = failing.test_client()
    assert (
        factories.error_of(client.get("/fails/poor", headers={"Accept": "application/json"}))["code"]
        == "PAYMENT_FAILED"
    )
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    assert "<html" in client.get("/fails/poor", headers=browser).text
    assert "<html" in client.get("/fails/poor", headers={"Accept": "*/*"}).text


@pytest.mark.parametrize(
    "headers", [{**HTMX, "HX-History-Restore-Request": "true"}, {**HTMX, "HX-Boosted": "true"}, {"HX-Request": "false"}]
)
def test_a_whole_page_is_wanted_when_history_is_restored_or_a_link_boosted(
    failing: Flask, headers: dict[str, str]
) -> None:
    assert "<html" in failing.test_client().get("/fails/poor", headers=headers).text


@pytest.mark.parametrize("prefix", ["/api/v1", "/api"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/auth/logout"), ("DELETE", "/transformations"), ("PATCH", "/auth/session"), ("PUT", "/auth/csrf")],
)
def test_a_wrong_method_is_405_in_our_form(app: Flask, prefix: str, method: str, path: str) -> None:
    answer = app.test_client().open(f"{prefix}{path}", method=method)
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"], error["category"]) == (405, "VALIDATION_ERROR", "VALIDATION")
    assert answer.headers["Allow"]


def test_a_wrong_method_on_a_page_is_a_page(app: Flask) -> None:
    answer = app.test_client().post("/privacy")
    assert (answer.status_code, "<html" in answer.text) == (405, True)


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/v1/nothing", "/api/v1/transformations/not-a-uuid", "/api/v2/auth/session", "/api/"]
)
def test_an_unknown_address_of_the_api_is_404_in_json(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)
    error = factories.error_of(answer)
    assert (answer.status_code, answer.mimetype) == (404, "application/json")
    assert (error["code"], error["category"]) == ("NOT_FOUND", "VALIDATION")


@pytest.mark.parametrize(
    "path", ["/nothing", "/static/x/nothing.css", "/transformations/x", "/static/x/../../settings.py", "/.env", "/%00"]
)
def test_an_unknown_address_elsewhere_is_a_page(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "NOT_FOUND" in answer.text


def test_every_request_has_an_id_of_its_own(app: Flask) -> None:
    client = app.test_client()
    answers = [client.get("/api/v1/auth/session") for _ in range(3)]
    ids = [factories.error_of(answer)["requestId"] for answer in answers]
    assert len(set(ids)) == 3
    for answer, request_id in zip(answers, ids, strict=True):
        assert str(UUID(request_id)) == request_id == answer.headers["X-Request-ID"]
    assert UUID(client.get("/healthz").headers["X-Request-ID"])


def test_a_callers_own_id_is_believed_only_behind_a_trusted_proxy(
    app: Flask, make_app: MakeApp, sqlite_url: str
) -> None:
    mine = str(uuid4())
    assert app.test_client().get("/healthz", headers={"X-Request-ID": mine}).headers["X-Request-ID"] != mine
    behind = make_app(DATABASE_URL=sqlite_url, TRUSTED_PROXIES="1").test_client()
    assert behind.get("/healthz", headers={"X-Request-ID": mine}).headers["X-Request-ID"] == mine
    for wrong in ("x", "x" * 36, mine + "0", f"{{{mine[1:-1]}}}"):
        assert UUID(behind.get("/healthz", headers={"X-Request-ID": wrong}).headers["X-Request-ID"]) != mine


def test_a_fragment_of_somebody_signed_out_sends_the_whole_page_to_sign_in(app: Flask) -> None:
    answer = app.test_client().get(f"/transformations/{uuid4()}/status", headers=HTMX)
    target = answer.headers["HX-Redirect"]
    assert target.startswith("/login?next=")
    assert target.endswith("&ended=1")  # also when an earlier answer has taken the cookie already
    assert answer.data == b""


def test_a_session_that_ended_is_said_and_its_cookie_taken_back(app: Flask) -> None:
    who = factories.person(app)
    who.client.post("/api/v1/auth/logout", headers=who.headers)
    who.client.set_cookie("session", who.token)
    answer = who.client.get("/dashboard")
    assert answer.headers["Location"] == "/login?next=/dashboard&ended=1"
    assert who.client.get_cookie("session") is None


def test_a_form_too_large_for_its_page_is_refused_kindly(app: Flask) -> None:
    who = factories.person(app)
    who.client.post("/login", data={"phone": factories.phone()}, headers=who.headers)
    for path in ("/transform", "/login", "/login/code"):
        for headers in (who.headers, {}):
            answer = who.client.post(path, data={"phone": "1" * 200_000}, headers=headers)
            assert answer.status_code == 400, (path, headers)
            assert "The request is too large." in answer.text


def test_errors_keep_what_they_were_told() -> None:
    error = PixShiftError("No.", field="phone", details={"limit": 5}, category="NETWORK", status=503)
    assert (error.message, error.details) == ("No.", {"limit": 5, "field": "phone"})
    assert (error.category, error.status, PixShiftError.status) == ("NETWORK", 503, 500)


def test_the_client_that_is_refused_may_go_on(app: Flask) -> None:
    client: FlaskClient = app.test_client()
    assert client.post("/api/v1/transformations/upload", data=b"x" * 1_000_000).status_code == 401
    assert client.get("/healthz").status_code == 200
