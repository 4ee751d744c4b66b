"""Jobs at the desk: every filter, every fact of one, and the two things that can be done with it."""

import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, update

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import BillingStatus, Reservation, Stage, Status
from pixshift.extensions import db
from pixshift.models import Attempt, BillingRecord, LabRun, Transformation, Upload
from pixshift.schemas import admin_pictures
from pixshift.services import desk as acts
from pixshift.services.audit import Actor
from tests import factories, jobs, money
from tests.integration.desk import Desk, desk

FAILED = {"status": Status.FAILED, "error_code": "TRANSFORMATION_FAILED", "reservation": Reservation.RELEASED}
MADE = {
    "status": Status.COMPLETED,
    "stage": Stage.READY,
    "result_bytes": 10,
    "reservation": Reservation.SETTLED,
    "due_at": None,
}


@pytest.fixture
def at(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    with money.shop(sqlite_url, tmp_path) as shop, desk(shop) as made:
        yield made


@pytest.fixture
def anywhere(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    """The same on both databases."""
    with money.shop(database_url, tmp_path) as shop, desk(shop) as made:
        yield made


def failed(at: Desk, reason: str = "TIMEOUT", **values: Any) -> UUID:
    """A job that failed just now, its photo still there."""
    sentence = FailureReason(reason).sentence
    now = at.shop.jobs.clock()
    more = {"failure_reason": reason, "error_message": sentence, "finished_at": now, "due_at": None, "attempts": 3}
    return at.shop.jobs.job(**(FAILED | more | values))


def listed(at: Desk, query: str = "") -> set[str]:
    """The ids of the jobs that the list links to."""
    html = at.html(f"/transformations?{query}")
    return {part[:36] for part in html.split('href="/admin/transformations/')[1:]}


# --- the list -------------------------------------------------------------------------------------------------------


def test_an_empty_desk_says_so(at: Desk) -> None:
    assert "Nobody has asked for a picture yet." in at.get("/transformations")
    assert "No picture is like that." in at.get("/transformations?status=FAILED")


def test_each_filter_shows_what_it_names_and_nothing_else(anywhere: Desk) -> None:
    at, now = anywhere, anywhere.shop.jobs.clock()
    other = jobs.add_type(at.shop.jobs.app, "engraving")
    person = at.shop.jobs.person(1)
    waiting = at.shop.jobs.job(due_at=None, pricing_tier_locked="basic")
    timed_out = failed(at, transformation_type_id=other)
    odd = failed(at, "A_NEW_WORD", created_at=now - timedelta(days=3))
    made = at.shop.jobs.job(person, **MADE, created_at=now - timedelta(days=40), pricing_tier_locked="premium")
    today = now.date()
    for query, expected in {
        "": {waiting, timed_out, odd, made},
        "status=PENDING": {waiting},
        "status=FAILED": {timed_out, odd},
        f"style={other}": {timed_out},
        f"status=FAILED&style={other}&days=1": {timed_out},
        "reason=TIMEOUT": {timed_out},
        "reason=UNKNOWN": {odd},
        "purse=premium": {made},
        "purse=basic": {waiting},
        "days=1": {waiting, timed_out},
        "days=7": {waiting, timed_out, odd},
        f"since={today - timedelta(days=3)}&until={today - timedelta(days=3)}": {odd},
        f"until={today - timedelta(days=10)}": {made},
        f"user={person}": {made},
        f"job={odd}": {odd},
        f"job={odd}&status=PENDING": set(),
        "status=&style=&reason=&days=": {waiting, timed_out, odd, made},
    }.items():
        assert listed(at, query) == {str(job) for job in expected}, query


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=DONE", "status"),
        ("style=x", "style"),
        ("reason=BORED", "reason"),
        ("purse=gold", "purse"),
        ("days=0", "days"),
        ("days=1000", "days"),
        ("since=yesterday", "since"),
        ("since=9999-12-31", "since"),
        ("until=0001-01-01", "until"),
        ("since=2026-11-02&until=2026-11-01", "body"),
        ("user=x", "user"),
        ("job=x", "job"),
        ("page=0", "page"),
        ("page=1000001", "page"),
        ("colour=red", "colour"),
    ],
)
def test_a_filter_that_is_none_is_named(at: Desk, query: str, field: str) -> None:
    page = at.get(f"/transformations?{query}", 400)
    assert f"{field}: " in page
    assert "Show" in page  # the form is there again
    answer = at.admin.client.get(f"/admin/transformations?{query}", headers={"Accept": "application/json"})
    assert (answer.status_code, factories.error_of(answer)["details"]["field"]) == (400, field)


