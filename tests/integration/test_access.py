"""Every route × everybody: deny by default, foreign ids do not exist, nobody is sent to another site."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule as Route
from werkzeug.test import TestResponse

from pixshift.blueprints.access import RULES, SELF_VERIFIED, Rule, Who, canonical
from pixshift.blueprints.limits import Calls
from pixshift.domain.lifecycle import Status
from pixshift.domain.roles import UserRole
from tests import factories
from tests.factories import Person
from tests.integration.conftest import MakeApp

METHODS = ("GET", "POST", "PUT", "DELETE")


@pytest.fixture
def app(make_app: MakeApp, sqlite_url: str) -> Flask:
    """Access does not depend on the database: one is enough here."""
    return make_app(DATABASE_URL=sqlite_url)


def routes(app: Flask, who: Who) -> Iterator[tuple[Route, str]]:
    for rule in app.url_map.iter_rules():
        for method in METHODS:
            if method in (rule.methods or ()) and RULES[canonical(rule.endpoint)].who is who:
                yield rule, method


def address_of(rule: Route, object_id: UUID) -> str:
    """The rule's path with this id in it."""
    values = {
        "transformation_id": object_id,
        "object_id": object_id,
        "identity_id": object_id,
        "type_id": object_id,
        "number": 1,
        "provider": "gmail",
        "code": "x",
        "export_id": object_id,
        "session_id": object_id,
        "record_id": object_id,
        "job_id": object_id,
        "user_id": object_id,
        "gateway": "practice",
        "kind": "picture",
        "tag": "x",
        "token": "x" * 43,
        "path": "favicon.svg",
    }
    path: str = rule.rule
    for argument in rule.arguments:
        for converter in ("uuid:", "path:", "int:", "int(max=1000000):", ""):
            path = path.replace(f"<{converter}{argument}>", str(values[argument]))
    assert "<" not in path
    return path


# What each may be answered by a route that is for …; a refusal for who they are must be there or must not.
REFUSED = {
    "anonymous": {Who.EVERYBODY: False, Who.SIGNED_IN: True, Who.ADMIN: True},
    "guest": {Who.EVERYBODY: False, Who.SIGNED_IN: False, Who.ADMIN: True},
    "other guest": {Who.EVERYBODY: False, Who.SIGNED_IN: False, Who.ADMIN: True},
    "admin": {Who.EVERYBODY: False, Who.SIGNED_IN: False, Who.ADMIN: False},
}

LETS_SIGN_IN_AGAIN = {"account_data.renew"}


@pytest.mark.parametrize("role", REFUSED)
def test_every_route_lets_in_whom_its_rule_names_and_nobody_else(app: Flask, role: str) -> None:
    owner = factories.person(app)
    job_id = factories.picture(app, owner, factories.style(app))
    for who, is_refused in REFUSED[role].items():
        for rule, method in routes(app, who):
            if canonical(rule.endpoint) in SELF_VERIFIED | LETS_SIGN_IN_AGAIN:
                continue  # a signature decides there; or being sent to sign in is what was asked for
            client, headers = as_role(app, role)
            object_id = job_id if role == "other guest" else uuid4()
            answer = client.open(address_of(rule, object_id), method=method, headers=headers)
            assert answer.status_code < 500, (role, method, rule.rule)
            assert is_refusal(answer) is is_refused, (role, method, rule.rule, answer.status_code)
    job = factories.row(app, job_id)
    assert (job.deleted_at, job.downloaded_at, job.status) == (None, None, Status.COMPLETED)


def as_role(app: Flask, role: str) -> tuple[FlaskClient, dict[str, str]]:
    """A browser of somebody new: some routes end the session, or the person."""
    if role == "anonymous":
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = factories.address()
        return client, {"X-CSRFToken": factories.csrf_token(client)}
    somebody = factories.person(app, role=UserRole.ADMIN if role == "admin" else UserRole.GUEST)
    return somebody.client, somebody.headers


def is_refusal(answer: TestResponse) -> bool:
    """Sent to sign in, or told that they may not; not: sent on by a sign-in page, or asked to send a form again."""
    return answer.status_code in (401, 403) or answer.headers.get("Location", "").startswith("/login?next=")


