"""What operators type: it does what it says, writes the audit log, and says one line when it cannot."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from click.testing import Result
from flask import Flask
from sqlalchemy import select, update

from pixshift.domain.lifecycle import Status
from pixshift.domain.roles import UserRole
from pixshift.extensions import db
from pixshift.models import AdminAction, Transformation, TransformationType, Upload
from tests import factories, servers
from tests.integration.conftest import MakeApp

COMMANDS = [
    [], ["up"], ["worker"], ["doctor"], ["users"], ["users", "list"], ["users", "promote"], ["users", "demote"],
    ["users", "erase"], ["users", "suspend"], ["users", "lift"], ["users", "give"],
    ["types"],
    ["types", "list"], ["types", "export"], ["types", "import"], ["transformations"], ["transformations", "list"],
    ["transformations", "requeue"], ["transformations", "fail"], ["retention"], ["retention", "sweep"],
    ["retention", "audit"], ["sessions"], ["sessions", "list"], ["sessions", "revoke"], ["sessions", "purge"],
    ["billing"], ["billing", "reconcile"], ["billing", "refund"], ["billing", "unblock"], ["billing", "events"],
    ["audit"], ["audit", "verify"], ["audit", "list"],
]  # fmt: skip


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=list(words))


def refused(app: Flask, *words: str) -> str:
    """What stderr says when a command fails as it should: status 1, one line, nothing on stdout, no traceback."""
    result = run(app, *words)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.stderr.removeprefix("Error: ").strip()


def acts(app: Flask) -> list[tuple[str, str, Any, Any]]:
    with app.app_context():
        rows = db.session.scalars(select(AdminAction).order_by(AdminAction.sequence)).all()
        assert all(row.actor.startswith("cli") for row in rows)
        return [(row.action_type, row.entity_type, row.entity_id, row.after or row.details) for row in rows]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(quick: Flask, words: list[str]) -> None:
    result = run(quick, *words, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert len(result.output.splitlines()) > 3


# --- users ----------------------------------------------------------------------------------------------------------


def test_people_are_listed_with_masked_numbers(app: Flask) -> None:
    who, admin = factories.person(app), factories.person(app, role=UserRole.ADMIN)
    everybody = run(app, "users", "list").output
    assert str(who.id) in everybody
    assert str(admin.id) in everybody
    assert who.phone not in everybody
    assert f"+1 ••• ••• {who.phone[-4:]}" in everybody
    admins = run(app, "users", "list", "--role", "ADMIN").output
    assert (str(admin.id) in admins, str(who.id) in admins) == (True, False)
    assert len(run(app, "users", "list", "--limit", "1").output.splitlines()) == 2


def test_a_person_is_promoted_and_demoted(app: Flask) -> None:
    who, other = factories.person(app), factories.person(app)
    for command, person, role in (
        ("promote", who, "ADMIN"),
        ("promote", other, "ADMIN"),
        ("demote", who, "GUEST"),
    ):
        result = run(app, "users", command, person.phone)
        assert (result.exit_code, result.output) == (0, f"{person.id} is now {role}.\n")
        assert factories.user_row(app, person.id).role.value == role
    assert acts(app) == [
        ("ROLE_CHANGE", "USER", who.id, {"role": "ADMIN"}),
        ("ROLE_CHANGE", "USER", other.id, {"role": "ADMIN"}),
        ("ROLE_CHANGE", "USER", who.id, {"role": "GUEST"}),
    ]


def test_a_person_is_found_however_the_number_is_written(quick: Flask) -> None:
    who = factories.person(quick)
    spaced = f"{who.phone[:2]} {who.phone[2:5]} {who.phone[5:8]} {who.phone[8:]}"
    assert run(quick, "users", "promote", spaced).exit_code == 0


def test_the_last_admin_stays(app: Flask) -> None:
    admin = factories.person(app, role=UserRole.ADMIN)
    assert "last admin" in refused(app, "users", "demote", admin.phone)
    assert "last admin" in refused(app, "users", "promote", admin.phone, "--role", "GUEST")
    assert factories.user_row(app, admin.id).role is UserRole.ADMIN
    assert acts(app) == []


@pytest.mark.parametrize("who", ["nobody@example.org", "+12025550100", "", "%", "' OR 1=1 --"])
def test_nobody_by_that_name_is_said(quick: Flask, who: str) -> None:
    factories.person(quick)
    assert "Nobody has that e-mail or phone number" in refused(quick, "users", "promote", who)


# --- types ----------------------------------------------------------------------------------------------------------


def write(folder: Path, content: Any) -> str:
    file = folder / "types.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return str(file)


def definition(slug: str = "engraving", **changes: Any) -> dict[str, Any]:
    return {"slug": slug, "name": slug.capitalize(), "promptTemplate": factories.PROMPT, **changes}


def test_types_go_out_and_come_in_again(app: Flask, tmp_path: Path) -> None:
    factories.style(app, "engraving", description=None, position=5)
    factories.style(app, "linocut", enabled=False, model="another-model")
    file = tmp_path / "out.yaml"
    assert run(app, "types", "export", str(file)).output == f"2 types written to {file}.\n"
    assert run(app, "types", "import", str(file)).output == "0 added, 1 changed.\n"
    content = yaml.safe_load(file.read_text("utf-8"))
    assert [item["slug"] for item in content["types"]] == ["engraving", "linocut"]
    content["types"][0]["name"] = "Copperplate"
    content["types"].append(definition("pop-art"))
    assert run(app, "types", "import", write(tmp_path, content)).output == "1 added, 1 changed.\n"
    listed = run(app, "types", "list").output
    assert "Copperplate" in listed
    assert "pop-art" in listed
    assert acts(app)[-1] == ("IMPORT", "TRANSFORMATION_TYPE", None, {"added": 1, "changed": 1})


def test_the_seeds_can_be_imported(quick: Flask) -> None:
    import pixshift.cli.types as types

    assert run(quick, "types", "import", str(types.SEEDS)).output == "10 added, 0 changed.\n"


def test_two_types_may_swap_their_names(app: Flask, tmp_path: Path) -> None:
    both = [definition("a-type", name="First"), definition("b-type", name="Second")]
    run(app, "types", "import", write(tmp_path, {"types": both}))
    swapped = [definition("a-type", name="Second"), definition("b-type", name="First")]
    assert run(app, "types", "import", write(tmp_path, {"types": swapped})).output == "0 added, 2 changed.\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("types: [", "is not YAML"),
        ("types: !!python/object/apply:os.system ['true']", "is not YAML"),
        ("", "must hold a list called types"),
        ("- 1", "must hold a list called types"),
        ({"types": {"a": 1}}, "must hold a list called types"),
        ({"types": [1]}, "type 1"),
        ({"types": [definition(), definition(name="Other")]}, "slug engraving"),
        ({"types": [definition(), definition("linocut", name="Engraving")]}, "name Engraving"),
        ({"types": [definition(), definition("linocut", colour="red")]}, "type 2 (linocut): colour: this field is not"),
        ({"types": [{"slug": "x"}]}, "type 1 (x): name: this field is required"),
        ({"types": [definition("Not A Slug")]}, "slug"),
        ({"types": [definition(promptTemplate="short")]}, "promptTemplate"),
        ({"types": [definition(enabled="perhaps")]}, "enabled"),
        ({"types": [definition(position=-1)]}, "position"),
        ({"types": [definition(name="x" * 81)]}, "name"),
        ({"types": [definition("linocut", name="Taken")]}, "name Taken"),
    ],
)  # fmt: skip
def test_a_file_with_a_mistake_changes_nothing_and_says_where(
    quick: Flask, tmp_path: Path, content: Any, words: str
) -> None:
    factories.style(quick, "there-already", name="Taken")
    assert words in refused(quick, "types", "import", write(tmp_path, content))
    with quick.app_context():
        assert [kind.slug for kind in db.session.scalars(select(TransformationType))] == ["there-already"]
    assert acts(quick) == []


def test_a_file_that_cannot_be_written_or_read_is_said(quick: Flask, tmp_path: Path) -> None:
    assert "nowhere" in refused(quick, "types", "export", str(tmp_path / "nowhere" / "types.yaml"))
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "is not YAML" in refused(quick, "types", "import", str(binary))
    missing = run(quick, "types", "import", str(tmp_path / "missing.yaml"))
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "does not exist" in missing.stderr


# --- transformations ------------------------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app)
    first, second = factories.job(who, kind), factories.job(who, kind)
    lines = run(app, "transformations", "list").output.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [str(second), str(first)]
    assert str(first) in run(app, "transformations", "list", "--status", "PENDING").output
    assert len(run(app, "transformations", "list", "--status", "FAILED").output.splitlines()) == 1


def test_a_job_is_ended_and_given_another_chance(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app)
    job_id = factories.job(who, kind)
    assert "its owner was not charged" in run(app, "transformations", "fail", str(job_id)).output
    assert factories.row(app, job_id).status is Status.FAILED
    assert factories.user_row(app, who.id).free_tier_used == 0
    assert "already ended" in refused(app, "transformations", "fail", str(job_id))
    assert run(app, "transformations", "requeue", str(job_id)).output == f"{job_id} waits again.\n"
    assert "Only a failed job" in refused(app, "transformations", "requeue", str(job_id))
    factories.work(app)
    assert factories.row(app, job_id).status is Status.COMPLETED
    assert factories.user_row(app, who.id).free_tier_used == 0
    assert [act[:3] for act in acts(app)] == [("FAIL", "TRANSFORMATION", job_id), ("REQUEUE", "TRANSFORMATION", job_id)]


def test_a_job_without_its_photo_cannot_be_requeued(quick: Flask) -> None:
    who = factories.person(quick)
    job_id = factories.job(who, factories.style(quick))
    run(quick, "transformations", "fail", str(job_id))
    who.client.post(f"/transformations/{job_id}/delete", headers=who.headers)
    assert "photo of this job is deleted" in refused(quick, "transformations", "requeue", str(job_id))


@pytest.mark.parametrize("command", ["requeue", "fail"])
def test_a_job_that_is_not_there_is_said(quick: Flask, command: str) -> None:
    assert "no job with this id" in refused(quick, "transformations", command, str(uuid4()))
    assert run(quick, "transformations", command, "not-an-id").exit_code == 1


# --- retention, doctor ----------------------------------------------------------------------------------------------


def test_a_sweep_deletes_what_is_due(app: Flask) -> None:
    who = factories.person(app)
    factories.picture(app, who, factories.style(app))
    assert run(app, "retention", "sweep").output == "0 deleted.\n"
    with app.app_context():
        for model in (Transformation, Upload):
            db.session.execute(update(model).values(delete_due_at=model.created_at))
        db.session.commit()
    assert run(app, "retention", "sweep").output == "2 deleted.\n"


def test_doctor_finds_everything_well(app: Flask) -> None:
    result = run(app, "doctor")
    assert result.exit_code == 0
    for part in ("configuration", "database", "queue", "storage", "deletion", "jobs", "image model", "SMS"):
        assert part in result.output
    assert "WRONG" not in result.output


def test_programs_read_what_the_doctor_and_the_types_say(quick: Flask) -> None:
    style = factories.style(quick, model="gemini-x")
    parts = {part["name"]: part for part in json.loads(run(quick, "doctor", "--json").stdout)["parts"]}
    assert parts["configuration"] == {"name": "configuration", "ok": True, "says": "test"}
    assert parts["migrations"]["ok"]
    (kind,) = json.loads(run(quick, "types", "list", "--json").stdout)["types"]
    assert (kind["id"], kind["slug"], kind["model"], kind["enabled"]) == (str(style), "engraving", "gemini-x", True)


def test_doctor_finds_pictures_that_are_overdue_and_jobs_that_nobody_takes(app: Flask) -> None:
    who, style = factories.person(app), factories.style(app)
    factories.picture(app, who, style)
    factories.job(who, style)
    with app.app_context():
        long_ago = datetime.now(UTC) - timedelta(minutes=9)
        db.session.execute(update(Transformation).values(delete_due_at=long_ago, due_at=long_ago))
        db.session.commit()
    result = run(app, "doctor")
    assert result.exit_code == 1
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "WRONG  1 overdue, for up to 9 min" in lines["deletion"]
    assert "WRONG  1 wait, for up to 9 min" in lines["jobs"]


def test_doctor_finds_an_empty_database(make_app: MakeApp, empty_database_url: str) -> None:
    result = run(make_app(DATABASE_URL=empty_database_url), "doctor")
    assert (result.exit_code, result.stderr) == (1, "Error: Something is wrong; the table says what.\n")
    assert re.search(r"database +WRONG", result.stdout)


def test_doctor_finds_a_queue_that_is_away(make_app: MakeApp, sqlite_url: str) -> None:
    away = make_app(DATABASE_URL=sqlite_url, REDIS_URL=f"redis://127.0.0.1:{servers.free_port()}")
    result = run(away, "doctor")
    assert result.exit_code == 1
    assert re.search(r"queue +WRONG", result.stdout)


@pytest.mark.parametrize(
    "words", [["users", "list"], ["types", "list"], ["transformations", "list"], ["retention", "sweep"]]
)
def test_without_its_tables_a_command_says_so_in_one_line(
    make_app: MakeApp, empty_sqlite_url: str, words: list[str]
) -> None:
    assert "database" in refused(make_app(DATABASE_URL=empty_sqlite_url), *words)


def test_without_its_database_a_command_says_so_in_one_line(make_app: MakeApp) -> None:
    url = f"postgresql://nobody:database-secret@127.0.0.1:{servers.free_port()}/x"
    said = refused(make_app(DATABASE_URL=url), "users", "list")
    assert "database" in said
    assert "secret" not in said
