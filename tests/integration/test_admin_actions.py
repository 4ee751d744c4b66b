"""The audit log as admins and operators read it: its page, its file, its JSON and its commands."""

import csv
import io
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import update

from pixshift.domain.roles import UserRole
from pixshift.extensions import db
from pixshift.models import AdminAction, User
from pixshift.services import audit, audit_log
from pixshift.services.audit import Actor
from tests import factories
from tests.factories import Person
from tests.integration.test_audit import tamper

STYLE = UUID("00000000-0000-4000-8000-000000000001")
HEADINGS = "sequence,timestamp,actor,adminUserId,actionType,entityType,entityId,before,after,details,requestId,id"


@pytest.fixture
def admin(app: Flask) -> Person:
    return factories.person(app, role=UserRole.ADMIN)


@pytest.fixture
def boss(quick: Flask) -> Person:
    """An admin of the application on SQLite."""
    return factories.person(quick, role=UserRole.ADMIN)


def act(app: Flask, action: str = "UPDATE", kind: str = "TRANSFORMATION_TYPE", **more: Any) -> None:
    actor, entity = more.pop("actor", Actor("cli:root")), more.pop("entity", STYLE)
    with app.app_context():
        audit.record(actor, action, kind, entity, more.pop("details", None), **more)
        db.session.commit()


def many(app: Flask, number: int) -> None:
    with app.app_context():
        for turn in range(number):
            audit.record(Actor("seed"), "IMPORT", "TRANSFORMATION_TYPE", None, {"number": turn})
        db.session.commit()


def rows_of(who: Person, url: str = "/admin/actions.csv") -> list[list[str]]:
    answer = who.client.get(url)
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


# --- the page -------------------------------------------------------------------------------------------------------


def test_an_empty_log_says_what_it_is_for(boss: Person) -> None:
    page = boss.client.get("/admin/actions").text
    assert "Nothing was done yet." in page
    assert "0 acts are sealed" in page


def test_the_newest_act_comes_first_with_what_changed(app: Flask, admin: Person) -> None:
    with app.app_context():
        db.session.execute(update(User).where(User.id == admin.id).values(email="dana@example.com"))
        db.session.commit()
    act(app, before={"name": "Crown"}, after={"name": "Tiara"})
    act(app, "ROLE_CHANGE", "USER", entity=admin.id, actor=Actor("admin", admin.id), details={"reason": "holiday"})
    page = admin.client.get("/admin/actions").text
    table = page.partition("<tbody>")[2]
    assert table.index("Role changed") < table.index("<del>Crown</del> → <ins>Tiara</ins>")
    assert "dana@example.com" in table
    assert "cli:root" in table
    assert "holiday" in table
    assert admin.phone not in page


def test_what_has_a_page_is_linked(quick: Flask, boss: Person) -> None:
    pages = {
        "USER": "users", "TRANSFORMATION_TYPE": "transformation-types", "TRANSFORMATION": "transformations",
        "BILLING_RECORD": "billing",
    }  # fmt: skip
    for kind in (*pages, "SOMETHING_ELSE"):
        act(quick, kind=kind)
    act(quick, kind="USER", entity=None)
    page = boss.client.get("/admin/actions").text
    assert all(f'href="/admin/{folder}/{STYLE}"' in page for folder in pages.values())
    assert page.count(f"/{STYLE}") == len(pages)
    assert "Something else" in page


def test_an_admin_without_an_address_is_a_number_with_its_middle_hidden(quick: Flask, boss: Person) -> None:
    act(quick, actor=Actor("admin", boss.id))
    page = boss.client.get("/admin/actions").text
    assert f"+1 ••• ••• {boss.phone[-4:]}" in page
    assert boss.phone not in page


