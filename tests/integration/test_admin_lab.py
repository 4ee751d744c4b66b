"""The prompt lab: drafts, runs on sample photos, votes, publishing and going back; real workers, real pictures."""

import io
import re
import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select, update

from pixshift.domain.lifecycle import Status
from pixshift.domain.roles import UserRole
from pixshift.extensions import db
from pixshift.models import (
    AdminAction,
    BillingRecord,
    LabRun,
    LabVote,
    PromptVersion,
    Transformation,
    TransformationType,
    Upload,
)
from pixshift.services import audit, lab, leases, prompts, type_figures
from pixshift.services.audit import Actor
from tests import factories
from tests.factories import Person
from tests.integration.conftest import MakeApp
from tests.stand_ins.gemini import GeminiStandIn

FIRST = "Redraw this photo as a banknote engraving. Use bold parallel lines. Dark blue ink on cream paper."
SECOND = "Redraw this photo as a banknote engraving. Use fine lines that follow the form. Dark blue ink on cream paper."


@pytest.fixture
def boss(quick: Flask) -> Person:
    return factories.person(quick, role=UserRole.ADMIN)


def style(who: Person, name: str = "Engraving", prompt: str = FIRST) -> UUID:
    """A style made the product's own way, so that its prompt has its version 1."""
    body = {"name": name, "promptTemplate": prompt}
    made = who.client.post("/api/v1/admin/transformation-types", json=body, headers=who.headers)
    assert made.status_code == 201, made.text
    return UUID(made.json["type"]["id"])


def post(who: Person, kind: UUID, path: str, **form: Any) -> Any:
    return who.client.post(f"/admin/lab/{kind}{path}", data=form, headers=who.headers)


def draft(who: Person, kind: UUID, prompt: str = SECOND) -> None:
    assert post(who, kind, "/drafts", promptTemplate=prompt).status_code == 303


def run(who: Person, kind: UUID, versions: list[int], photos: list[str]) -> UUID:
    answer = post(who, kind, "/runs", versions=versions, photos=photos)
    assert answer.status_code == 303, answer.text
    return UUID(re.search(r"run=([0-9a-f-]{36})", answer.headers["Location"])[1])


def jobs_of(app: Flask, run_id: UUID) -> list[Transformation]:
    with app.app_context():
        mine = select(Transformation).where(Transformation.lab_run_id == run_id)
        return list(db.session.scalars(mine.order_by(Transformation.created_at)))


def kind_of(app: Flask, kind: UUID) -> TransformationType:
    with app.app_context():
        return db.session.scalars(select(TransformationType).where(TransformationType.id == kind)).one()


def last_act(app: Flask) -> AdminAction:
    with app.app_context():
        return db.session.scalars(select(AdminAction).order_by(AdminAction.sequence.desc()).limit(1)).one()


def count(app: Flask, model: Any) -> int:
    with app.app_context():
        return int(db.session.scalar(select(func.count()).select_from(model)) or 0)


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


# --- drafts and the difference --------------------------------------------------------------------------------------


def test_a_draft_is_kept_shown_beside_the_live_one_and_served_to_nobody(quick: Flask, boss: Person) -> None:
    kind = style(boss)
    answer = post(boss, kind, "/drafts", promptTemplate=SECOND)
    assert answer.headers["Location"] == f"/admin/lab/{kind}?version=2"
    page = boss.client.get(answer.headers["Location"]).text
    assert re.search(r'is-gone".*?<del>Use bold parallel lines\.</del>', page)
    assert re.search(r'is-new".*?<ins>Use fine lines that follow the form\.</ins>', page)
    assert "gone: " in page
    assert kind_of(quick, kind).prompt_template == FIRST
    assert (last_act(quick).action_type, last_act(quick).details) == ("DRAFT", {"promptVersion": 2})
    listed = text_of(boss.client.get("/admin/lab").text)
    assert "Engraving 1 1 –" in listed