def test_a_row_says_how_a_job_went_and_never_shows_its_picture(at: Desk) -> None:
    job = failed(at, "NO_IMAGE", started_at=at.shop.jobs.clock() - timedelta(seconds=12.34))
    at.add(Attempt(transformation_id=job, number=1, model="m", cost=Decimal("0.067")))
    at.add(Attempt(transformation_id=job, number=2, model="m", cost=Decimal("0.05")))
    page, html = at.get("/transformations"), at.html("/transformations")
    for words in ("Pop-Art", "Not made", "No picture in the answer", "Free", "12.3 s", "$0.117", "1 picture,"):
        assert words in page
    for never in ("photo.jpg", "<img", "<picture", ".jpg", "uploads/"):
        assert never not in html.partition("<main")[2]
        assert never not in at.html(f"/transformations/{job}").partition("<main")[2]


def test_pages_of_the_list_keep_their_filter_and_one_past_the_end_leads_back(at: Desk) -> None:
    person = at.shop.jobs.person(1)
    photo = at.shop.jobs.photo(person)
    for number in range(51):
        at.shop.jobs.job(person, photo, **MADE, created_at=at.shop.jobs.clock() - timedelta(minutes=number))
    assert "1 to 50 of 51" in at.get("/transformations?status=COMPLETED")
    assert 'href="/admin/transformations?status=COMPLETED&amp;page=2"' in at.html("/transformations?status=COMPLETED")
    assert "51 to 51 of 51" in at.get("/transformations?status=COMPLETED&page=2")
    for page in (3, 10**6):
        assert "This page lies past the end: there are 51" in at.get(f"/transformations?page={page}")
        assert 'href="/admin/transformations?page=2"' in at.html(f"/transformations?page={page}")


def test_ten_thousand_jobs_and_payments_are_listed_with_as_many_queries_as_one(anywhere: Desk) -> None:
    at, now = anywhere, anywhere.shop.jobs.clock()
    first = failed(at)
    paths = ["/transformations", "/billing", "/transformations?page=150", "/billing?page=150"]
    at.add(BillingRecord(user_id=at.admin.id, amount=1, created_at=now))
    few = [at.queries(lambda path=path: at.get(path)) for path in paths]  # type: ignore[misc]
    template = at.shop.jobs.read(first)
    ids = [uuid4() for _ in range(10_000)]
    same = {"user_id": at.admin.id, "transformation_type_id": template.transformation_type_id} | FAILED
    same |= {"original_image_url": "x", "upload_id": template.upload_id, "failure_reason": "TIMEOUT"}
    tried = {"number": 1, "cost": Decimal("0.067"), "model": "m"}
    moments = [now - timedelta(minutes=number) for number in range(10_000)]
    with at.shop.jobs.app.app_context():
        rows = [same | {"id": one, "created_at": when} for one, when in zip(ids, moments, strict=True)]
        db.session.execute(insert(Transformation.__table__), rows)
        db.session.execute(insert(Attempt.__table__), [tried | {"transformation_id": one} for one in ids])
        paid = {"user_id": at.admin.id, "amount": 1, "captured": 1, "status": BillingStatus.COMPLETED}
        bills = [paid | {"transformation_id": one, "created_at": when} for one, when in zip(ids, moments, strict=True)]
        db.session.execute(insert(BillingRecord.__table__), bills)
        db.session.commit()
    for path, count in zip(paths, few, strict=True):
        began = time.monotonic()
        assert at.queries(lambda path=path: at.get(path)) <= max(count, 6), path  # type: ignore[misc]
        assert time.monotonic() - began < 2, path
    assert "10,001 pictures" in at.get("/transformations")
    assert "10,001 payments in USD $10,000.00 charged" in at.get("/billing")