def test_what_an_act_says_is_text(quick: Flask, boss: Person) -> None:
    evil = "<script>alert(1)</script>"
    act(quick, before={evil: evil}, after={evil: evil}, details={evil: evil})
    page = boss.client.get("/admin/actions").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [4, 3, 2, 1]),
        ("actionType=UPDATE", [4, 1]),
        ("entityType=USER", [3, 2]),
        ("entityId=00000000-0000-4000-8000-000000000001", [4, 3, 1]),
        ("who=seed", [2]),
        ("who={admin}", [3]),
        ("who={admin}&actionType=UPDATE", []),
        ("since={today}&until={today}", [4, 3, 2, 1]),
        ("until=2020-01-01", []),
        ("since=9999-12-31&until=9999-12-31", []),
        ("actionType=NEVER_DONE", []),
    ],
)
def test_the_log_is_sifted(app: Flask, admin: Person, query: str, expected: list[int]) -> None:
    act(app)
    act(app, "SUSPEND", "USER", entity=None, actor=Actor("seed"))
    act(app, "ROLE_CHANGE", "USER", actor=Actor("admin", admin.id))
    act(app)
    today = f"{app.extensions['toolbox'].now():%Y-%m-%d}"
    query = query.format(admin=admin.id, today=today)
    found = rows_of(admin, f"/admin/actions.csv?{query}")[1:]
    assert [int(row[0]) for row in found] == expected
    page = admin.client.get(f"/admin/actions?{query}").text
    assert page.count('data-label="Act"') == len(expected)
    names = query.replace("who=seed", "actor=seed").replace("who=", "adminUserId=")
    acts = admin.client.get(f"/api/v1/admin/actions?{names}").json["actions"]
    assert [item["sequence"] for item in acts] == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("actionType=create", "actionType"),
        ("entityId=me", "entityId"),
        ("since=yesterday", "since"),
        ("page=0", "page"),
        ("colour=red", "colour"),
    ],
)
@pytest.mark.parametrize("url", ["/admin/actions", "/admin/actions.csv", "/api/v1/admin/actions"])
def test_a_filter_that_cannot_be_is_named(boss: Person, url: str, query: str, field: str) -> None:
    answer = boss.client.get(f"{url}?{query}")
    assert answer.status_code == 400
    assert field in answer.text


def test_pages_of_fifty(quick: Flask, boss: Person) -> None:
    many(quick, 51)
    first, second = (boss.client.get(f"/admin/actions?who=seed&page={page}").text for page in (1, 2))
    assert (first.count('data-label="Act"'), second.count('data-label="Act"')) == (50, 1)
    assert "/admin/actions?who=seed&amp;page=2" in first
    late = boss.client.get("/admin/actions?page=1000000").text
    assert "There is no page 1,000,000: there are 51 acts." in late
    assert 'href="/admin/actions"' in late


def test_the_chain_is_checked_when_somebody_asks(quick: Flask, boss: Person) -> None:
    many(quick, 3)
    assert "3 acts are sealed" in boss.client.get("/admin/actions").text
    assert "Chain verified up to act 3." in boss.client.get("/admin/actions?check=1").text
    act(quick)
    later = boss.client.get("/admin/actions").text
    assert "Chain verified up to act 3." in later
    assert "1 more since then." in later
    tamper(quick, "UPDATE admin_actions SET actor = 'nobody' WHERE sequence = 2")
    assert "The chain is broken at act 2: it was changed." in boss.client.get("/admin/actions?check=1").text