@pytest.mark.parametrize("prompt", ["", "short", "x" * 8001, "x" * 10_000, "with \u0007 a bell"])
def test_a_draft_that_no_prompt_can_be_comes_back_as_it_was_typed(quick: Flask, boss: Person, prompt: str) -> None:
    kind = style(boss)
    answer = post(boss, kind, "/drafts", promptTemplate=prompt)
    assert (answer.status_code, count(quick, PromptVersion)) == (400, 1)
    assert prompt in answer.text


def test_markup_in_a_prompt_is_text(quick: Flask, boss: Person) -> None:
    kind = style(boss)
    draft(boss, kind, "Draw <img src=x onerror=alert(1)> and </textarea><script>alert(2)</script>.")
    page = boss.client.get(f"/admin/lab/{kind}?version=2").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize("query", ["?version=9", "?version=x", "?run=x", f"?run={UUID(int=0)}", "?page=2"])
def test_what_the_lab_does_not_have_is_refused(boss: Person, query: str) -> None:
    assert boss.client.get(f"/admin/lab/{style(boss)}{query}").status_code in (400, 404)


def test_no_version_has_a_number_beyond_what_is_counted(boss: Person) -> None:
    kind = style(boss)
    for number in (1_000_001, 2**31, 2**63):
        assert post(boss, kind, f"/versions/{number}/publish", seen=1, reason="x").status_code == 404


def test_the_lab_without_a_style_and_of_no_style(boss: Person) -> None:
    assert "There are no styles to try yet." in boss.client.get("/admin/lab").text
    assert boss.client.get(f"/admin/lab/{uuid4()}").status_code == 404
    assert post(boss, uuid4(), "/drafts", promptTemplate=SECOND).status_code == 404


# --- runs -----------------------------------------------------------------------------------------------------------


def test_a_run_makes_each_version_of_each_photo_and_costs_nobody_anything(app: Flask) -> None:
    boss = factories.person(app, role=UserRole.ADMIN)
    kind = style(boss)
    draft(boss, kind)
    run_id = run(boss, kind, [1, 2], ["cup", "cat"])
    jobs = jobs_of(app, run_id)
    assert [(job.prompt_version, job.status) for job in jobs] == [(1, Status.PENDING), (2, Status.PENDING)] * 2
    assert {(job.reservation, job.pricing_tier_locked, job.user_id) for job in jobs} == {(None, None, boss.id)}
    page = boss.client.get(f"/admin/lab/{kind}?run={run_id}").text
    assert "4 of 4 still to come." in page
    assert 'data-hx-trigger="every 3s"' in page
    assert "Check again" in page

    for _ in jobs:
        factories.work(app)
    jobs = jobs_of(app, run_id)
    assert {(job.status, job.reservation) for job in jobs} == {(Status.COMPLETED, None)}
    page = boss.client.get(f"/admin/lab/{kind}?run={run_id}").text
    assert "All 4 are done." in page
    assert "every 3s" not in page
    links = [link.replace("&amp;", "&") for link in re.findall(r'<img id="picture-[^>]*? src="([^"]+)"', page)]
    assert len(links) == 4
    assert all(boss.client.get(link).status_code == 200 for link in links)

    assert (count(app, BillingRecord), factories.user_row(app, boss.id).free_tier_used) == (0, 0)
    assert boss.client.get("/api/v1/transformations").json["pagination"]["total"] == 0
    assert boss.client.get("/api/v1/users/profile").json["stats"]["totalTransformations"] == 0
    assert boss.client.get(f"/api/v1/transformations/{jobs[0].id}").status_code == 404
    assert boss.client.get(f"/transformations/{jobs[0].id}").status_code == 404
    with app.app_context():
        figures = type_figures.table(app.extensions["toolbox"])[0].figures
        assert (figures.used, figures.p90, type_figures.usage()) == (0, None, {})
        assert audit.verify().broken_at is None


