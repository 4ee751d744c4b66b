"""Somebody is suspended: out at once, not let in again, and nothing of theirs is lost."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, update

from pixshift.domain.lifecycle import Status
from pixshift.domain.roles import AuthProvider, UserRole
from pixshift.errors import AuthForbidden, InvalidInput
from pixshift.extensions import db
from pixshift.models import AdminAction, Identity, User, UserSession
from pixshift.models.base import utcnow
from pixshift.services import accounts, sessions, standing
from pixshift.services.audit import Actor
from tests import factories
from tests.factories import Person
from tests.integration import test_oauth as oauth
from tests.integration.conftest import MakeApp
from tests.servers import wait_until
from tests.stand_ins.facebook import FacebookStandIn, signed_request
from tests.stand_ins.oidc import OidcStandIn

SENTENCE = "This account is suspended, so nobody can sign in to it."


def admin(app: Flask) -> Person:
    return factories.person(app, role=UserRole.ADMIN)


def act(who: Person, user_id: UUID, name: str, **form: Any) -> Any:
    return who.client.post(f"/admin/users/{user_id}/{name}", data={"csrf_token": who.csrf, **form})


def suspended(app: Flask, user_id: UUID) -> None:
    with app.app_context():
        standing.suspend(app.extensions["toolbox"], user_id, Actor("test"))


def live_sessions(app: Flask, user_id: UUID) -> int:
    with app.app_context():
        return len(sessions.listed(app.extensions["toolbox"], user_id))


@pytest.fixture(params=["with a session cache", "without one"])
def either(request: pytest.FixtureRequest, make_app: MakeApp, sqlite_url: str) -> Flask:
    more = {"REDIS_URL": request.getfixturevalue("redis_url")} if request.param == "with a session cache" else {}
    return make_app(DATABASE_URL=sqlite_url, **more)


def test_every_sign_in_ends_with_the_next_request(either: Flask) -> None:
    who, guest = admin(either), factories.person(either)
    second = factories.sign_in(either.test_client(), guest.phone)
    job_id = factories.job(guest, factories.style(either))
    polls = f"/api/v1/transformations/{job_id}"
    assert [one.client.get(polls).status_code for one in (guest, second)] == [200, 200]  # whatever remembers does
    assert act(who, guest.id, "suspend", reason="Asked twice").status_code == 303
    for path in ("/api/v1/auth/session", polls):
        for one in (guest, second):
            assert one.client.get(path).status_code == 401, path
            assert either.test_client().get(path, headers=one.bearer).status_code == 401, path
    assert guest.client.get("/dashboard").location.startswith("/login?")
    assert live_sessions(either, guest.id) == 0
    assert act(who, guest.id, "lift").status_code == 303
    assert either.test_client().get("/api/v1/auth/session", headers=guest.bearer).status_code == 401  # it is over
    assert factories.sign_in(either.test_client(), guest.phone).id == guest.id


def test_both_acts_are_recorded_with_what_they_changed(app: Flask) -> None:
    who, guest = admin(app), factories.person(app)
    assert act(who, guest.id, "suspend", reason=" Asked twice ").location.endswith("?done=suspend")
    page = who.client.get(f"/admin/users/{guest.id}?done=suspend").text
    for text in ("Suspended since", "Lift the suspension", "Asked twice", f"flask users erase {guest.phone}"):
        assert text in page, text
    assert act(who, guest.id, "lift").location.endswith("?done=lift")
    with app.app_context():
        found = db.session.scalars(select(AdminAction).order_by(AdminAction.sequence)).all()
    said = [(one.action_type, one.entity_id, one.before, one.after, one.details, one.admin_user_id) for one in found]
    assert said == [
        (
            "SUSPEND", guest.id, {"suspended": False}, {"suspended": True},
            {"reason": "Asked twice", "ended": 1}, who.id,
        ),
        ("LIFT", guest.id, {"suspended": True}, {"suspended": False}, None, who.id),
    ]  # fmt: skip


def test_a_code_lets_nobody_in_who_is_suspended_in_the_middle(app: Flask) -> None:
    guest, client = factories.person(app), app.test_client()
    code = factories.request_code(client, guest.phone)
    suspended(app, guest.id)
    body = {"phone": guest.phone, "otp": code}
    headers = {"X-CSRFToken": factories.csrf_token(client)}
    answer = client.post("/api/v1/auth/sms/verify-otp", json=body, headers=headers)
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"], error["details"]["reason"]) == (403, "AUTH_FORBIDDEN", "suspended")
    assert error["message"].startswith(SENTENCE)
    assert client.get_cookie("session") is None
    assert client.post("/api/v1/auth/sms/verify-otp", json=body, headers=headers).status_code == 401  # it is used up
    assert live_sessions(app, guest.id) == 0


def test_the_page_says_it_kindly_and_shows_a_way_on(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(DATABASE_URL=sqlite_url, SELLER_EMAIL="help@example.org")
    guest, client = factories.person(app), app.test_client()
    code = factories.request_code(client, guest.phone)
    suspended(app, guest.id)
    page = client.post("/login/code", data={"code": code, "csrf_token": factories.csrf_token(client)})
    assert page.status_code == 403
    for text in (SENTENCE, "help@example.org", 'href="/privacy#data"', 'role="alert"'):
        assert text in page.text, text


def test_who_is_not_suspended_is_told_nothing_of_it(quick: Flask) -> None:
    client = quick.test_client()
    assert 'href="/privacy#data">What we keep, and how' not in client.get("/login").text


# --- other ways in --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def google_server() -> Iterator[OidcStandIn]:
    with OidcStandIn() as stand_in:
        stand_in.claims = {"sub": "g-1", "email": "ann@example.com", "email_verified": True, "name": "Ann"}
        yield stand_in


@pytest.fixture(scope="module")
def facebook_server() -> Iterator[FacebookStandIn]:
    with FacebookStandIn() as stand_in:
        stand_in.me = {"id": "f-1", "name": "Ann", "email": "ann@example.com"}
        yield stand_in


@pytest.fixture
def open_app(make_app: MakeApp, sqlite_url: str, google_server: OidcStandIn, facebook_server: FacebookStandIn) -> Flask:
    return make_app(DATABASE_URL=sqlite_url, **google_server.environ, **facebook_server.environ)


@pytest.mark.parametrize("provider", ["gmail", "facebook"])
def test_no_provider_lets_a_suspended_person_in(open_app: Flask, provider: str) -> None:
    browser, other = open_app.test_client(), open_app.test_client()
    oauth.sign_in(browser, provider)
    user_id = oauth.me(browser)
    way_back = oauth.way_back(oauth.begin(other, provider))
    suspended(open_app, user_id)
    assert not oauth.is_signed_in(browser)
    page = other.get(way_back, headers=oauth.PAGE)
    assert (page.status_code, SENTENCE in page.text) == (403, True)
    assert not oauth.is_signed_in(other)
    assert oauth.people(open_app) == 1


def test_facebook_may_still_ask_that_a_suspended_person_is_erased(open_app: Flask) -> None:
    browser = open_app.test_client()
    oauth.sign_in(browser, "facebook")
    user_id = oauth.me(browser)
    suspended(open_app, user_id)
    answer = open_app.test_client().post("/auth/facebook/deletion", data={"signed_request": signed_request("f-1")})
    assert answer.status_code == 200
    assert factories.user_row(open_app, user_id).erased_at is not None


# --- what goes on ---------------------------------------------------------------------------------------------------


def test_what_is_being_made_is_finished_and_free_pictures_stay(app: Flask) -> None:
    guest = factories.person(app)
    with app.app_context():
        db.session.execute(update(User).where(User.id == guest.id).values(pricing_tier="basic", free_bonus=1))
        db.session.commit()
    job_id = factories.job(guest, factories.style(app))
    suspended(app, guest.id)
    factories.work(app)
    assert factories.row(app, job_id).status is Status.COMPLETED
    user = factories.user_row(app, guest.id)
    assert (user.free_tier_used, user.free_bonus, user.pricing_tier) == (1, 1, "basic")


def premium(app: Flask, who: Person) -> None:
    """They have a paid month, by the practice gateway."""
    started = who.client.post("/api/v1/billing/subscription", json={"gateway": "practice"}, headers=who.headers)
    session = started.json["url"].rpartition("/")[2]
    app.extensions["toolbox"].gateways.payments["practice"].decide(session, "pay")
    assert who.client.get(f"/billing/return/practice?session_id={session}").status_code == 303


def test_a_plan_goes_on_until_an_admin_stops_it(quick: Flask) -> None:
    who, guest = admin(quick), factories.person(quick)
    assert act(who, guest.id, "stop-plan").status_code == 400
    premium(quick, guest)
    suspended(quick, guest.id)
    page = " ".join(who.client.get(f"/admin/users/{guest.id}").text.split())
    assert "Premium by Practice, active, $9.99 a month, 100 of 100 left, renews" in page
    assert act(who, guest.id, "stop-plan", reason="They wrote").location.endswith("?done=stop_plan")
    page = who.client.get(f"/admin/users/{guest.id}").text
    assert ("left, ends" in page, "/stop-plan" in page) == (True, False)
    assert act(who, guest.id, "stop-plan").status_code == 400
    with quick.app_context():
        found = db.session.scalars(select(AdminAction).where(AdminAction.action_type == "PLAN_STOP")).all()
    assert [(one.entity_id, one.details, one.admin_user_id) for one in found] == [
        (guest.id, {"reason": "They wrote"}, who.id)
    ]


# --- who may not be suspended ---------------------------------------------------------------------------------------


def test_nobody_suspends_themselves_or_the_last_admin(app: Flask) -> None:
    who = admin(app)
    page = act(who, who.id, "suspend")
    assert (page.status_code, "You cannot suspend yourself" in page.text) == (400, True)
    assert ">Suspend<" not in who.client.get(f"/admin/users/{who.id}").text
    with app.app_context(), pytest.raises(InvalidInput, match="last admin"):
        standing.suspend(app.extensions["toolbox"], who.id, Actor("cli:somebody"))
    assert factories.user_row(app, who.id).suspended_at is None
    other = admin(app)
    assert act(who, other.id, "suspend").status_code == 303
    assert other.client.get("/admin/users").status_code == 303


def test_the_second_of_two_admins_is_told(app: Flask) -> None:
    who, other, guest = admin(app), admin(app), factories.person(app)
    assert act(other, guest.id, "lift").status_code == 400
    assert act(who, guest.id, "suspend").status_code == 303
    again = act(other, guest.id, "suspend", reason="As well")
    assert (again.status_code, "They are suspended already." in again.text) == (400, True)
    assert "Nothing was changed." in again.text
    assert 'value="As well"' in again.text
    assert act(who, guest.id, "suspend", reason="x" * 201).status_code == 400


def test_two_admins_who_suspend_each_other_at_once_leave_one(make_app: MakeApp, postgres_url: str) -> None:
    app = make_app(DATABASE_URL=postgres_url)
    pair, refused = [admin(app).id, admin(app).id], []

    def suspend(one: int) -> None:
        with app.app_context():
            try:
                standing.suspend(app.extensions["toolbox"], pair[one], Actor("test", pair[1 - one]))
            except InvalidInput as error:
                refused.append(error.message)

    together(lambda: suspend(0), lambda: suspend(1))
    assert len(refused) == 1
    assert [factories.user_row(app, one).suspended_at is None for one in pair].count(True) == 1


def test_a_sign_in_that_began_before_ends_with_the_others(make_app: MakeApp, postgres_url: str) -> None:
    """The suspension waits for a sign-in that is about to commit, and finds it."""
    app = make_app(DATABASE_URL=postgres_url)
    guest = factories.person(app)
    tools, at_the_door = app.extensions["toolbox"], threading.Event()
    tokens = []

    def sign_in() -> None:
        with app.app_context():
            tokens.append(sessions.start(tools, guest.id, "a test"))
            db.session.flush()
            at_the_door.set()
            wait_until(lambda: waits(app), 20, "the suspension to wait")
            db.session.commit()

    def suspend() -> None:
        at_the_door.wait(20)
        suspended(app, guest.id)

    together(sign_in, suspend)
    assert live_sessions(app, guest.id) == 0
    answer = app.test_client().get("/api/v1/auth/session", headers={"Authorization": f"Bearer {tokens[0]}"})
    assert answer.status_code == 401
    with app.app_context(), pytest.raises(AuthForbidden):
        sessions.start(tools, guest.id, None)


def waits(app: Flask) -> bool:
    with app.app_context(), db.engine.connect() as connection:
        query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return bool(connection.exec_driver_sql(query).scalar())


def together(*deeds: Any) -> None:
    threads = [threading.Thread(target=deed) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_a_refused_sign_in_writes_nothing(quick: Flask) -> None:
    guest = factories.person(quick)
    suspended(quick, guest.id)
    with quick.app_context():
        known = accounts.person_with(AuthProvider.MOBILE, guest.phone)
        with pytest.raises(AuthForbidden):
            sessions.start(quick.extensions["toolbox"], known.id, None)
        assert len(db.session.scalars(select(UserSession.id)).all()) == 1
        assert len(db.session.scalars(select(Identity.id)).all()) == 1
        assert known.suspended_at is not None
        assert known.suspended_at <= utcnow()
