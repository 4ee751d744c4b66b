"""Signing in as programs do it: code, verification, session, signing out; on both prefixes."""

import io
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from pixshift.domain.roles import UserRole
from pixshift.extensions import db
from pixshift.models import Identity, User, UserSession
from pixshift.services import accounts
from pixshift.services.audit import Actor
from tests import factories, servers
from tests.integration.conftest import MakeApp

REQUEST, VERIFY = "/auth/sms/request-otp", "/auth/sms/verify-otp"
PREFIXES = ("/api/v1", "/api")


@pytest.fixture
def quick(make_app: MakeApp, sqlite_url: str) -> FlaskClient:
    """For what no database decides: one of them is enough."""
    return make_app(DATABASE_URL=sqlite_url).test_client()


def post(client: FlaskClient, path: str, body: Any, **more: Any) -> TestResponse:
    """A JSON call with the CSRF token of this browser."""
    headers = {"X-CSRFToken": factories.csrf_token(client)}
    return client.post(f"/api/v1{path}", json=body, headers=headers, **more)


def verify(client: FlaskClient, number: str, code: str) -> TestResponse:
    return post(client, VERIFY, {"phone": number, "otp": code})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_whole_way_in_and_out(client: FlaskClient, prefix: str) -> None:
    number, headers = factories.phone(), {}
    headers["X-CSRFToken"] = client.get(f"{prefix}/auth/csrf").json["csrfToken"]
    asked = client.post(f"{prefix}{REQUEST}", json={"phone": number}, headers=headers)
    assert (asked.status_code, asked.json["success"], asked.json["message"]) == (200, True, "OTP sent successfully")
    body = {"phone": number, "otp": factories.code_in(asked.json["shownText"])}
    signed_in = client.post(f"{prefix}{VERIFY}", json=body, headers=headers)
    assert signed_in.status_code == 200
    user = signed_in.json["user"]
    assert (user["phone"], user["email"], user["role"]) == (number, None, "GUEST")
    session = client.get(f"{prefix}/auth/session")
    assert session.json == {"user": {"id": user["id"], "email": None, "role": "GUEST", "freeTierUsed": 0}}
    headers["X-CSRFToken"] = client.get(f"{prefix}/auth/csrf").json["csrfToken"]
    out = client.post(f"{prefix}/auth/logout", headers=headers)
    assert (out.status_code, out.json) == (200, {"success": True})
    assert client.get(f"{prefix}/auth/session").status_code == 401


def test_the_same_number_is_the_same_person(app: Flask) -> None:
    first = factories.person(app)
    assert factories.person(app, first.phone).id == first.id
    assert factories.person(app).id != first.id


def test_a_number_is_one_however_it_is_written(app: Flask) -> None:
    client = app.test_client()
    assert post(client, REQUEST, {"phone": "(202) 555-0142"}).status_code == 200
    answer = verify(client, "+1 202 555 0142", "000000")
    assert factories.error_of(answer)["details"]["reason"] in ("wrong", "gone")
    assert factories.error_of(answer)["details"]["reason"] == "wrong"


@pytest.mark.parametrize(
    "number",
    ["", " ", "abc", "123", "+1", "+12025550", "+1 202 555 0142 ext. 5", "+999 123 4567", "+7 916 123 4567",
     "+1 876 555 0142",
     "1" * 33, "+49 30 123456", "\u0661\u0662\u0663", "+1202555\x000142x", "'; DROP TABLE users; --"],
)  # fmt: skip
def test_a_malformed_or_foreign_number_is_refused_at_its_field(quick: FlaskClient, number: str) -> None:
    answer = post(quick, REQUEST, {"phone": number})
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "VALIDATION_ERROR", "phone")
    assert "String should" not in error["message"]


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "12345a", "\u0661\u0662\u0663\u0664\u0665\u0666", "-12345"]
)
def test_a_malformed_code_is_refused_and_costs_no_try(quick: FlaskClient, code: str) -> None:
    number = factories.phone()
    right = factories.request_code(quick, number)
    for _ in range(4):
        answer = verify(quick, number, code)
        error = factories.error_of(answer)
        assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "VALIDATION_ERROR", "otp")
        assert "6 digits" in error["message"]
    assert verify(quick, number, right).status_code == 200