# --- one job --------------------------------------------------------------------------------------------------------


def test_a_failed_job_is_told_in_full(at: Desk) -> None:
    now = at.shop.jobs.clock()
    job = failed(at, "NO_IMAGE", started_at=now - timedelta(seconds=9), prompt_version=4)
    at.add(
        Attempt(
            transformation_id=job,
            number=1,
            model="gemini-x",
            model_version="gemini-x-002",
            started_at=now - timedelta(seconds=9),
            finished_at=now,
            outcome="NO_IMAGE",
            prompt_tokens=1130,
            output_tokens=20,
            total_tokens=1150,
            cost=Decimal("0.0012"),
        ),
        Attempt(transformation_id=job, number=2, model=None, outcome="LEASE_LOST"),
        Attempt(transformation_id=job, number=3, model="gemini-x"),
    )
    page = at.get(f"/transformations/{job}")
    for words in (
        "Not made",
        "Last claimed by a worker",
        "after 9.0 s",
        "Version 4",
        "No picture in the answer ( NO_IMAGE )",
        "TRANSFORMATION_FAILED",
        "The model made no picture this time. Try again, or another style.",
        "gemini-x says it is gemini-x-002",
        "1,150 1,130 in, 20 out",
        "$0.001",
        "Finished too late",
        "No end was written down",
        "Requeue",
    ):
        assert words in page, words


def test_what_became_of_a_picture_is_told_with_its_deletion_record(at: Desk) -> None:
    now = at.shop.jobs.clock()
    job = at.shop.jobs.job(
        **MADE, started_at=now, finished_at=now, downloaded_at=now, deleted_at=now, deletion_record="ab" * 16
    )
    page = at.get(f"/transformations/{job}")
    for words in ("Made, deleted", "Downloaded", "Deleted", "ab" * 16, "The model was not asked yet."):
        assert words in page
    assert "Why it was not made" not in page
    assert "Requeue" not in page
    later = at.shop.jobs.job(**MADE, delete_due_at=now + timedelta(hours=1))
    assert "Will be deleted" in at.get(f"/transformations/{later}")


def test_jobs_of_the_lab_and_free_remakes_are_marked(at: Desk) -> None:
    run = LabRun(transformation_type_id=at.shop.jobs.type_id, user_id=at.admin.id)
    at.add(run)
    with at.shop.jobs.app.app_context():
        run_id = db.session.scalars(db.select(LabRun.id)).one()
    first = at.shop.jobs.job(lab_run_id=run_id)
    assert "Prompt lab" in at.get(f"/transformations/{first}")
    again = at.shop.jobs.job(reroll_of=first)
    assert "Free, made again" in at.get(f"/transformations/{again}")
    assert "Prompt lab" in at.get("/transformations")


def test_a_job_leads_to_its_payment(at: Desk) -> None:
    job = at.shop.held(at.shop.person())
    record = at.shop.record(job)
    assert "Being made" not in at.get(f"/transformations/{job}")
    assert f'href="/admin/billing/{record.id}"' in at.html(f"/transformations/{job}")
    assert "Refund" not in at.get(f"/transformations/{job}")
    at.shop.jobs.make_next()
    assert f'href="/admin/billing/{record.id}/refund"' in at.html(f"/transformations/{job}")
    unpaid = at.shop.job(at.shop.person())
    assert "Waits for payment" in at.get(f"/transformations/{unpaid}")
    running = at.shop.held(at.shop.person())
    at.shop.jobs.claimed()
    assert "Being made" in at.get(f"/transformations/{running}")
    assert "Goes on" in at.get(f"/transformations/{running}")