def test_samples_are_kept_once_and_used_again(quick: Flask, boss: Person) -> None:
    kind = style(boss)
    runs = [run(boss, kind, [1], ["cup", "launch"]) for _ in range(2)]
    assert count(quick, Upload) == 2
    assert {job.upload_id for job in jobs_of(quick, runs[0])} == {job.upload_id for job in jobs_of(quick, runs[1])}
    assert "Runs" in boss.client.get(f"/admin/lab/{kind}").text


def test_an_admin_brings_a_photo_under_the_usual_rules(quick: Flask, boss: Person) -> None:
    kind = style(boss)
    url = f"/admin/lab/{kind}/photos"
    assert factories.send_photo(boss, factories.photo(), url=url).status_code == 303
    photo = str(one_upload(quick).id)
    assert f'value="{photo}"' in boss.client.get(f"/admin/lab/{kind}").text
    assert len(jobs_of(quick, run(boss, kind, [1], [photo]))) == 1
    refused = factories.send_photo(boss, b"no picture at all", url=url)
    assert (refused.status_code, count(quick, Upload)) == (400, 1)
    large = factories.send_photo(boss, b"x" * (12 * 1024 * 1024), url=url)
    assert (large.status_code, "The limit is 10 MB" in large.text) == (400, True)
    nowhere = factories.send_photo(boss, b"x" * (12 * 1024 * 1024), url=f"/admin/lab/{uuid4()}/photos")
    assert (nowhere.status_code, "The limit is 10 MB" in nowhere.text) == (400, True)


def one_upload(app: Flask) -> Upload:
    with app.app_context():
        return db.session.scalars(select(Upload)).one()


def test_a_photo_of_somebody_else_does_not_exist_here(quick: Flask, boss: Person) -> None:
    guest = factories.person(quick)
    photo = factories.upload(guest)["imageId"]
    kind = style(boss)
    assert photo not in boss.client.get(f"/admin/lab/{kind}").text
    assert post(boss, kind, "/runs", versions=[1], photos=[photo]).status_code == 404
    assert count(quick, LabRun) == 0


@pytest.mark.parametrize(
    ("versions", "photos"),
    [
        ([], ["cup"]),
        ([1], []),
        ([1, 2, 3, 4, 5], ["cup", "cat", "launch"]),
        ([7], ["cup"]),
        ([1], ["nobody"]),
        (["x"], ["cup"]),
    ],
)
def test_a_run_that_cannot_be_is_refused_and_makes_nothing(
    quick: Flask, boss: Person, versions: list[Any], photos: list[str]
) -> None:
    kind = style(boss)
    for number in range(4):
        draft(boss, kind, f"{SECOND} {number}")
    assert post(boss, kind, "/runs", versions=versions, photos=photos).status_code in (400, 404)
    assert (count(quick, LabRun), count(quick, Transformation)) == (0, 0)


def test_pictures_of_the_lab_are_shown_to_who_made_them_alone(quick: Flask, boss: Person) -> None:
    other, kind = factories.person(quick, role=UserRole.ADMIN), style(boss)
    run_id = run(boss, kind, [1], ["cup"])
    factories.work(quick)
    mine = boss.client.get(f"/admin/lab/{kind}?run={run_id}").text
    theirs = other.client.get(f"/admin/lab/{kind}?run={run_id}").text
    assert "/pictures/picture/" in mine
    assert 'src="/pictures/' not in theirs
    assert "/pictures/picture/" not in theirs
    assert "shown only to who asked for it" in theirs
    link = re.search(r'src="(/pictures/picture/[^"]+)"', mine)[1].replace("&amp;", "&")
    assert other.client.get(link).status_code == 404
    job = jobs_of(quick, run_id)[0].id
    assert post(other, kind, f"/pictures/{job}/thumbnail").status_code == 404


