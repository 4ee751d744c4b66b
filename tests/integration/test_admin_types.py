"""Styles at the desk: listed with their figures, added, changed by two at once, offered, ordered, removed."""

import re
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import event, insert, select, update

from pixshift.domain.lifecycle import BillingStatus, Reservation, Stage, Status
from pixshift.domain.roles import UserRole
from pixshift.extensions import db
from pixshift.models import AdminAction, Attempt, BillingRecord, PromptVersion, Transformation, TransformationType
from pixshift.services import audit, type_edits, type_figures
from pixshift.services.audit import Actor
from tests import factories
from tests.factories import Person

PAGES = "/admin/transformation-types"
API = "/api/v1/admin/transformation-types"
PROMPT = "Turn this photo into a linocut. Keep every face as it is."


@pytest.fixture
def boss(quick: Flask) -> Person:
    """An admin, where no database decides."""
    return factories.person(quick, role=UserRole.ADMIN)


def kind_of(app: Flask, type_id: UUID | str) -> TransformationType:
    with app.app_context():
        return db.session.scalars(select(TransformationType).where(TransformationType.id == UUID(str(type_id)))).one()


def acts(app: Flask, type_id: UUID | str) -> list[AdminAction]:
    with app.app_context():
        mine = select(AdminAction).where(AdminAction.entity_id == UUID(str(type_id)))
        return list(db.session.scalars(mine.order_by(AdminAction.sequence)))


def post(who: Person, path: str, **form: Any) -> Any:
    return who.client.post(f"{PAGES}{path}", data=form, headers=who.headers)


def typed(page: str, name: str) -> str:
    """The value that a page's input holds."""
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', page)
    assert found, name
    return found[1]


# --- the API --------------------------------------------------------------------------------------------------------


def test_a_program_adds_reads_changes_and_removes_a_style(quick: Flask, boss: Person) -> None:
    body = {"name": "Person delivering speech", "description": "On a stage.", "promptTemplate": PROMPT}
    made = boss.client.post(API, json=body, headers=boss.headers)
    assert (made.status_code, made.json["success"]) == (201, True)
    kind = made.json["type"]
    assert (kind["name"], kind["enabled"], kind["usageCount"], kind["version"]) == (body["name"], True, 0, 1)
    assert (kind["slug"], kind["model"], kind["aspectRatio"]) == ("person-delivering-speech", None, None)

    listed = boss.client.get(API).json["types"]
    assert [(one["id"], one["promptTemplate"]) for one in listed] == [(kind["id"], PROMPT)]

    path = f"{API}/{kind['id']}"
    part = boss.client.put(path, json={"enabled": False, "aspectRatio": "3:2"}, headers=boss.headers).json["type"]
    assert (part["enabled"], part["aspectRatio"], part["name"], part["version"]) == (False, "3:2", body["name"], 1)
    again = boss.client.put(path, json={"promptTemplate": PROMPT + " In red."}, headers=boss.headers).json["type"]
    assert (again["version"], again["promptTemplate"]) == (2, PROMPT + " In red.")

    assert boss.client.delete(path, headers=boss.headers).json == {"success": True}
    assert boss.client.get(API).json["types"] == []
    assert boss.client.delete(path, headers=boss.headers).status_code == 404
    assert [act.action_type for act in acts(quick, kind["id"])] == ["CREATE", "UPDATE", "UPDATE", "DELETE"]
    with quick.app_context():
        assert audit.verify().broken_at is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "x" * 10_000}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "bell\u0007"}, "name"),
        ({"name": "turned \u202e round"}, "name"),
        ({"name": None}, "name"),
        ({"description": "x" * 501}, "description"),
        ({"promptTemplate": "too few"}, "promptTemplate"),
        ({"promptTemplate": "x" * 8001}, "promptTemplate"),
        ({"promptTemplate": "x" * 10_000}, "promptTemplate"),
        ({"promptTemplate": "with an escape \u001b in it"}, "promptTemplate"),
        ({"aspectRatio": "7:5"}, "aspectRatio"),
        ({"model": "a model nobody knows"}, "model"),
        ({"position": -1}, "position"),
        ({"enabled": None}, "enabled"),
        ({"slug": "mine"}, "slug"),
    ],
)
def test_what_no_style_can_be_is_refused_and_its_field_named(
    quick: Flask, boss: Person, change: dict[str, Any], field: str
) -> None:
    kind = factories.style(quick)
    for answer in (
        boss.client.post(API, json={"name": "New", "promptTemplate": PROMPT, **change}, headers=boss.headers),
        boss.client.put(f"{API}/{kind}", json=change, headers=boss.headers),
    ):
        error = factories.error_of(answer)
        assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "VALIDATION_ERROR", field)
    assert len(boss.client.get(API).json["types"]) == 1
    assert acts(quick, kind) == []