def test_a_code_may_be_written_with_spaces(client: FlaskClient) -> None:
    number = factories.phone()
    code = factories.request_code(client, number)
    assert verify(client, number, f" {code[:3]} {code[3:]} ").status_code == 200


def test_three_wrong_codes_kill_the_right_one(client: FlaskClient) -> None:
    number = factories.phone()
    code = factories.request_code(client, number)
    said = [factories.error_of(verify(client, number, wrong(code))) for _ in range(3)]
    assert [error["code"] for error in said] == ["AUTH_INVALID"] * 3
    assert [error["details"]["triesLeft"] for error in said] == [2, 1, 0]
    assert [error["details"]["reason"] for error in said] == ["wrong", "wrong", "locked"]
    assert [error["message"] for error in said][:2] == [
        "That code is not right. 2 tries left.",
        "That code is not right. 1 try left.",
    ]
    late = verify(client, number, code)
    assert (late.status_code, factories.error_of(late)["details"]["reason"]) == (401, "locked")


def test_a_code_works_once(client: FlaskClient) -> None:
    number = factories.phone()
    code = factories.request_code(client, number)
    assert verify(client, number, code).status_code == 200
    again = verify(client, number, code)
    assert (again.status_code, factories.error_of(again)["details"]["reason"]) == (401, "gone")


def test_a_code_is_bound_to_the_browser_that_asked(app: Flask) -> None:
    asker, thief, number = app.test_client(), app.test_client(), factories.phone()
    code = factories.request_code(asker, number)
    for _ in range(4):
        refused = verify(thief, number, code)
        assert factories.error_of(refused)["details"]["reason"] == "gone"
    assert verify(asker, number, code).status_code == 200


def test_a_code_is_bound_to_its_number(client: FlaskClient) -> None:
    code = factories.request_code(client, factories.phone())
    assert verify(client, factories.phone(), code).status_code == 401


def test_a_right_code_that_ran_out_is_refused(make_app: MakeApp, sqlite_url: str, redis_url: str) -> None:
    """Five minutes are taken off the code's life in Redis itself."""
    import redis

    client = make_app(DATABASE_URL=sqlite_url, REDIS_URL=redis_url).test_client()
    number = factories.phone()
    code = factories.request_code(client, number)
    with redis.Redis.from_url(redis_url) as server:
        (key,) = server.keys("pixshift:{otp}:code:*")
        assert 290 <= server.ttl(key) <= 300
        assert code.encode() not in b"".join(server.hgetall(key).values())
        server.pexpire(key, 0)
    assert factories.error_of(verify(client, number, code))["details"]["reason"] == "gone"