def test_a_job_that_there_is_not_is_not_found(at: Desk) -> None:
    for path in ("", "/requeue", "/fail"):
        assert "no job with this id" in at.get(f"/transformations/{uuid4()}{path}", 404)
        if path:
            assert at.post(f"/transformations/{uuid4()}{path}").status_code == 404


def test_markup_in_a_style_or_a_sentence_is_text(at: Desk) -> None:
    evil = "<script>alert(1)</script>"
    kind = factories.style(at.shop.jobs.app, "evil", name=evil)
    job = failed(at, transformation_type_id=kind, error_message=evil)
    at.add(Attempt(transformation_id=job, number=1, model=evil, model_version="<b>x"))
    for path in ("/transformations", f"/transformations/{job}"):
        assert evil not in at.html(path)
        assert "&lt;script&gt;" in at.html(path)


# --- requeue and fail -----------------------------------------------------------------------------------------------


def test_a_failed_job_is_made_again_for_free(anywhere: Desk) -> None:
    at = anywhere
    job = failed(at)
    question = at.get(f"/transformations/{job}/requeue")
    assert "Make this picture again?" in question
    assert "It costs its owner nothing." in question
    answer = at.post(f"/transformations/{job}/requeue")
    assert (answer.status_code, answer.location) == (303, f"/admin/transformations/{job}")
    assert (at.shop.jobs.read(job).status, at.shop.jobs.read(job).reservation) == (
        Status.PENDING,
        Reservation.RELEASED,
    )
    (act,) = at.acts()
    assert (act.action_type, act.entity_id, act.admin_user_id) == ("REQUEUE", job, at.admin.id)
    assert act.before == {"status": "FAILED", "attempts": 3, "reason": "TIMEOUT"}
    assert act.after == {"status": "PENDING", "attempts": 0, "reason": None}
    again = at.post(f"/transformations/{job}/requeue")
    assert again.status_code == 400
    assert "Only a failed job can be requeued; this one is PENDING." in again.text
    assert len(at.acts()) == 1
    at.shop.jobs.make_next()
    assert at.shop.jobs.read(job).status is Status.COMPLETED


def test_of_many_who_requeue_or_stop_one_job_at_once_one_does(anywhere: Desk) -> None:
    at, job = anywhere, failed(anywhere)
    for act in (acts.requeue, acts.fail):
        told = at.at_once(lambda act=act: at.shop.call(act, job, Actor("admin", at.admin.id)))  # type: ignore[misc]
        assert sorted(told) == ["", *["InvalidInput"] * 4]
    assert [act.action_type for act in at.acts()] == ["REQUEUE", "FAIL"]


@pytest.mark.parametrize("path", ["requeue", "fail"])
def test_what_is_over_well_is_left_alone(at: Desk, path: str) -> None:
    job = at.shop.jobs.job(**MADE)
    answer = at.post(f"/transformations/{job}/{path}")
    assert answer.status_code == 400
    assert "this one is COMPLETED" in answer.text or "it is COMPLETED" in answer.text
    assert at.shop.jobs.read(job).status is Status.COMPLETED
    assert at.acts() == []


def test_a_job_whose_photo_is_gone_is_not_made_again(at: Desk) -> None:
    deleted, lost = failed(at), failed(at, upload_id=None)
    with at.shop.jobs.app.app_context():
        db.session.execute(update(Upload).values(deleted_at=at.shop.jobs.clock()))
        db.session.commit()
    for job in (deleted, lost):
        answer = at.post(f"/transformations/{job}/requeue")
        assert answer.status_code == 400
        assert "The photo of this job is deleted, so it cannot be made." in answer.text
        page = at.html(f"/transformations/{job}")
        assert "The photo is deleted, so it cannot be made again." in page
        assert f"/admin/transformations/{job}/requeue" not in page
    assert at.acts() == []