def test_an_anonymous_caller_gets_nowhere_that_needs_a_sign_in(app: Flask) -> None:
    client = app.test_client()
    headers = {"X-CSRFToken": factories.csrf_token(client)}
    walked = 0
    for rule, method in (*routes(app, Who.SIGNED_IN), *routes(app, Who.ADMIN)):
        path = address_of(rule, uuid4())
        answer = client.open(path, method=method, headers=headers)
        if path.startswith("/api/"):
            assert answer.status_code == 401, path
            assert factories.error_of(answer)["code"] == "AUTH_REQUIRED", path
        else:
            assert answer.status_code == 303, path
            assert answer.headers["Location"].startswith("/login?next=/"), path
        walked += 1
    assert walked >= 20


def test_everybody_may_open_what_is_public(app: Flask) -> None:
    client = app.test_client()
    for rule, method in routes(app, Who.EVERYBODY):
        if method == "GET":
            # Made by nobody: a thumbnail, a token, a code, a sign-in.
            made = {"type_id": (404,), "token": (404,), "code": (404,), "provider": (400,)}
            expected = next((made[name] for name in rule.arguments if name in made), (200, 302, 303))
            assert client.get(address_of(rule, uuid4())).status_code in expected, rule


def test_a_guest_may_not_call_what_is_for_admins(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "desk", Rule(Who.ADMIN, Calls.READ))
    app._got_first_request = False
    app.add_url_rule("/desk", "desk", lambda: "open")
    guest, admin = factories.person(app), factories.person(app, role=UserRole.ADMIN)
    assert [who.client.get("/desk").status_code for who in (guest, admin)] == [403, 200]
    for rule, method in routes(app, Who.ADMIN):
        answer = guest.client.open(address_of(rule, uuid4()), method=method, headers=guest.headers)
        assert answer.status_code == 403, rule


def test_an_admin_reads_how_a_job_stands_but_never_its_pictures(app: Flask) -> None:
    owner, admin = factories.person(app), factories.person(app, role=UserRole.ADMIN)
    job_id = factories.picture(app, owner, factories.style(app))
    path = f"/api/v1/transformations/{job_id}"
    job = admin.client.get(path).json["transformation"]
    assert (job["id"], job["status"]) == (str(job_id), "COMPLETED")
    assert [job[key] for key in ("originalImageUrl", "transformedImageUrl", "thumbnailUrl")] == [None] * 3
    assert admin.client.get(f"{path}/download").status_code == 404
    mine = owner.client.get(path).json["transformation"]
    assert admin.client.get(mine["transformedImageUrl"]).status_code == 404
    assert admin.client.put(path, json={"status": "CANCELLED"}, headers=admin.headers).status_code == 404


# What the routes of the API are sent, where they read a body before they look for the job.
BODIES = {
    "api.transformations.update": {"status": "CANCELLED"},
    "api.transformations.share_picture": {"platform": "facebook"},
}


def test_somebody_elses_job_does_not_exist_on_any_route(app: Flask) -> None:
    owner, other = factories.person(app), factories.person(app)
    job_id = factories.picture(app, owner, factories.style(app))
    walked = 0
    for rule, method in routes(app, Who.SIGNED_IN):
        if "transformation_id" not in rule.arguments:
            continue
        path, body = address_of(rule, job_id), BODIES.get(canonical(rule.endpoint))
        answer = other.client.open(path, method=method, headers=other.headers, json=body)
        unknown = other.client.open(address_of(rule, uuid4()), method=method, headers=other.headers, json=body)
        assert (answer.status_code, unknown.status_code) == (404, 404), (method, path)
        if path.startswith("/api/"):
            assert factories.error_of(answer)["code"] == "NOT_FOUND"
            assert factories.error_of(answer)["message"] == factories.error_of(unknown)["message"]
        walked += 1
    assert walked >= 9
    job = factories.row(app, job_id)
    assert (job.deleted_at, job.downloaded_at) == (None, None)


def test_a_route_without_a_rule_is_refused(app: Flask) -> None:
    app._got_first_request = False
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    assert factories.person(app).client.get("/forgotten").status_code == 403
    assert app.test_client().get("/forgotten").status_code == 403


def test_what_changes_something_needs_the_csrf_token(app: Flask) -> None:
    who = factories.person(app)
    walked = 0
    for kind in Who:
        for rule, method in routes(app, kind):
            if method == "GET" or canonical(rule.endpoint) in SELF_VERIFIED:
                continue
            answer = who.client.open(address_of(rule, uuid4()), method=method)
            assert answer.status_code == 403, (method, rule)
            walked += 1
    assert walked >= 15
    assert who.client.get("/api/v1/auth/session").status_code == 200