def test_the_lab_obeys_the_spend_caps(make_app: MakeApp, sqlite_url: str) -> None:
    with GeminiStandIn() as gemini:
        app = make_app(DATABASE_URL=sqlite_url, GEMINI_API_KEY="test", GEMINI_ENDPOINT=gemini.url)
        boss = factories.person(app, role=UserRole.ADMIN)
        kind = style(boss)
        for number in range(3):
            draft(boss, kind, f"{SECOND} {number}")
        settings = app.extensions["toolbox"].settings
        cap, price = settings.billing.spend_caps.per_person, settings.gemini.prices.per_call
        made, asked = 0, {"versions": [1, 2, 3, 4], "photos": ["cup", "cat", "launch"]}
        while (answer := post(boss, kind, "/runs", **asked)).status_code == 303:
            made += 12
        assert (answer.status_code, count(app, Transformation)) == (429, made)
        assert cap - 12 * price <= made * price < cap + price


def test_what_a_trial_cost_stands_below_it(make_app: MakeApp, sqlite_url: str) -> None:
    with GeminiStandIn() as gemini:
        app = make_app(DATABASE_URL=sqlite_url, GEMINI_API_KEY="test", GEMINI_ENDPOINT=gemini.url)
        boss = factories.person(app, role=UserRole.ADMIN)
        kind = style(boss)
        draft(boss, kind)
        run_id = run(boss, kind, [1, 2], ["cup"])
        for _ in range(2):
            factories.work(app)
        page = text_of(boss.client.get(f"/admin/lab/{kind}?run={run_id}").text)
        assert re.search(r"Version 1, live mean \d+\.\d s, \$0\.\d{3}", page), page
        assert "$0.000" not in page
        with app.app_context():
            assert type_figures.table(app.extensions["toolbox"])[0].figures.lab_cost > Decimal(0)