def test_a_long_chain_is_checked_by_command(quick: Flask, boss: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    many(quick, 3)
    monkeypatch.setattr(audit_log, "LARGEST_CHECK", 2)
    page = boss.client.get("/admin/actions?check=1").text
    assert "<code>flask audit verify</code>" in page
    assert "Check now" not in page
    assert "verified" not in page


def test_reading_is_no_act(quick: Flask, boss: Person) -> None:
    act(quick)
    for url in ("/admin/actions?check=1", "/admin/actions.csv", "/api/v1/admin/actions"):
        assert boss.client.get(url).status_code == 200
    with quick.app_context():
        assert audit_log.count(audit_log.Sieve()) == 1


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_file_is_what_spreadsheets_read(quick: Flask, boss: Person) -> None:
    act(quick, details={"words": 'He said "no", Zoë\nand left'})
    answer = boss.client.get("/admin/actions.csv")
    assert answer.data.startswith(b"\xef\xbb\xbf" + HEADINGS.encode() + b"\r\n")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="pixshift-audit-2')
    row = rows_of(boss)[1]
    assert (row[0], row[2], row[4], row[6]) == ("1", "cli:root", "UPDATE", str(STYLE))
    assert json.loads(row[9]) == {"words": 'He said "no", Zoë\nand left'}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(quick: Flask, boss: Person, start: str) -> None:
    act(quick, actor=Actor(f"{start}HYPERLINK(1)"))
    assert rows_of(boss)[1][2] == f"'{start}HYPERLINK(1)"


def test_the_file_ends_where_it_says(app: Flask, admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.app_context():
        db.session.add(AdminAction(actor="cli", action_type="OLD", entity_type="USER"))
        db.session.commit()
    many(app, 5)
    monkeypatch.setattr(audit_log, "_PIECE", 2)
    assert [row[0] for row in rows_of(admin)[1:]] == ["5", "4", "3", "2", "1", ""]
    monkeypatch.setattr(audit_log, "MOST_ROWS", 3)
    rows = rows_of(admin)[1:]
    assert [row[0] for row in rows[:-1]] == ["5", "4", "3"]
    assert rows[-1] == ["These are the newest 3 of 6 acts. Choose fewer days for the others."]
    assert "The file holds the newest 3 of these 6 acts." in admin.client.get("/admin/actions").text


# --- for programs ---------------------------------------------------------------------------------------------------


def test_the_json_has_the_keys_agreed(app: Flask, admin: Person) -> None:
    act(app, actor=Actor("admin", admin.id), before={"a": 1}, after={"a": 2}, details={"n": "x"})
    body = admin.client.get("/api/v1/admin/actions?page=1&limit=10&actionType=UPDATE").json
    assert body["pagination"] == {"page": 1, "limit": 10, "total": 1}
    found = body["actions"][0]
    assert (found["adminUserId"], found["actionType"], found["entityType"]) == (
        str(admin.id), "UPDATE", "TRANSFORMATION_TYPE",
    )  # fmt: skip
    assert (found["before"], found["after"], found["details"]) == ({"a": 1}, {"a": 2}, {"n": "x"})
    assert (found["sequence"], found["actor"], found["entityId"]) == (1, "admin", str(STYLE))
    assert found["timestamp"].endswith("Z")
    assert set(found) >= {"id", "requestId"}


def test_an_act_of_a_request_knows_its_id(quick: Flask, boss: Person) -> None:
    assert boss.client.get("/api/v1/admin/actions?limit=101").status_code == 400
    assert boss.client.get("/api/v1/admin/actions?page=1000000").json["actions"] == []


# --- commands -------------------------------------------------------------------------------------------------------


def run(app: Flask, *words: str) -> Any:
    return app.test_cli_runner().invoke(args=["audit", *words])


def test_a_whole_chain_is_proven(quick: Flask) -> None:
    many(quick, 2)
    facts = json.loads(run(quick, "verify", "--json").stdout)
    seal = facts.pop("seal")
    assert facts == {"sealed": 2, "unsealed": 0, "brokenAt": None, "reason": None}
    assert run(quick, "verify").output == f"2 acts agree with the chain. Its seal: {seal}\n"
    with quick.app_context():
        db.session.add(AdminAction(actor="cli", action_type="OLD", entity_type="USER"))
        db.session.commit()
    assert "1 from before the chain are not sealed" in run(quick, "verify").output


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_broken_chain_names_the_act(app: Flask, words: list[str]) -> None:
    many(app, 3)
    tamper(app, "DELETE FROM admin_actions WHERE sequence = 2")
    result = run(app, "verify", *words)
    assert result.exit_code == 1
    assert "Error: The chain is broken at act 2: it is missing.\n" in result.stderr
    if words:
        assert json.loads(result.stdout)["brokenAt"] == 2


def test_acts_are_listed(quick: Flask) -> None:
    act(quick, entity=uuid4())
    many(quick, 2)
    lines = run(quick, "list").output.splitlines()
    assert lines[0].split() == ["ACT", "TIME", "WHO", "WHAT", "ON", "ID"]
    assert [line.split()[0] for line in lines[1:]] == ["3", "2", "1"]
    acts = json.loads(run(quick, "list", "--json", "--limit", "1").stdout)["actions"]
    assert [(item["sequence"], item["actor"]) for item in acts] == [(3, "seed")]
