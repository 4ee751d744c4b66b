"""flask users: what operators do about people, and that the audit log has it."""

import json
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from pixshift.domain.roles import UserRole
from pixshift.extensions import db
from pixshift.models import AdminAction
from tests import factories


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["users", *words])


def acts(app: Flask) -> list[tuple[str, Any, Any, Any]]:
    with app.app_context():
        rows = db.session.scalars(select(AdminAction).order_by(AdminAction.sequence)).all()
        assert all(row.actor.startswith("cli") and row.admin_user_id is None for row in rows)
        return [(row.action_type, row.before, row.after, row.details) for row in rows]


def test_people_are_listed_for_programs(quick: Flask) -> None:
    who, admin = factories.person(quick), factories.person(quick, role=UserRole.ADMIN)
    users = json.loads(run(quick, "list", "--json").output)["users"]
    assert [user["id"] for user in users] == [str(admin.id), str(who.id)]
    assert set(users[0]) >= {"id", "email", "phone", "role", "freeTierUsed", "pricingTier", "suspendedAt", "erasedAt"}
    assert json.loads(run(quick, "list", "--json", "--role", "GUEST").output)["users"][0]["phone"] == who.phone


def test_somebody_is_suspended_and_let_in_again(quick: Flask) -> None:
    who = factories.person(quick)
    result = run(quick, "suspend", who.phone, "--reason", "Asked twice")
    assert (result.exit_code, result.output) == (0, f"{who.id} is suspended.\n")
    assert who.client.get("/api/v1/auth/session").status_code == 401
    assert "suspended" in run(quick, "list").output.splitlines()[1]
    assert "suspended already" in run(quick, "suspend", str(who.id)).output
    assert run(quick, "lift", str(who.id)).output == f"{who.id} can sign in again.\n"
    assert "active" in run(quick, "list").output.splitlines()[1]
    assert run(quick, "lift", who.phone).exit_code == 1
    assert acts(quick) == [
        ("SUSPEND", {"suspended": False}, {"suspended": True}, {"reason": "Asked twice", "ended": 1}),
        ("LIFT", {"suspended": True}, {"suspended": False}, None),
    ]


def test_a_suspended_person_is_erased_when_they_ask_for_it(quick: Flask) -> None:
    who = factories.person(quick)
    run(quick, "suspend", who.phone)
    assert run(quick, "erase", who.phone, "--yes").exit_code == 0
    assert factories.user_row(quick, who.id).erased_at is not None
    assert "erased" in run(quick, "list").output.splitlines()[1]
    assert "was erased" in run(quick, "lift", str(who.id)).output


def test_free_pictures_are_given(quick: Flask) -> None:
    who = factories.person(quick)
    assert "was given 1, 1 in all." in run(quick, "give", who.phone, "--reason", "A gift").output
    assert run(quick, "give", who.phone, "100", "--reason", "A gift").exit_code == 0
    assert factories.user_row(quick, who.id).free_bonus == 101
    assert acts(quick)[1] == ("GIVE_FREE", {"freeBonus": 1}, {"freeBonus": 101}, {"reason": "A gift"})


@pytest.mark.parametrize(
    "words",
    [("0", "--reason", "x"), ("101", "--reason", "x"), ("many", "--reason", "x"), ("1",), ("1", "--reason", " ")],
)
def test_a_gift_out_of_bounds_or_without_a_reason_is_refused(quick: Flask, words: tuple[str, ...]) -> None:
    who = factories.person(quick)
    assert run(quick, "give", who.phone, *words).exit_code in (1, 2)
    assert factories.user_row(quick, who.id).free_bonus == 0


@pytest.mark.parametrize("words", [("suspend",), ("lift",), ("give", "--reason", "x")])
def test_nobody_by_that_name_is_said(quick: Flask, words: tuple[str, ...]) -> None:
    factories.person(quick)
    result = run(quick, words[0], "nobody@example.org", *words[1:])
    assert (result.exit_code, "Nobody has that" in result.output) == (1, True)


def test_the_last_admin_is_not_suspended(quick: Flask) -> None:
    admin = factories.person(quick, role=UserRole.ADMIN)
    assert "last admin" in run(quick, "suspend", admin.phone).output
    assert factories.user_row(quick, admin.id).suspended_at is None