def test_limits_are_named(quick: Flask, boss: Person) -> None:
    body = {"name": "x" * 81, "promptTemplate": "x" * 10_000, "description": "x" * 501}
    fields = factories.error_of(boss.client.post(API, json=body, headers=boss.headers))["details"]["fields"]
    assert fields == {
        "name": "must have 1 to 80 characters, not 81",
        "description": "may have at most 500 characters, not 501",
        "promptTemplate": "must have 10 to 8,000 characters, not 10,000",
    }
    most = {"name": "x" * 80, "promptTemplate": "x" * 8000, "description": "x" * 500}
    assert boss.client.post(API, json=most, headers=boss.headers).status_code == 201


@pytest.mark.parametrize("name", ["Engraving", "  engraving ", "ENGRAVING", "Ｅngraving"])
def test_a_name_that_people_would_take_for_another_is_refused(quick: Flask, boss: Person, name: str) -> None:
    factories.style(quick)
    other = factories.style(quick, "linocut")
    answers = [
        boss.client.post(API, json={"name": name, "promptTemplate": PROMPT}, headers=boss.headers),
        boss.client.put(f"{API}/{other}", json={"name": name}, headers=boss.headers),
        post(boss, "", name=name, promptTemplate=PROMPT),
    ]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert "Another style has this name" in answers[2].text
    assert kind_of(quick, other).name == "Linocut"


def test_a_name_may_change_its_case_and_the_slug_stays(quick: Flask, boss: Person) -> None:
    kind = factories.style(quick)
    answer = boss.client.put(f"{API}/{kind}", json={"name": "ENGRAVING"}, headers=boss.headers)
    assert (answer.json["type"]["name"], answer.json["type"]["slug"]) == ("ENGRAVING", "engraving")


def test_slugs_are_plain_and_their_own(quick: Flask, boss: Person) -> None:
    factories.style(quick, "oil")
    names = ["Oil!", "Öl", "水彩", "油彩", "x" * 80]
    slugs = [
        boss.client.post(API, json={"name": name, "promptTemplate": PROMPT}, headers=boss.headers).json["type"]["slug"]
        for name in names
    ]
    assert slugs == ["oil-2", "ol", "style", "style-2", "x" * 35]


def test_a_style_that_was_used_cannot_be_deleted(app: Flask) -> None:
    boss, guest = factories.person(app, role=UserRole.ADMIN), factories.person(app)
    kind = factories.style(app)
    job = factories.job(guest, kind)
    answer = boss.client.delete(f"{API}/{kind}", headers=boss.headers)
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert "Disable it instead" in error["message"]
    page = boss.client.get(f"{PAGES}/{kind}/delete")
    assert "It was used once, so it can only be disabled." in page.text
    tried = post(boss, f"/{kind}/delete")
    assert (tried.status_code, "Disable it instead" in tried.text) == (400, True)
    assert factories.row(app, job).transformation_type_id == kind
    assert acts(app, kind) == []