def test_of_a_free_remake_that_was_asked_for_again_only_one_is_made(anywhere: Desk) -> None:
    at = anywhere
    paid = at.shop.jobs.job(**MADE)
    first = failed(at, reroll_of=paid)
    at.shop.jobs.job(reroll_of=paid)
    answer = at.post(f"/transformations/{first}/requeue")
    assert answer.status_code == 400
    assert "Another job makes this picture again already" in answer.text
    assert at.shop.jobs.read(first).status is Status.FAILED
    assert at.acts() == []


def test_a_job_that_waits_or_runs_is_stopped_and_what_it_took_is_given_back(anywhere: Desk) -> None:
    at = anywhere
    person = at.shop.jobs.person(free_used=2)
    waiting, running = at.shop.jobs.job(person), at.shop.jobs.job(person)
    at.shop.jobs.claimed()
    assert "Stop this picture?" in at.get(f"/transformations/{running}/fail")
    for job in (waiting, running):
        assert at.post(f"/transformations/{job}/fail").status_code == 303
        assert at.shop.jobs.read(job).failure_reason == "STOPPED"
        assert "Stopped by us" in at.get(f"/transformations/{job}")
    assert at.shop.jobs.free_used(person) == 0
    assert {act.before["status"] for act in at.acts() if act.before} == {"PENDING", "PROCESSING"}
    assert [act.after["status"] for act in at.acts() if act.after] == ["FAILED"] * 2
    again = at.post(f"/transformations/{waiting}/fail")
    assert again.status_code == 400
    assert "This job has already ended: it is FAILED." in again.text
    assert at.shop.jobs.free_used(person) == 0


def test_the_hold_of_a_job_that_is_stopped_is_let_go_at_once(at: Desk) -> None:
    job = at.shop.held(at.shop.person())
    assert at.post(f"/transformations/{job}/fail").status_code == 303
    assert at.shop.record(job).status is BillingStatus.FAILED
    assert at.shop.world.ledger() == money.Ledger(0, 0, 0)


def test_a_hold_whose_gateway_is_away_is_let_go_later(at: Desk) -> None:
    job = at.shop.held(at.shop.person())
    at.shop.gateway.plan.append(("void", "before"))
    assert at.post(f"/transformations/{job}/fail").status_code == 303
    assert at.shop.world.ledger().held == 99
    at.shop.tend(minutes=1)
    assert at.shop.world.ledger() == money.Ledger(0, 0, 0)


def test_a_question_is_a_dialog_for_scripts_and_a_page_without_them(at: Desk) -> None:
    job = failed(at)
    for path in (f"/transformations/{job}/requeue", f"/transformations/{job}/fail", "/billing/reconcile"):
        part = at.admin.client.get(f"/admin{path}", headers={"HX-Request": "true"}).text
        assert part.lstrip().startswith("<form")
        assert "<html" in at.html(path)
        assert part.strip().split("<h1>")[1].split("</h1>")[0] in at.html(path)


def test_only_admins_with_the_pages_own_token_may_act(at: Desk) -> None:
    job, guest = failed(at), factories.person(at.shop.jobs.app)
    for path in ("requeue", "fail"):
        url = f"/admin/transformations/{job}/{path}"
        assert guest.client.get(url).status_code == 403
        assert guest.client.post(url, headers=guest.headers).status_code == 403
        assert at.admin.client.post(url).status_code == 403
    assert guest.client.get("/admin/transformations").status_code == 403
    assert guest.client.get(f"/admin/transformations/{job}").status_code == 403
    assert at.shop.jobs.read(job).status is Status.FAILED
    assert at.acts() == []


def test_every_reason_has_words() -> None:
    assert set(admin_pictures.REASONS) == set(FailureReason)
    assert set(admin_pictures.STATUSES) == set(Status)
