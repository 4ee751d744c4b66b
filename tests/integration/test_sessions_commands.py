"""flask sessions: who is signed in, ending it for somebody, and clearing away what is long over."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from click.testing import Result
from flask import Flask
from sqlalchemy import func, select, update

from pixshift.extensions import db
from pixshift.models import AdminAction, UserSession
from pixshift.tasks.retention import tidy_once
from tests import factories
from tests.factories import Person
from tests.integration.conftest import MakeApp


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["sessions", *words])


def count(app: Flask) -> int:
    with app.app_context():
        return int(db.session.scalar(select(func.count()).select_from(UserSession)) or 0)


def test_sign_ins_are_listed_for_everybody_and_for_one(quick: Flask, who: Person) -> None:
    other = factories.person(quick)
    everybody = run(quick, "list").output
    assert str(who.id) in everybody
    assert str(other.id) in everybody
    assert "A program" in everybody
    assert who.phone not in everybody
    one = json.loads(run(quick, "list", who.phone, "--json").output)["sessions"]
    assert [row["userId"] for row in one] == [str(who.id)]
    assert sorted(one[0]) == ["createdAt", "device", "expiresAt", "id", "lastSeenAt", "userId"]
    assert len(run(quick, "list", "--limit", "1").output.splitlines()) == 2


def test_a_person_is_signed_out_everywhere_and_it_is_written_down(
    make_app: MakeApp, database_url: str, redis_url: str
) -> None:
    app = make_app(DATABASE_URL=database_url, REDIS_URL=redis_url)
    who, other = factories.person(app), factories.person(app)
    second = factories.person(app, who.phone)
    for person in (who, second):
        assert person.client.get("/api/v1/auth/session").status_code == 200
    result = run(app, "revoke", who.phone)
    assert (result.exit_code, result.output) == (0, "2 ended.\n")
    for person in (who, second):
        answer = person.client.get("/api/v1/auth/session")
        assert factories.error_of(answer)["code"] == "AUTH_EXPIRED"
    assert other.client.get("/api/v1/auth/session").status_code == 200
    with app.app_context():
        act = db.session.scalars(select(AdminAction)).one()
    assert (act.action_type, act.entity_type, act.entity_id) == ("SESSIONS_REVOKED", "USER", who.id)
    assert run(app, "list", who.phone).output.splitlines()[1:] == []


def test_nobody_of_that_name_is_said_in_one_line(quick: Flask) -> None:
    for command in ("list", "revoke"):
        result = run(quick, command, f"{uuid4()}@example.com")
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: Nobody has that")
        assert len(result.stderr.splitlines()) == 1


def test_only_what_is_long_over_is_purged(app: Flask) -> None:
    people = [factories.person(app) for _ in range(6)]
    now = datetime.now(UTC)
    changes = [
        {"revoked_at": now - timedelta(days=31)},
        {"expires_at": now - timedelta(days=31)},
        {"last_seen_at": now - timedelta(days=32)},
        {"revoked_at": now - timedelta(days=29)},
        {"last_seen_at": now - timedelta(days=29)},
        {},
    ]
    with app.app_context():
        for person, values in zip(people, changes, strict=True):
            if values:
                db.session.execute(update(UserSession).where(UserSession.user_id == person.id).values(**values))
        db.session.commit()
    assert run(app, "purge").output == "3 deleted.\n"
    assert count(app) == 3
    assert run(app, "purge").output == "0 deleted.\n"
    assert people[-1].client.get("/api/v1/auth/session").status_code == 200


def test_a_worker_forgets_them_by_itself(app: Flask) -> None:
    person = factories.person(app)
    with app.app_context():
        long_ago = datetime.now(UTC) - timedelta(days=31)
        db.session.execute(update(UserSession).where(UserSession.user_id == person.id).values(revoked_at=long_ago))
        db.session.commit()
    tidy_once(app)
    assert count(app) == 0
