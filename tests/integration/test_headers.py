"""What every answer says to the browser: policy, cookies, host."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pixshift import create_app
from pixshift.extensions import db
from pixshift.gateways import build_gateways
from pixshift.settings import load_settings
from pixshift.tasks.queue import HueyQueue
from tests import factories
from tests.integration.conftest import MakeApp
from tests.unit.test_settings import PRODUCTION

PATHS = [
    "/",
    "/login",
    "/privacy",
    "/nothing",
    "/dashboard",
    "/healthz",
    "/api/v1/auth/csrf",
    "/api/v1/auth/session",
    "/api/x",
]


@pytest.fixture
def quick(make_app: MakeApp, sqlite_url: str) -> FlaskClient:
    return make_app(DATABASE_URL=sqlite_url).test_client()


@pytest.fixture
def production(sqlite_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Production settings; vendors are the twins of a test, because nobody answers at the real addresses."""
    folder = str(tmp_path_factory.mktemp("production"))
    own = {"PIXSHIFT_INSTANCE": folder, "DATABASE_URL": sqlite_url, "REDIS_URL": redis_url}
    settings = load_settings({**PRODUCTION, **own})
    twins = load_settings({**own, "PIXSHIFT_ENV": "test", "SECRET_KEY": PRODUCTION["SECRET_KEY"]})
    app = create_app(settings, build_gateways(twins, HueyQueue(twins, lambda: None)))
    yield app
    app.extensions["toolbox"].gateways.close()
    with app.app_context():
        db.engine.dispose()


class Browser(FlaskClient):
    """A client that calls the public address unless told otherwise."""

    def open(self, *args: Any, **more: Any) -> TestResponse:
        return super().open(*args, **({"base_url": "https://pixshift.example"} | more))


def at_home(app: Flask) -> FlaskClient:
    return Browser(app, app.response_class)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers_that_protect(quick: FlaskClient, path: str) -> None:
    headers = quick.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    for part in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ):
        assert part in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers
    assert "Server" not in headers or "Werkzeug" not in headers["Server"]


def test_what_is_about_a_person_is_never_kept_by_a_cache(quick: FlaskClient) -> None:
    who = factories.sign_in(quick)
    for path in (
        "/dashboard",
        "/transform",
        "/transformations",
        "/profile",
        "/api/v1/auth/session",
        "/api/v1/transformations",
    ):
        assert "no-store" in who.client.get(path).headers["Cache-Control"], path


def test_cookies_in_development(quick: FlaskClient) -> None:
    factories.sign_in(quick)
    for name in ("session", "flow"):
        cookie = quick.get_cookie(name)
        assert cookie is not None
        assert (cookie.http_only, cookie.same_site, cookie.path, cookie.secure) == (True, "Lax", "/", False)
        assert cookie.origin_only


def test_cookies_in_production(production: Flask) -> None:
    client = at_home(production)
    number = factories.phone()
    token = client.get("/api/v1/auth/csrf").json["csrfToken"]
    asked = client.post("/api/v1/auth/sms/request-otp", json={"phone": number}, headers={"X-CSRFToken": token})
    body = {"phone": number, "otp": factories.code_in(asked.json["shownText"])}
    answer = client.post("/api/v1/auth/sms/verify-otp", json=body, headers={"X-CSRFToken": token})
    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("__Host-session=")]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/", "max-age=2592000"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)
    assert client.get("/api/v1/auth/session").status_code == 200
    (flow,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("flow=")]
    assert "Secure" in flow
    out = client.post("/api/v1/auth/logout", headers={"X-CSRFToken": client.get("/api/v1/auth/csrf").json["csrfToken"]})
    (gone,) = [line for line in out.headers.getlist("Set-Cookie") if line.startswith("__Host-session=")]
    assert {"secure", "path=/", "max-age=0"} <= {part.strip().lower() for part in gone.split(";")[1:]}
    stale = {"Cookie": f"__Host-session={answer.json['session']}"}
    ended = Browser(production, production.response_class, use_cookies=False).get("/dashboard", headers=stale)
    (gone,) = [line for line in ended.headers.getlist("Set-Cookie") if line.startswith("__Host-session=")]
    assert {"secure", "path=/", "max-age=0"} <= {part.strip().lower() for part in gone.split(";")[1:]}


def test_a_plain_session_cookie_is_worth_nothing_in_production(production: Flask) -> None:
    client = Browser(production, production.response_class, use_cookies=False)
    for name, code in (("session", "AUTH_REQUIRED"), ("__Host-session", "AUTH_INVALID")):
        answer = client.get("/api/v1/auth/session", headers={"Cookie": f"{name}=x"})
        assert factories.error_of(answer)["code"] == code


def test_production_asks_browsers_for_https(production: Flask) -> None:
    headers = at_home(production).get("/").headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    "host", ["evil.example", "pixshift.example.evil.example", "pixshift.example:8443", "127.0.0.1", "", "a b"]
)
def test_production_answers_only_to_its_own_name(production: Flask, host: str) -> None:
    client = production.test_client()
    for path in ("/", "/api/v1/auth/csrf", "/login"):
        answer = client.get(path, headers={"Host": host}, base_url="https://pixshift.example")
        assert answer.status_code == 400, path
        assert host not in answer.text or not host
    assert at_home(production).get("/").status_code == 200


def test_a_forwarded_host_is_not_believed(production: Flask) -> None:
    answer = production.test_client().get(
        "/", base_url="https://evil.example", headers={"X-Forwarded-Host": "pixshift.example"}
    )
    assert answer.status_code == 400


def test_links_of_the_api_lead_to_the_host_that_was_called(quick: FlaskClient) -> None:
    assert factories.upload(factories.sign_in(quick))["imageUrl"].startswith("http://localhost/pictures/photo/")


def test_static_files_are_kept_for_a_year_and_old_names_lead_on(quick: FlaskClient) -> None:
    moved = quick.get("/static/old/pixshift.css")
    assert moved.status_code == 302
    answer = quick.get(moved.headers["Location"])
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert "immutable" in answer.headers["Cache-Control"]
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    again = quick.get(moved.headers["Location"], headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_ready_says_which_part_is_away(quick: FlaskClient, make_app: MakeApp, empty_sqlite_url: str) -> None:
    from tests import servers

    well = quick.get("/readyz")
    assert (well.status_code, well.json["parts"]) == (200, {"database": "ok", "queue": "ok", "storage": "ok"})
    away = make_app(DATABASE_URL=empty_sqlite_url, REDIS_URL=f"redis://127.0.0.1:{servers.free_port()}").test_client()
    ill = away.get("/readyz")
    assert (ill.status_code, ill.json["parts"]) == (503, {"database": "away", "queue": "away", "storage": "ok"})
    assert away.get("/healthz").status_code == 200