def test_a_style_goes_with_its_versions(app: Flask) -> None:
    boss = factories.person(app, role=UserRole.ADMIN)
    made = boss.client.post(API, json={"name": "Short-lived", "promptTemplate": PROMPT}, headers=boss.headers)
    kind = made.json["type"]["id"]
    assert "Delete Short-lived?" in boss.client.get(f"{PAGES}/{kind}/delete").text
    assert post(boss, f"/{kind}/delete").status_code == 303
    with app.app_context():
        assert db.session.scalars(select(PromptVersion)).all() == []
    gone = [boss.client.get(f"{PAGES}/{kind}{path}").status_code for path in ("", "/delete")]
    gone += [post(boss, f"/{kind}{path}", name="x").status_code for path in ("", "/delete", "/move", "/offer")]
    assert gone == [404, 404, 404, 404, 400, 400]


# --- pages ----------------------------------------------------------------------------------------------------------


def test_a_style_is_made_and_edited_with_plain_forms(quick: Flask, boss: Person) -> None:
    form = {"name": "Linocut", "description": "", "promptTemplate": PROMPT, "model": "", "aspectRatio": "3:2"}
    made = post(boss, "", **form, enabled="true")
    assert made.status_code == 303
    path = made.headers["Location"].removeprefix(PAGES)
    page = boss.client.get(f"{PAGES}{path}").text
    assert PROMPT in page
    change = {**form, "promptTemplate": PROMPT + "\r\nNo text.", "reason": "Captions crept in."}
    saved = post(boss, path, **change, edits=typed(page, "edits"))
    assert (saved.status_code, saved.headers["Location"]) == (303, PAGES)
    kind = kind_of(quick, path[1:])
    assert (kind.enabled, kind.prompt_version, kind.aspect_ratio) == (False, 2, "3:2")
    assert kind.prompt_template == PROMPT + "\nNo text."
    last = acts(quick, kind.id)[-1]
    assert (last.action_type, last.details) == ("UPDATE", {"edits": 2, "reason": "Captions crept in."})
    assert last.before == {"enabled": True, "promptVersion": 1}
    assert last.after == {"enabled": False, "promptVersion": 2}


def test_a_new_style_comes_last_unless_its_place_is_named(quick: Flask, boss: Person) -> None:
    factories.style(quick, position=70)
    assert "A new style" in boss.client.get(f"{PAGES}/new").text
    for name, place in (("Last", {}), ("First", {"position": 1})):
        boss.client.post(API, json={"name": name, "promptTemplate": PROMPT, **place}, headers=boss.headers)
    listed = [(one["name"], one["position"]) for one in boss.client.get(API).json["types"]]
    assert listed == [("First", 1), ("Engraving", 70), ("Last", 80)]


def test_saving_what_is_there_already_changes_nothing(quick: Flask, boss: Person) -> None:
    kind = factories.style(quick)
    form = {"name": "Engraving", "description": "As engraving.", "promptTemplate": factories.PROMPT, "enabled": "true"}
    assert post(boss, f"/{kind}", **form, edits="0").status_code == 303
    assert (kind_of(quick, kind).edits, acts(quick, kind)) == (0, [])


def test_a_form_with_faults_comes_back_filled_and_marked(quick: Flask, boss: Person) -> None:
    answer = post(boss, "", name="", promptTemplate="<b>short", description="Typed with <i>care</i>.")
    assert answer.status_code == 400
    assert "Name must have 1 to 80 characters, not 0." in answer.text
    assert "Prompt must have 10 to 8,000 characters, not 8." in answer.text
    assert "Typed with &lt;i&gt;care&lt;/i&gt;." in answer.text
    assert "<title>Error:" in answer.text


def test_markup_is_text_everywhere(quick: Flask, boss: Person) -> None:
    evil = "<script>alert(1)</script>"
    kind = factories.style(quick, name=evil, description=evil, prompt_template=f"Prompt with {evil}.")
    for path in (PAGES, f"{PAGES}/{kind}", f"{PAGES}/{kind}/delete", "/admin/lab"):
        text = boss.client.get(path).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text, path


