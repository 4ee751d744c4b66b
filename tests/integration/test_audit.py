"""The log of admins' acts: sealed act by act, and nobody changes one unseen."""

import threading

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from pixshift.extensions import db
from pixshift.models import AdminAction
from pixshift.services import audit
from pixshift.services.audit import Actor

TESTER = Actor("cli:tester")


def act(app: Flask, number: int = 0) -> None:
    with app.app_context():
        audit.record(TESTER, "TRY", "USER", None, {"number": number}, before={"a": 1}, after={"a": "2.50"})
        db.session.commit()


def verdict(app: Flask) -> audit.Verdict:
    with app.app_context():
        return audit.verify()


def tamper(app: Flask, statement: str) -> None:
    """What somebody with the database's own password could do: put the guard aside, then change history."""
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            for verb in ("update", "delete"):
                db.session.execute(text(f"DROP TRIGGER admin_actions_no_{verb}"))
        else:
            db.session.execute(text("ALTER TABLE admin_actions DISABLE TRIGGER admin_actions_append_only"))
        db.session.execute(text(statement))
        db.session.commit()


def test_an_empty_log_is_whole(app: Flask) -> None:
    assert verdict(app) == audit.Verdict(sealed=0, unsealed=0)


def test_acts_are_sealed_in_their_order(app: Flask) -> None:
    for number in range(3):
        act(app, number)
    assert verdict(app) == audit.Verdict(sealed=3, unsealed=0)
    with app.app_context():
        rows = db.session.scalars(db.select(AdminAction).order_by(AdminAction.sequence)).all()
        assert [row.sequence for row in rows] == [1, 2, 3]
        assert (rows[0].before, rows[0].after) == ({"a": 1}, {"a": "2.50"})
        assert len({row.hash for row in rows}) == 3


def test_an_act_that_is_rolled_back_leaves_no_gap(app: Flask) -> None:
    with app.app_context():
        audit.record(TESTER, "TRY", "USER")
        db.session.rollback()
    act(app)
    assert verdict(app) == audit.Verdict(sealed=1, unsealed=0)


def test_acts_of_many_at_once_are_one_chain(app: Flask) -> None:
    threads = [threading.Thread(target=act, args=(app, number)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert verdict(app) == audit.Verdict(sealed=12, unsealed=0)


@pytest.mark.parametrize("statement", ["UPDATE admin_actions SET actor = 'nobody'", "DELETE FROM admin_actions"])
def test_the_database_refuses_to_change_an_act(app: Flask, statement: str) -> None:
    act(app)
    with app.app_context():
        with pytest.raises(DatabaseError, match="only ever added"):
            db.session.execute(text(statement))
        db.session.rollback()
    assert verdict(app).sealed == 1


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE admin_actions SET actor = 'nobody' WHERE sequence = 2", (1, 2, "it was changed")),
        ("UPDATE admin_actions SET entity_type = 'X' WHERE sequence = 1", (0, 1, "it was changed")),
        ("UPDATE admin_actions SET timestamp = '2020-01-01 00:00:00' WHERE sequence = 3", (2, 3, "it was changed")),
        ("UPDATE admin_actions SET before = NULL WHERE sequence = 3", (2, 3, "it was changed")),
        ("DELETE FROM admin_actions WHERE sequence = 2", (1, 2, "it is missing")),
        ("DELETE FROM admin_actions WHERE sequence = 3", (2, 3, "the newest acts are missing")),
        ("DELETE FROM admin_actions", (0, 1, "the newest acts are missing")),
        ("DELETE FROM audit_head", (3, 4, "the newest acts are missing")),
    ],
)
def test_what_was_changed_behind_its_back_is_found(app: Flask, statement: str, expected: tuple[int, int, str]) -> None:
    for number in range(3):
        act(app, number)
    tamper(app, statement)
    found = verdict(app)
    assert (found.sealed, found.broken_at, found.reason) == expected


def test_acts_from_before_the_chain_are_told_apart(app: Flask) -> None:
    with app.app_context():
        db.session.add(AdminAction(actor="cli", action_type="OLD", entity_type="USER"))
        db.session.commit()
    act(app)
    assert verdict(app) == audit.Verdict(sealed=1, unsealed=1)