def test_a_trial_that_fails_says_why_and_takes_from_no_purse(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(DATABASE_URL=sqlite_url)
    boss = factories.person(app, role=UserRole.ADMIN)
    kind = style(boss)
    run_id = run(boss, kind, [1], ["cup"])
    job = jobs_of(app, run_id)[0]
    with app.app_context():
        db.session.execute(update(Upload).values(deleted_at=job.created_at))
        db.session.commit()
        leases.end_hopeless(app.extensions["toolbox"])
    page = text_of(boss.client.get(f"/admin/lab/{kind}?run={run_id}").text)
    assert "The photo is already deleted." in page
    assert "Not made" in page
    assert factories.user_row(app, boss.id).free_tier_used == 0


# --- a job keeps its version ----------------------------------------------------------------------------------------


def test_a_job_keeps_the_version_it_was_begun_with(app: Flask) -> None:
    boss, guest = factories.person(app, role=UserRole.ADMIN), factories.person(app)
    kind = style(boss)
    draft(boss, kind)
    job = factories.job(guest, kind)
    with app.app_context():
        tools = app.extensions["toolbox"]
        begun = leases.claim(tools)
        assert begun is not None
        assert begun.prompt == FIRST
        prompts.go_live(kind, 2, Actor("admin", boss.id), seen=1, reason="Finer.")
        leases.hand_back(tools, begun.lease)
        again = leases.claim(tools)
        assert again is not None
        assert (again.id, again.prompt) == (job, FIRST)
    later = factories.job(guest, kind)
    with app.app_context():
        claimed = leases.claim(app.extensions["toolbox"])
        assert claimed is not None
        assert (claimed.id, claimed.prompt) == (later, SECOND)
    assert [factories.row(app, one).prompt_version for one in (job, later)] == [1, 2]


# --- publish and roll back ------------------------------------------------------------------------------------------


def test_a_draft_is_published_with_a_reason_and_rolled_back(quick: Flask, boss: Person) -> None:
    kind = style(boss)
    draft(boss, kind)
    without = post(boss, kind, "/versions/2/publish", seen=1, reason="  ")
    assert (without.status_code, kind_of(quick, kind).prompt_version) == (400, 1)
    done = post(boss, kind, "/versions/2/publish", seen=1, reason="Finer lines.")
    assert done.status_code == 303
    live, act = kind_of(quick, kind), last_act(quick)
    assert (live.prompt_version, live.prompt_template, live.edits) == (2, SECOND, 2)
    assert (act.action_type, act.before, act.after) == ("PUBLISH", {"promptVersion": 1}, {"promptVersion": 2})
    assert act.details == {"reason": "Finer lines.", "edits": 2}
    assert "Roll back to version 1" in text_of(boss.client.get(f"/admin/lab/{kind}?version=1").text)
    assert post(boss, kind, "/versions/1/publish", seen=2, reason="Faces were lost.").status_code == 303
    act = last_act(quick)
    assert (act.action_type, kind_of(quick, kind).prompt_template) == ("ROLL_BACK", FIRST)
    assert post(boss, kind, "/versions/1/publish", seen=1, reason="Again.").status_code == 400
    assert post(boss, kind, "/versions/9/publish", seen=1, reason="None.").status_code == 404


def test_who_publishes_over_another_is_told(quick: Flask, boss: Person) -> None:
    kind = style(boss)
    draft(boss, kind)
    draft(boss, kind, SECOND + " No text.")
    assert post(boss, kind, "/versions/3/publish", seen=1, reason="First.").status_code == 303
    told = post(boss, kind, "/versions/2/publish", seen=1, reason="Second, typed with care.")
    assert told.status_code == 409
    assert "Version 3 was published while you were looking at version 1" in told.text
    assert "Second, typed with care." in told.text
    assert 'name="seen" value="3"' in told.text
    assert kind_of(quick, kind).prompt_version == 3


def test_drafts_in_the_same_moment_get_numbers_of_their_own(app: Flask) -> None:
    boss = factories.person(app, role=UserRole.ADMIN)
    kind, barrier = style(boss), threading.Barrier(4)
    numbers: list[int] = []

    def write(name: str) -> None:
        with app.app_context():
            barrier.wait()
            numbers.append(prompts.draft(kind, f"{SECOND} {name}", Actor("admin")))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(numbers) == [2, 3, 4, 5]


# --- votes and the thumbnail ----------------------------------------------------------------------------------------


def test_votes_are_counted_changed_and_taken_back(quick: Flask, boss: Person) -> None:
    other, kind = factories.person(quick, role=UserRole.ADMIN), style(boss)
    run_id = run(boss, kind, [1], ["cup"])
    path = f"/pictures/{jobs_of(quick, run_id)[0].id}/vote"
    assert post(boss, kind, path, value=1).status_code == 404  # not made yet
    factories.work(quick)
    for who, value in ((boss, 1), (other, 1), (boss, -1)):
        assert post(who, kind, path, value=value).status_code == 303
    page = boss.client.get(f"/admin/lab/{kind}?run={run_id}").text
    assert 'aria-label="Good, 1"' in page
    assert re.search(r'value="0" aria-pressed="true" aria-label="Not good, 1"', page)
    assert "1 up, 1 down" in text_of(page)
    part = boss.client.post(
        f"/admin/lab/{kind}{path}", data={"value": 0}, headers={**boss.headers, "HX-Request": "true"},
        follow_redirects=True,
    )  # fmt: skip
    assert part.text.strip().startswith('<div id="grid"')
    assert count(quick, LabVote) == 1
    assert post(boss, kind, path, value=5).status_code == 400
    assert post(boss, kind, f"/pictures/{uuid4()}/vote", value=1).status_code == 404


def test_an_admin_who_votes_in_two_windows_at_once_votes_once(app: Flask) -> None:
    boss = factories.person(app, role=UserRole.ADMIN)
    kind, barrier = style(boss), threading.Barrier(4)
    job = jobs_of(app, run(boss, kind, [1], ["cat"]))[0].id
    factories.work(app)
    faults: list[Exception] = []

    def press(value: int) -> None:
        with app.app_context():
            barrier.wait()
            try:
                lab.vote(boss.id, kind, job, value)
            except Exception as error:
                faults.append(error)

    threads = [threading.Thread(target=press, args=(value,)) for value in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (faults, count(app, LabVote)) == ([], 1)


def test_only_pictures_of_the_lab_are_voted_on_or_shown_there(quick: Flask, boss: Person) -> None:
    kind, guest = style(boss), factories.person(quick)
    picture = factories.picture(quick, guest, kind)
    for deed, form in (("vote", {"value": 1}), ("thumbnail", {})):
        assert post(boss, kind, f"/pictures/{picture}/{deed}", **form).status_code == 404
    assert kind_of(quick, kind).thumbnail_tag is None


def test_a_thumbnail_is_made_of_photo_and_picture_and_served_to_everybody(app: Flask) -> None:
    boss = factories.person(app, role=UserRole.ADMIN)
    kind = style(boss)
    run_id = run(boss, kind, [1], ["cup"])
    factories.work(app)
    job = jobs_of(app, run_id)[0].id
    assert post(boss, kind, f"/pictures/{job}/thumbnail").status_code == 303
    act = last_act(app)
    tag = kind_of(app, kind).thumbnail_tag
    assert (act.action_type, act.before, act.after) == ("UPDATE", {"thumbnail": None}, {"thumbnail": tag})

    url = boss.client.get("/api/v1/transformation-types").json["types"][0]["thumbnailUrl"]
    assert url == f"/styles/{kind}/{tag}.webp"
    stranger = app.test_client()
    assert url in stranger.get("/").text
    answer = stranger.get(url)
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    assert set(answer.headers["Cache-Control"].split(", ")) == {"public", "max-age=31536000", "immutable"}
    assert len(answer.data) <= 15_000
    with Image.open(io.BytesIO(answer.data)) as made:
        assert (made.width * 2, made.format) == (made.height * 3, "WEBP")
        middle = made.width // 2
        boxes = ((0, 0, middle, made.height), (middle, 0, made.width, made.height))
        left, right = (made.convert("RGB").crop(box).resize((1, 1)) for box in boxes)
    assert colourful(left) > colourful(right) + 20  # the cup is red; without a filter of its own the style is cooler
    same = stranger.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert same.status_code == 304
    older = stranger.get(f"/styles/{kind}/000000000000.webp")
    assert (older.status_code, older.headers["Location"]) == (302, url)
    assert stranger.get(f"/styles/{uuid4()}/{tag}.webp").status_code == 404


def colourful(pixel: Image.Image) -> int:
    colours: Any = pixel.getpixel((0, 0))
    return max(colours) - min(colours)


def test_a_thumbnail_of_what_was_deleted_is_refused(quick: Flask, boss: Person) -> None:
    kind = style(boss)
    run_id = run(boss, kind, [1], ["cup"])
    factories.work(quick)
    job = jobs_of(quick, run_id)[0]
    with quick.app_context():
        over = quick.extensions["toolbox"].now() - timedelta(hours=1)
        db.session.execute(update(Transformation).values(delete_due_at=over))
        db.session.commit()
    answer = post(boss, kind, f"/pictures/{job.id}/thumbnail")
    assert (answer.status_code, "Run it again" in answer.text) == (404, True)


def test_access_to_the_lab(quick: Flask, boss: Person) -> None:
    kind, guest = style(boss), factories.person(quick)
    assert guest.client.get(f"/admin/lab/{kind}").status_code == 403
    assert boss.client.post(f"/admin/lab/{kind}/drafts", data={"promptTemplate": SECOND}).status_code == 403
    assert boss.client.post(f"/admin/lab/{kind}/runs", data={"versions": 1, "photos": "cup"}).status_code == 403
    assert (count(quick, PromptVersion), count(quick, LabRun)) == (1, 0)