def test_the_switch_turns_a_style_off_and_on(quick: Flask, boss: Person) -> None:
    kind, guest = factories.style(quick), factories.person(quick)
    offered = lambda: len(guest.client.get("/api/v1/transformation-types").json["types"])  # noqa: E731
    assert (offered(), 'aria-checked="true"' in boss.client.get(PAGES).text) == (1, True)
    off = post(boss, f"/{kind}/offer", enabled="false")
    assert (off.status_code, off.headers["Location"]) == (303, PAGES)
    assert (offered(), 'aria-checked="false"' in boss.client.get(PAGES).text) == (0, True)
    part = boss.client.post(
        f"{PAGES}/{kind}/offer",
        data={"enabled": "true"},
        headers={**boss.headers, "HX-Request": "true"},
        follow_redirects=True,
    )
    assert offered() == 1
    assert part.text.strip().startswith('<div id="types">')
    assert [act.action_type for act in acts(quick, kind)] == ["DISABLE", "ENABLE"]
    assert post(boss, f"/{kind}/offer", enabled="perhaps").status_code == 400


def test_styles_are_moved_up_and_down(quick: Flask, boss: Person) -> None:
    kinds = [factories.style(quick, slug, position=5) for slug in ("a", "b", "c")]

    def order() -> list[str]:
        return [one["slug"] for one in boss.client.get(API).json["types"]]

    assert post(boss, f"/{kinds[2]}/move", step="-1").status_code == 303
    assert order() == ["a", "c", "b"]
    post(boss, f"/{kinds[0]}/move", step="1")
    assert order() == ["c", "a", "b"]
    for kind, step in ((kinds[1], "1"), (kinds[2], "-1")):  # at the end already
        assert post(boss, f"/{kind}/move", step=step).status_code == 303
    assert order() == ["c", "a", "b"]
    assert post(boss, f"/{uuid4()}/move", step="1").status_code == 404
    for step in ("7", "0", "x", ""):
        assert post(boss, f"/{kinds[0]}/move", step=step).status_code == 400


def test_without_styles_the_list_says_so(quick: Flask, boss: Person) -> None:
    assert "There are no styles" in boss.client.get(PAGES).text


def test_nobody_without_the_token_or_the_role_changes_a_style(quick: Flask, boss: Person) -> None:
    kind, guest = factories.style(quick), factories.person(quick)
    assert boss.client.post(f"{PAGES}/{kind}/offer", data={"enabled": "false"}).status_code == 403
    assert boss.client.put(f"{API}/{kind}", json={"enabled": False}).status_code == 403
    assert guest.client.put(f"{API}/{kind}", json={"enabled": False}, headers=guest.headers).status_code == 403
    assert guest.client.get(PAGES).status_code == 403
    assert quick.test_client().get(API).status_code == 401
    assert kind_of(quick, kind).enabled


def test_a_file_carries_the_shape_and_an_import_keeps_the_versions(quick: Flask, boss: Person, tmp_path: Path) -> None:
    body = {"name": "Linocut", "promptTemplate": PROMPT, "aspectRatio": "4:5"}
    kind = boss.client.post(API, json=body, headers=boss.headers).json["type"]["id"]
    file, runner = tmp_path / "types.yaml", quick.test_cli_runner()
    assert runner.invoke(args=["types", "export", str(file)]).exit_code == 0
    text = file.read_text("utf-8")
    assert "aspectRatio: '4:5'" in text or "aspectRatio: 4:5" in text
    assert runner.invoke(args=["types", "import", str(file)]).output == "0 added, 0 changed.\n"
    file.write_text(text.replace("a linocut", "a woodcut").replace("4:5", "16:9"), "utf-8")
    assert runner.invoke(args=["types", "import", str(file)]).output == "0 added, 1 changed.\n"
    changed = kind_of(quick, kind)
    assert (changed.aspect_ratio, changed.prompt_version, changed.edits) == ("16:9", 2, 2)
    with quick.app_context():
        texts = db.session.scalars(select(PromptVersion.prompt_template).order_by(PromptVersion.number)).all()
    assert texts == [PROMPT, PROMPT.replace("a linocut", "a woodcut")]
    file.write_text(text.replace("4:5", "7:5"), "utf-8")
    refused = runner.invoke(args=["types", "import", str(file)])
    assert (refused.exit_code, "aspectRatio" in refused.output) == (1, True)


