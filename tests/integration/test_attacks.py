"""Attacks that once went through, each as small as it was found."""

import contextlib
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from pixshift.blueprints import places
from pixshift.errors import ExternalServiceError, RateLimitExceeded
from pixshift.settings import load_settings
from tests import factories, servers
from tests.integration.conftest import MakeApp

CODE = "/api/v1/auth/sms/request-otp"


@pytest.fixture
def app(make_app: MakeApp, sqlite_url: str) -> Flask:
    return make_app(DATABASE_URL=sqlite_url)


# --- slow callers ---------------------------------------------------------------------------------------------------


def test_whoever_sends_slowly_leaves_threads_for_the_others(tmp_path: Path) -> None:
    """More half-sent bodies than the server has threads, from nobody known: pages and probes are still answered."""
    head = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    with servers.product(tmp_path, {}) as product, contextlib.ExitStack() as stack:
        port = int(product.url.rpartition(":")[2])
        for _ in range(300):
            caller = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            caller.sendall(head + b"Content-Length: 60000\r\n\r\na=")
        for _ in range(5):
            assert product.is_healthy()


def test_a_body_that_finds_no_place_is_refused_unread(app: Flask) -> None:
    client, waiting = app.test_client(), places.of(app)
    for _ in range(places.ALL):
        waiting.take("somebody")
    refused = client.post(CODE, json={"phone": "x"})
    assert (refused.status_code, factories.error_of(refused)["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(refused.headers["Retry-After"]) >= 1
    assert client.get("/").status_code == 200
    waiting.give_back("somebody")
    assert client.post(CODE, json={"phone": "x"}).status_code == 403


def test_one_address_leaves_places_for_the_others(app: Flask) -> None:
    waiting = places.of(app)
    for _ in range(places.EACH_ADDRESS):
        waiting.take("bodies from 10.0.0.1", places.EACH_ADDRESS)
    crowded, other = app.test_client(), app.test_client()
    crowded.environ_base["REMOTE_ADDR"], other.environ_base["REMOTE_ADDR"] = "10.0.0.1", "10.0.0.2"
    assert crowded.post(CODE, json={"phone": "x"}).status_code == 429
    assert crowded.get("/login").status_code == 200
    assert other.post(CODE, json={"phone": "x"}).status_code == 403


@pytest.mark.parametrize("said", ["x:abc", "x:99999", "x:"])
def test_whatever_a_proxy_says_of_the_host_the_servers_own_port_is_watched(
    make_app: MakeApp, sqlite_url: str, said: str
) -> None:
    client = make_app(DATABASE_URL=sqlite_url, TRUSTED_PROXIES="1").test_client()
    page = client.get("/login", headers={"X-Forwarded-Host": said}, environ_overrides={"SERVER_SOFTWARE": "Granian"})
    assert page.status_code == 200


def test_every_place_is_given_back(app: Flask) -> None:
    who = factories.person(app)
    job_id = factories.picture(app, who, factories.style(app))
    for _ in range(3):
        for path in ("/transform", f"/transformations/{job_id}/cancel", "/nowhere"):
            who.client.post(path, data={"a": "b"}, headers=who.headers).close()
        for method in (who.client.get, who.client.head):
            method(f"/transformations/{job_id}/download").close()
    assert places.of(app).taken == 0


def test_one_person_takes_only_so_many_pictures_at_once(app: Flask) -> None:
    waiting = places.of(app)
    for _ in range(places.EACH):
        waiting.take("somebody", places.EACH)
    with pytest.raises(RateLimitExceeded):
        waiting.take("somebody", places.EACH)
    waiting.take("somebody else", places.EACH)


# --- sessions and forms ---------------------------------------------------------------------------------------------


def test_signing_in_again_in_a_browser_ends_its_former_session(app: Flask) -> None:
    first = factories.person(app)
    second = factories.sign_in(first.client)
    stranger = app.test_client()
    assert stranger.get("/api/v1/auth/session", headers=first.bearer).status_code == 401
    assert stranger.get("/api/v1/auth/session", headers=second.bearer).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_of_another_site_is_refused_though_it_knows_a_token(app: Flask, site: str) -> None:
    """A neighbour below the same domain can plant a ``flow`` cookie, and knows the token that belongs to it."""
    who = factories.person(app)
    refused = who.client.post("/api/v1/auth/logout", headers={**who.headers, "Sec-Fetch-Site": site})
    assert (refused.status_code, factories.error_of(refused)["details"]) == (403, {"reason": "csrf"})
    assert who.client.get("/dashboard", headers={"Sec-Fetch-Site": site}).status_code == 200
    for own in ("same-origin", "none"):
        assert who.client.post("/transform", headers={**who.headers, "Sec-Fetch-Site": own}).status_code == 400


def test_callers_over_a_dual_stack_socket_are_not_one_address(app: Flask) -> None:
    """They come as ``::ffff:192.0.2.1``: by its /64 the whole of IPv4 would share ten codes an hour."""
    answers = []
    for number in range(12):
        client = app.test_client()
        token = factories.csrf_token(client)
        client.environ_base["REMOTE_ADDR"] = f"::ffff:192.0.2.{number}"
        answers.append(client.post(CODE, json={"phone": factories.phone()}, headers={"X-CSRFToken": token}).status_code)
    assert answers == [200] * 12


# --- what is gone, and what is kept ---------------------------------------------------------------------------------


def test_what_is_overdue_is_not_shown_though_it_is_still_stored(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    who = factories.person(app)
    job_id = factories.picture(app, who, factories.style(app))
    seen = who.client.get(f"/api/v1/transformations/{job_id}").json["transformation"]
    links = [seen[name] for name in ("transformedImageUrl", "thumbnailUrl", "originalImageUrl")]
    assert [who.client.get(link).status_code for link in links] == [200, 200, 200]

    def away(*_: Any) -> None:
        raise ExternalServiceError(category="NETWORK")

    monkeypatch.setattr(app.extensions["toolbox"].gateways.storage, "delete", away)
    who.client.post(f"/transformations/{job_id}/delete", headers=who.headers)
    later = app.extensions["toolbox"].now() + timedelta(seconds=31)
    toolbox = replace(app.extensions["toolbox"], now=lambda: later)
    monkeypatch.setitem(app.extensions, "toolbox", toolbox)
    for link in [*links, f"/transformations/{job_id}/download"]:
        gone = who.client.get(link, headers={"Accept": "application/json"})
        assert gone.status_code == 404, link
    assert who.client.post(f"/transformations/{job_id}/again", headers=who.headers).status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/auth/session", "/api/v1/nowhere", "/dashboard", "/healthz"])
def test_no_cache_keeps_an_error_or_a_redirect(app: Flask, path: str) -> None:
    for headers in ({}, {"HX-Request": "true"}):
        assert app.test_client().get(path, headers=headers).headers["Cache-Control"] == "no-store"


@pytest.fixture
def _open_umask() -> Iterator[None]:
    import os

    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_open_umask")
def test_the_instance_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """Photos and the database lie in it."""
    load_settings({"PIXSHIFT_INSTANCE": str(tmp_path / "instance")})
    assert stat.S_IMODE((tmp_path / "instance").stat().st_mode) == 0o700