def test_a_bearer_token_replaces_the_csrf_token_only_where_a_sign_in_is_needed(app: Flask) -> None:
    who, stranger = factories.person(app), app.test_client()
    for headers in (who.bearer, {"Authorization": "Bearer of-nobody"}):
        answer = stranger.post("/api/v1/auth/sms/request-otp", json={"phone": factories.phone()}, headers=headers)
        assert answer.status_code == 403
    assert stranger.post("/api/v1/auth/logout", headers=who.bearer).status_code == 200


def test_a_token_of_another_browser_is_no_csrf_token(app: Flask) -> None:
    who, other = factories.person(app), factories.person(app)
    answer = who.client.post("/api/v1/auth/logout", headers=other.headers)
    assert answer.status_code == 403
    assert factories.error_of(answer)["code"] == "AUTH_FORBIDDEN"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)", "evil.example", "/a\\..\\\\evil.example", "http:/evil.example", " //evil.example", "",
        "/" + "a" * 600,
    ],
)  # fmt: skip
def test_only_a_path_of_this_site_is_returned_to(app: Flask, target: str) -> None:
    assert landing_place(app, target) == "/dashboard"


@pytest.mark.parametrize("target", ["/transform", "/transformations?status=failed", "/transform?photo=x&style=y"])
def test_a_person_goes_on_where_they_were(app: Flask, target: str) -> None:
    assert landing_place(app, target) == target


def landing_place(app: Flask, target: str) -> str:
    """Where signing in leads with this ``next``."""
    client = app.test_client()
    client.get("/login", query_string={"next": target})
    number = factories.phone()
    token = {"X-CSRFToken": factories.csrf_token(client)}
    client.environ_base["REMOTE_ADDR"] = factories.address()
    assert client.post("/login", data={"phone": number}, headers=token).status_code == 303
    code = factories.code_in(client.get("/login/code").text.partition("PixShift code:")[2])
    answer = client.post("/login/code", data={"code": code}, headers=token)
    assert answer.status_code == 303
    return answer.headers["Location"]


def test_the_page_that_was_asked_for_comes_back_after_signing_in(app: Flask) -> None:
    answer = app.test_client().get("/transformations?status=failed")
    assert answer.headers["Location"] == "/login?next=/transformations%3Fstatus%3Dfailed"


def test_somebody_elses_photo_is_not_used(app: Flask) -> None:
    owner, other, kind = factories.person(app), factories.person(app), factories.style(app)
    photo = factories.upload(owner)
    for body in ({"imageId": photo["imageId"]}, {"imageUrl": photo["imageUrl"]}):
        answer = factories.ask(other, kind, **body)
        assert answer.status_code == 404
        assert factories.error_of(answer)["code"] == "NOT_FOUND"
    page = other.client.get(f"/transform?photo={photo['imageId']}")
    assert "We do not have this photo." in page.text
    form = {"image_id": photo["imageId"], "type_id": str(kind)}
    assert other.client.post("/transform", data=form, headers=other.headers).status_code == 404
    assert factories.user_row(app, other.id).free_tier_used == 0


def test_a_foreign_link_to_a_photo_or_picture_shows_nothing(app: Flask) -> None:
    owner, other = factories.person(app), factories.person(app)
    job_id = factories.picture(app, owner, factories.style(app))
    job = owner.client.get(f"/api/v1/transformations/{job_id}").json["transformation"]
    for url in (job["originalImageUrl"], job["transformedImageUrl"], job["thumbnailUrl"]):
        assert owner.client.get(url).status_code == 200
        assert other.client.get(url).status_code == 404
        assert app.test_client().get(url).status_code == 303


def everybody(app: Flask) -> list[FlaskClient]:
    guest: Person = factories.person(app)
    return [app.test_client(), guest.client]


def test_an_unknown_path_does_not_exist_for_anybody(app: Flask) -> None:
    for client in everybody(app):
        assert client.get("/nothing-here").status_code == 404
        assert client.get("/api/v1/nothing-here").status_code == 404
        assert client.get("/transformations/not-a-uuid").status_code == 404


def test_the_short_prefix_has_the_same_rules(app: Flask) -> None:
    long = {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")}
    short = {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("api_short.")}
    assert {canonical(endpoint) for endpoint in short} == long <= set(RULES)