# --- two at once ----------------------------------------------------------------------------------------------------


def test_the_second_editor_is_told_keeps_what_he_typed_and_saves_on_top(app: Flask) -> None:
    one, other = (factories.person(app, role=UserRole.ADMIN) for _ in range(2))
    kind = factories.style(app)
    pages = [who.client.get(f"{PAGES}/{kind}").text for who in (one, other)]
    first = {"name": "Copperplate", "promptTemplate": PROMPT, "enabled": "true", "description": "As engraving."}
    assert post(one, f"/{kind}", **first, edits=typed(pages[0], "edits")).status_code == 303

    second = {**first, "name": "Steel engraving", "description": "Typed by the second.", "aspectRatio": "1:1"}
    told = post(other, f"/{kind}", **second, edits=typed(pages[1], "edits"))
    assert told.status_code == 409
    assert "Somebody else changed this style" in told.text
    assert "Engraving → Copperplate" in " ".join(re.sub(r"<[^>]+>", "", told.text).split())
    assert (typed(told.text, "name"), "Typed by the second." in told.text) == ("Steel engraving", True)
    assert kind_of(app, kind).name == "Copperplate"

    assert post(other, f"/{kind}", **second, edits=typed(told.text, "edits")).status_code == 303
    saved = kind_of(app, kind)
    assert (saved.name, saved.edits, saved.prompt_version, saved.aspect_ratio) == ("Steel engraving", 2, 1, "1:1")


def test_of_two_saves_in_the_same_moment_one_is_told(app: Flask) -> None:
    kind, actor, barrier = factories.style(app), Actor("admin"), threading.Barrier(2)
    ends: list[str] = []

    def save(name: str) -> None:
        with app.app_context():
            barrier.wait()
            try:
                tools = app.extensions["toolbox"]
                type_edits.update(tools, actor, kind, edits=0, name=name, prompt_template=f"{PROMPT} {name}")
                ends.append("saved")
            except Exception as error:
                ends.append(type(error).__name__ + str(getattr(error, "status", "")))

    both(save, ["First", "Second"])
    assert sorted(ends) == ["InvalidInput409", "saved"]
    assert (kind_of(app, kind).edits, len(acts(app, kind))) == (1, 1)


def test_of_two_styles_of_one_name_in_the_same_moment_one_is_made(app: Flask) -> None:
    barrier, ends = threading.Barrier(2), []

    def add(name: str) -> None:
        with app.app_context():
            barrier.wait()
            try:
                type_edits.create(app.extensions["toolbox"], Actor("admin"), name=name, prompt_template=PROMPT)
                ends.append("made")
            except Exception as error:
                ends.append(getattr(error, "field", repr(error)))

    both(add, ["Linocut", "LINOCUT"])
    assert sorted(ends) == ["made", "name"]
    with app.app_context():
        assert len(db.session.scalars(select(TransformationType)).all()) == 1


