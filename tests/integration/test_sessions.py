"""Sign-ins over time: when they are touched, what the cache may and may not do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from pixshift.errors import AuthExpired, AuthInvalid
from pixshift.extensions import db
from pixshift.models import User, UserSession
from pixshift.models.base import utcnow
from pixshift.services import sessions
from pixshift.services.toolbox import Toolbox
from tests import factories
from tests.integration.conftest import MakeApp

At = Callable[[timedelta], Toolbox]


@pytest.fixture(params=["database alone", "with Redis"])
def app(request: pytest.FixtureRequest, make_app: MakeApp, database_url: str) -> Flask:
    """Once without the cache and once with it: nobody may notice the difference."""
    if request.param == "database alone":
        return make_app(DATABASE_URL=database_url)
    return make_app(DATABASE_URL=database_url, REDIS_URL=request.getfixturevalue("redis_url"))


@pytest.fixture
def at(app: Flask) -> At:
    """The toolbox as it is so much later."""
    start, tools = utcnow(), app.extensions["toolbox"]

    def later(span: timedelta) -> Toolbox:
        return replace(tools, now=lambda: start + span)

    return later


def only_row(app: Flask) -> UserSession:
    with app.app_context():
        return db.session.scalars(select(UserSession)).one()


def test_a_session_is_proved_by_its_token_alone(app: Flask, at: At) -> None:
    who = factories.person(app)
    with app.app_context():
        caller = sessions.resolve(at(timedelta()), who.token)
        assert (caller.user_id, caller.role.value) == (who.id, "GUEST")
        for wrong in ("", who.token[:-1], who.token + "x", caller.token_hash):
            with pytest.raises(AuthInvalid):
                sessions.resolve(at(timedelta()), wrong)


def test_a_session_is_touched_at_most_every_five_minutes_and_never_by_a_poll(app: Flask, at: At) -> None:
    who = factories.person(app)
    began = only_row(app).last_seen_at
    with app.app_context():
        sessions.resolve(at(timedelta(minutes=4)), who.token)
        sessions.resolve(at(timedelta(minutes=30)), who.token, is_poll=True)
    assert only_row(app).last_seen_at == began
    with app.app_context():
        sessions.resolve(at(timedelta(minutes=6)), who.token)
    touched = only_row(app).last_seen_at
    assert timedelta(minutes=5) < touched - began < timedelta(minutes=7)
    with app.app_context():
        sessions.resolve(at(timedelta(minutes=7)), who.token)
    assert only_row(app).last_seen_at == touched


def test_a_session_in_use_goes_on_past_a_day_but_not_past_thirty(app: Flask, at: At) -> None:
    who = factories.person(app)
    with app.app_context():
        for day in range(1, 60):
            hours = timedelta(hours=12 * day)
            if hours < timedelta(days=30):
                sessions.resolve(at(hours), who.token)
        with pytest.raises(AuthExpired):
            sessions.resolve(at(timedelta(days=30, minutes=1)), who.token)


def test_an_idle_session_is_over_also_for_a_poll(app: Flask, at: At) -> None:
    who = factories.person(app)
    with app.app_context(), pytest.raises(AuthExpired):
        sessions.resolve(at(timedelta(hours=24, seconds=5)), who.token, is_poll=True)


def test_the_session_of_an_erased_person_is_over(app: Flask) -> None:
    who = factories.person(app)
    with app.app_context():
        db.session.execute(update(User).values(erased_at=datetime.now(UTC)))
        db.session.commit()
        sessions.role_changed(app.extensions["toolbox"], who.id)
    answer = who.client.get("/api/v1/auth/session")
    assert factories.error_of(answer)["code"] == "AUTH_EXPIRED"


def test_ending_a_session_twice_changes_nothing(app: Flask, at: At) -> None:
    who = factories.person(app)
    with app.app_context():
        tools = at(timedelta())
        caller = sessions.resolve(tools, who.token)
        sessions.end(tools, caller)
        first = only_row(app).revoked_at
        sessions.end(at(timedelta(minutes=1)), caller)
        with pytest.raises(AuthExpired):
            sessions.resolve(tools, who.token)
    assert only_row(app).revoked_at == first is not None


def test_of_a_browser_only_what_people_call_it_is_kept(app: Flask) -> None:
    client = app.test_client()
    client.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Firefox/132.0" + "x" * 500
    factories.sign_in(client)
    assert only_row(app).device == "Firefox on Android"


def test_asking_how_a_job_stands_does_not_touch_the_session(app: Flask) -> None:
    who = factories.person(app)
    job_id = factories.job(who, factories.style(app))
    ago = utcnow() - timedelta(hours=1)
    with app.app_context():
        db.session.execute(update(UserSession).values(last_seen_at=ago))
        db.session.commit()
        sessions.role_changed(app.extensions["toolbox"], who.id)
    for path in (f"/api/v1/transformations/{job_id}", f"/transformations/{job_id}/status"):
        assert who.client.get(path).status_code == 200
    assert only_row(app).last_seen_at == ago