def test_of_ten_parallel_right_codes_one_signs_in(app: Flask) -> None:
    client, number = app.test_client(), factories.phone()
    code = factories.request_code(client, number)
    token, cookie = factories.csrf_token(client), client.get_cookie("flow")
    assert cookie is not None
    answers: list[int] = []

    def attempt() -> None:
        mine = app.test_client()
        mine.set_cookie("flow", cookie.value)
        body = {"phone": number, "otp": code}
        answers.append(mine.post(f"/api/v1{VERIFY}", json=body, headers={"X-CSRFToken": token}).status_code)

    threads = [threading.Thread(target=attempt) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [401] * 9


def test_two_first_sign_ins_at_once_make_one_person(app: Flask) -> None:
    number = factories.phone()
    clients = [app.test_client() for _ in range(4)]
    codes = [factories.request_code(client, number) for client in clients]
    ids: list[str] = []

    def enter(client: FlaskClient, code: str) -> None:
        ids.append(verify(client, number, code).json["user"]["id"])

    threads = [threading.Thread(target=enter, args=pair) for pair in zip(clients, codes, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(ids), len(set(ids))) == (4, 1)
    with app.app_context():
        assert len(list(db.session.scalars(select(Identity).where(Identity.subject == number)))) == 1
        assert len(list(db.session.scalars(select(User)))) == 1


def test_a_known_and_an_unknown_number_get_the_same_answer(app: Flask) -> None:
    known = factories.person(app).phone
    bodies = []
    for number in (known, factories.phone()):
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = factories.address()
        answer = post(client, REQUEST, {"phone": number})
        bodies.append((answer.status_code, {**answer.json, "shownText": None}, sorted(answer.headers.keys())))
    assert bodies[0] == bodies[1]


def test_a_browser_waits_before_it_asks_again(client: FlaskClient) -> None:
    factories.request_code(client, factories.phone())
    refused = post(client, REQUEST, {"phone": factories.phone()})
    error = factories.error_of(refused)
    assert (refused.status_code, error["code"], error["category"]) == (429, "RATE_LIMIT_EXCEEDED", "API")
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    assert error["details"]["field"] == "phone"


def test_a_number_gets_five_codes_in_a_quarter_of_an_hour(app: Flask) -> None:
    number = factories.phone()
    for _ in range(5):
        factories.request_code(app.test_client(), number)
    stranger = app.test_client()
    stranger.environ_base["REMOTE_ADDR"] = factories.address()
    refused = post(stranger, REQUEST, {"phone": number})
    assert refused.status_code == 429
    assert 60 < int(refused.headers["Retry-After"]) <= 900


@pytest.mark.parametrize(
    "addresses", [["192.0.2.1"], ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"]], ids=["IPv4", "IPv6 /64"]
)
def test_an_address_gets_ten_codes_an_hour(app: Flask, addresses: list[str]) -> None:
    seen = []
    for turn in range(12):
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = addresses[turn % len(addresses)]
        seen.append(post(client, REQUEST, {"phone": factories.phone()}))
    assert [answer.status_code for answer in seen] == [200] * 10 + [429] * 2
    assert int(seen[-1].headers["Retry-After"]) > 900


def test_a_forwarded_address_is_not_believed_without_a_proxy(app: Flask) -> None:
    seen = []
    for turn in range(11):
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
        client.environ_base["HTTP_X_FORWARDED_FOR"] = f"198.51.100.{turn}"
        seen.append(post(client, REQUEST, {"phone": factories.phone()}).status_code)
    assert seen[-1] == 429


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", [REQUEST, VERIFY, "/auth/logout"])
def test_a_missing_csrf_token_is_forbidden(quick: FlaskClient, prefix: str, path: str) -> None:
    answer = factories.sign_in(quick).client.post(f"{prefix}{path}", json={"phone": factories.phone(), "otp": "123456"})
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"], error["category"]) == (403, "AUTH_FORBIDDEN", "AUTHENTICATION")


def test_a_program_calls_with_bearer_and_no_csrf_token(app: Flask) -> None:
    who = factories.person(app)
    program = app.test_client()
    assert program.get("/api/v1/auth/session", headers=who.bearer).json["user"]["id"] == str(who.id)
    assert program.post("/api/v1/auth/logout", headers=who.bearer).status_code == 200
    refused = program.get("/api/v1/auth/session", headers=who.bearer)
    assert (refused.status_code, factories.error_of(refused)["code"]) == (401, "AUTH_EXPIRED")
    assert who.client.get("/api/v1/auth/session").status_code == 401


@pytest.mark.parametrize(
    "value", ["Bearer ", "Bearer", "bearer nonsense", "Bearer " + "x" * 5000, "Basic YTpi", "Bearer \xe4"]
)
def test_a_token_that_was_never_issued_is_refused(quick: FlaskClient, value: str) -> None:
    answer = quick.get("/api/v1/auth/session", headers={"Authorization": value})
    assert answer.status_code == 401
    assert factories.error_of(answer)["code"] in ("AUTH_REQUIRED", "AUTH_INVALID")


def test_a_wrong_bearer_does_not_fall_back_to_the_cookie(app: Flask) -> None:
    who = factories.person(app)
    assert who.client.post("/api/v1/auth/logout", headers={"Authorization": "Bearer x"}).status_code == 401
    assert who.client.get("/api/v1/auth/session").status_code == 200


def test_signing_in_again_gives_another_session(app: Flask) -> None:
    first = factories.person(app)
    second = factories.person(app, first.phone)
    assert first.token != second.token
    assert len(first.token) >= 43
    second.client.post("/api/v1/auth/logout", headers=second.headers)
    assert first.client.get("/api/v1/auth/session").status_code == 200


def test_of_the_anonymous_browser_only_the_csrf_secret_survives_the_sign_in(client: FlaskClient) -> None:
    """A form in another tab goes on working; the number, the code's text and the browser's word are gone."""
    client.get("/login?next=/transform")
    factories.sign_in(client)
    with client.session_transaction() as kept:
        assert set(kept) == {"csrf_token"}


def test_only_the_hash_of_a_token_is_kept(app: Flask) -> None:
    who = factories.person(app)
    with app.app_context():
        row = db.session.scalars(select(UserSession)).one()
    assert len(row.token_hash) == 64
    assert who.token not in repr(vars(row))


def move(app: Flask, **ago: timedelta) -> None:
    """Let the sessions be older than they are."""
    with app.app_context():
        for row in db.session.scalars(select(UserSession)):
            values = {name: getattr(row, name) - span for name, span in ago.items()}
            db.session.execute(update(UserSession).where(UserSession.id == row.id).values(**values))
        db.session.commit()


@pytest.mark.parametrize(
    ("ago", "status"),
    [
        ({"last_seen_at": timedelta(hours=23, minutes=59)}, 200),
        ({"last_seen_at": timedelta(hours=24)}, 401),
        ({"expires_at": timedelta(days=29, hours=23)}, 200),
        ({"expires_at": timedelta(days=30)}, 401),
    ],
    ids=["nearly idle", "idle", "nearly over", "over"],
)
def test_a_session_ends_when_it_is_idle_for_a_day_or_after_thirty_days(
    app: Flask, ago: dict[str, timedelta], status: int
) -> None:
    who = factories.person(app)
    move(app, **ago)
    answer = who.client.get("/api/v1/auth/session")
    assert answer.status_code == status
    if status == 401:
        assert factories.error_of(answer)["code"] == "AUTH_EXPIRED"


@pytest.fixture
def cached(make_app: MakeApp, database_url: str, redis_url: str) -> Flask:
    return make_app(DATABASE_URL=database_url, REDIS_URL=redis_url)


@pytest.fixture
def fragile(make_app: MakeApp, sqlite_url: str) -> Iterator[tuple[Flask, Any]]:
    """The application with a Redis of its own, and the way to stop it."""
    manager = servers.redis_server()
    url = manager.__enter__()
    stopped = []

    def stop() -> None:
        if not stopped:
            stopped.append(True)
            manager.__exit__(None, None, None)

    yield make_app(DATABASE_URL=sqlite_url, REDIS_URL=url), stop
    stop()


def roles_seen(who: factories.Person) -> str:
    return str(who.client.get("/api/v1/auth/session").json["user"]["role"])


def is_admin(app: Flask, who: factories.Person) -> bool:
    """What the guard thinks of the caller, who is asked through a real request."""
    from flask import request_started
    from flask_login import current_user

    seen: list[bool] = []

    def look(*_: Any, **__: Any) -> None:
        seen.append(current_user.is_admin)

    with request_started.connected_to(look, app):
        assert who.client.get("/api/v1/auth/session").status_code == 200
    return seen[0]


def promote(app: Flask, who: factories.Person, role: UserRole) -> None:
    with app.app_context():
        accounts.change_role(app.extensions["toolbox"], who.id, role, Actor("test"))


def test_logout_and_a_changed_role_hold_from_the_next_request(app: Flask) -> None:
    who, admin = factories.person(app), factories.person(app, role=UserRole.ADMIN)
    assert is_admin(app, admin)
    promote(app, who, UserRole.ADMIN)
    assert is_admin(app, who)
    promote(app, who, UserRole.GUEST)
    assert not is_admin(app, who)
    who.client.post("/api/v1/auth/logout", headers=who.headers)
    assert who.client.get("/api/v1/auth/session", headers=who.bearer).status_code == 401


def test_with_the_cache_they_hold_as_well(cached: Flask) -> None:
    test_logout_and_a_changed_role_hold_from_the_next_request(cached)


def test_without_redis_sessions_go_on_and_codes_fail_closed(fragile: tuple[Flask, Any]) -> None:
    app, stop = fragile
    who, other, late = factories.person(app), factories.person(app), app.test_client()
    number = factories.phone()
    code = factories.request_code(late, number)
    assert who.client.get("/api/v1/auth/session").status_code == 200
    stop()
    assert who.client.get("/api/v1/auth/session").status_code == 200
    promote(app, who, UserRole.ADMIN)
    assert is_admin(app, who)
    assert other.client.post("/api/v1/auth/logout", headers=other.headers).status_code == 200
    assert other.client.get("/api/v1/auth/session", headers=other.bearer).status_code == 401
    for answer in (post(late, REQUEST, {"phone": number}), verify(late, number, code)):
        error = factories.error_of(answer)
        assert (answer.status_code, error["code"], error["category"]) == (502, "API_ERROR", "NETWORK")
    assert late.get("/api/v1/auth/session").status_code == 401


def test_no_code_number_or_token_is_logged(app: Flask) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.getLogger().handlers[0].formatter)
    logging.getLogger().addHandler(handler)
    try:
        client, number = app.test_client(), factories.phone()
        code = factories.request_code(client, number)
        verify(client, number, wrong(code))
        answer = verify(client, number, code)
        post(client, REQUEST, {"phone": number})
        client.post("/api/v1/auth/logout", headers={"X-CSRFToken": factories.csrf_token(client)})
        client.get("/api/v1/auth/session", headers={"Authorization": f"Bearer {answer.json['session']}"})
        client.get("/login?next=/x")
    finally:
        logging.getLogger().removeHandler(handler)
    text = written.getvalue()
    assert "sign-in refused" in text
    assert "signed in" in text
    for secret in (code, wrong(code), number, number[2:], answer.json["session"]):
        assert secret not in text


@pytest.mark.parametrize("path", [REQUEST, VERIFY])
def test_unknown_keys_are_refused(client: FlaskClient, path: str) -> None:
    answer = post(client, path, {"phone": factories.phone(), "otp": "123456", "role": "ADMIN"})
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["details"]["fields"]["role"] == "this field is not known"


def bodies() -> list[Any]:
    return [
        pytest.param(b'{"phone": "+12025550142"}', "text/plain", id="wrong media type"),
        pytest.param(b"phone=%2B12025550142", "application/x-www-form-urlencoded", id="a form"),
        pytest.param(b'{"phone": ', "application/json", id="broken JSON"),
        pytest.param(b"", "application/json", id="no body"),
        pytest.param(b"\xff\xfe", "application/json", id="not UTF-8"),
        pytest.param(b"[" * 30_000 + b"]" * 30_000, "application/json", id="deep JSON"),
        pytest.param(b'{"phone":' * 5_000 + b"1" + b"}" * 5_000, "application/json", id="deep objects"),
        pytest.param(b'{"phone": ' + b"1" * 20_000 + b"}", "application/json", id="huge number"),
        pytest.param(b'"' + b"x" * 100_000 + b'"', "application/json", id="huge body"),
        pytest.param(b"[]", "application/json", id="an array"),
        pytest.param(b"null", "application/json", id="null"),
        pytest.param(b'{"phone": 12025550142}', "application/json", id="a number"),
        pytest.param(b'{"phone": {"a": 1}}', "application/json", id="an object"),
        pytest.param(b'{"phone": "\\ud800"}', "application/json", id="half a character"),
    ]


@pytest.mark.parametrize(("data", "media_type"), bodies())
def test_a_body_that_cannot_be_read_is_a_validation_error(quick: FlaskClient, data: bytes, media_type: str) -> None:
    headers = {"X-CSRFToken": factories.csrf_token(quick)}
    answer = quick.post(f"/api/v1{REQUEST}", data=data, content_type=media_type, headers=headers)
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"], error["category"]) == (400, "VALIDATION_ERROR", "VALIDATION")
    assert "Traceback" not in answer.text


def test_a_stale_cookie_of_another_program_locks_nobody_out(app: Flask) -> None:
    """Cookies know no ports: whatever else ran on this host may have left its own."""
    who = factories.person(app)
    for name in ("remember_token", "user_id", "csrf_token"):
        who.client.set_cookie(name, "somebody-elses")
    assert who.client.get("/api/v1/auth/session").status_code == 200