def both(act: Any, values: list[Any]) -> None:
    threads = [threading.Thread(target=act, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


# --- figures --------------------------------------------------------------------------------------------------------


def ended(app: Flask, user: UUID, kind: UUID, seconds: float, reason: str | None = None, **changes: Any) -> UUID:
    """A job of two days ago."""
    at = app.extensions["toolbox"].now() - timedelta(days=2)
    job = Transformation(
        id=uuid4(),
        user_id=user,
        transformation_type_id=kind,
        original_image_url="x",
        status=Status.FAILED if reason else Status.COMPLETED,
        stage=Stage.READY,
        failure_reason=reason,
        result_bytes=None if reason else 9,
        reservation=Reservation.SETTLED,
        created_at=changes.pop("created_at", at),
        started_at=at,
        finished_at=at + timedelta(seconds=seconds),
        **changes,
    )
    with app.app_context():
        db.session.add(job)
        db.session.flush()
        db.session.add(Attempt(transformation_id=job.id, number=1, started_at=at, cost=Decimal("0.05")))
        db.session.commit()
        return job.id


def test_figures_are_of_thirty_days_and_of_people(app: Flask) -> None:
    guest, kind = factories.person(app), factories.style(app)
    quiet = factories.style(app, "quiet")
    jobs = [ended(app, guest.id, kind, seconds) for seconds in range(1, 11)]
    ended(app, guest.id, kind, 1, "PICTURE_BLOCKED")
    ended(app, guest.id, kind, 1, "TIMEOUT")
    ended(app, guest.id, kind, 1, "CANCELLED")
    long_ago = app.extensions["toolbox"].now() - timedelta(days=31)
    ended(app, guest.id, kind, 99, created_at=long_ago)
    paid = {"user_id": guest.id, "description": "x", "amount": Decimal("0.99"), "currency": "USD"}
    with app.app_context():
        for job in jobs[:2]:
            db.session.execute(
                insert(BillingRecord).values(
                    id=uuid4(), transformation_id=job, captured=Decimal("0.99"), refunded=0,
                    status=BillingStatus.COMPLETED, created_at=long_ago + timedelta(days=29), **paid,
                )
            )  # fmt: skip
        db.session.commit()
        rows = {row.kind.id: row.figures for row in type_figures.table(app.extensions["toolbox"])}
        counted = type_figures.usage()
    figures = rows[kind]
    assert (figures.used, figures.p90) == (13, pytest.approx(9, abs=0.001))
    assert figures.blocked == pytest.approx(1 / 12)
    assert figures.not_made == pytest.approx(2 / 12)
    each = Decimal("0.05") * 13 / 10  # what all calls cost, by the ten pictures that came of them
    assert figures.margin == pytest.approx(Decimal("0.99") - each, abs=Decimal("0.0001"))
    assert rows[quiet] == type_figures.Figures()
    assert (counted[kind], figures.fails_often) == (14, True)


def test_the_table_asks_as_often_for_many_styles_as_for_one(quick: Flask, boss: Person) -> None:
    def asked() -> int:
        count = []
        with quick.app_context():
            listen = lambda *_: count.append(1)  # noqa: E731
            event.listen(db.engine, "before_cursor_execute", listen)
            assert boss.client.get(PAGES).status_code == 200
            event.remove(db.engine, "before_cursor_execute", listen)
        return len(count)

    factories.style(quick)
    boss.client.get(PAGES)
    few = asked()
    for number in range(40):
        factories.style(quick, f"style-{number}")
    assert asked() == few


def test_a_style_keeps_a_model_that_is_not_known_any_more(quick: Flask, boss: Person) -> None:
    kind = factories.style(quick, model="an-old-model")
    page = boss.client.get(f"{PAGES}/{kind}").text
    assert '<option value="an-old-model" selected>' in page
    form = {"name": "Engraving", "promptTemplate": PROMPT, "model": "an-old-model", "enabled": "true"}
    assert post(boss, f"/{kind}", **form, edits="0").status_code == 303
    form["model"] = "another-unknown"
    refused = post(boss, f"/{kind}", **form, edits=str(kind_of(quick, kind).edits))
    assert (refused.status_code, "This model is not known here" in refused.text) == (400, True)
    with quick.app_context():
        db.session.execute(update(TransformationType).values(model=None))
        db.session.commit()
    known = quick.extensions["toolbox"].settings.gemini.known_models
    answer = boss.client.put(f"{API}/{kind}", json={"model": known[-1]}, headers=boss.headers)
    assert answer.json["type"]["model"] == known[-1]
