"""What a worker makes of a claimed job: a picture, another try, or a failure that costs nothing."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Reservation, Stage, Status
from pixshift.errors import RateLimitExceeded
from pixshift.extensions import db
from pixshift.gateways.ports import VerifiedImage
from pixshift.models import Transformation
from pixshift.services import leases, retention
from tests import jobs
from tests.jobs import USAGE, World

RETRYABLE = [reason for reason in FailureReason if reason.retryable and reason is not FailureReason.WORKER_LOST]
FINAL_REASONS = [reason for reason in FailureReason if not reason.retryable]


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(sqlite_url, tmp_path) as made:
        yield made


def take_back_lost(world: World) -> None:
    with world.app.app_context():
        leases.take_back_lost(world.toolbox)


def results(world: World) -> list[str]:
    return [key for key in world.storage.objects if not key.startswith("uploads/")]


def test_a_picture_is_kept_with_the_models_own_bytes_and_the_free_one_is_spent(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person)
    claimed = world.make_next()
    row = world.read(job)
    assert (row.status, row.stage, row.reservation) == (Status.COMPLETED, Stage.READY, Reservation.SETTLED)
    assert (row.result_media_type, row.result_width, row.result_height) == ("image/png", 8, 8)
    assert row.result_bytes == len(world.editor.picture)
    assert results(world) == [row.transformed_image_url]
    assert world.storage.objects[row.transformed_image_url or ""] == world.editor.picture
    assert (row.lease_token, row.finished_at) == (None, world.clock())
    assert row.delete_due_at == world.clock() + timedelta(hours=24)
    assert world.free_used(person) == 1
    (attempt,) = world.attempts(job)
    assert (attempt.id, attempt.outcome, attempt.finished_at) == (claimed.attempt_id, "COMPLETED", world.clock())


def test_the_model_gets_the_photo_and_the_words_of_the_style(world: World) -> None:
    world.job()
    world.make_next()
    (request,) = world.editor.requests
    assert (request.photo, request.prompt, request.style) == (jobs.PHOTO, "Make it pop-art.", "pop-art")
    assert (request.width, request.height, request.model) == (640, 480, world.toolbox.settings.gemini.model)


@pytest.mark.parametrize("reason", FINAL_REASONS)
def test_what_another_try_cannot_help_fails_at_once_and_costs_nothing(world: World, reason: FailureReason) -> None:
    person = world.person(free_used=2)
    job = world.job(person)
    world.editor.fail(reason, retryable=True)
    world.make_next()
    row = world.read(job)
    assert (row.status, row.failure_reason, row.error_message) == (Status.FAILED, reason.value, reason.sentence)
    assert (row.reservation, row.attempts, row.finished_at) == (Reservation.RELEASED, 1, world.clock())
    assert world.free_used(person) == 1
    assert results(world) == []


@pytest.mark.parametrize("reason", RETRYABLE)
def test_what_may_pass_is_tried_again_as_often_as_its_reason_allows(world: World, reason: FailureReason) -> None:
    person = world.person(free_used=2)
    job = world.job(person)
    world.editor.fail(reason, retryable=True, times=5)
    for attempt in range(1, reason.max_attempts + 1):
        assert world.read(job).status is Status.PENDING
        assert world.free_used(person) == 2
        world.clock.forward(hours=1)
        assert world.make_next().attempt == attempt
    assert (world.read(job).status, world.read(job).failure_reason) == (Status.FAILED, reason.value)
    assert world.free_used(person) == 1
    world.clock.forward(hours=1)
    assert world.claim() is None
    assert [attempt.outcome for attempt in world.attempts(job)] == [reason.value] * reason.max_attempts


def test_a_failure_that_its_gateway_calls_final_is_not_tried_again(world: World) -> None:
    job = world.job()
    world.editor.fail("VENDOR_DOWN", retryable=False)
    world.make_next()
    assert world.read(job).status is Status.FAILED


def test_a_job_in_trouble_still_completes_when_a_later_try_succeeds(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person)
    world.editor.fail("VENDOR_DOWN", retryable=True)
    world.editor.fail("TIMEOUT", retryable=True)
    for _ in range(3):
        world.make_next()
        world.clock.forward(minutes=1)
    assert (world.read(job).status, world.read(job).attempts) == (Status.COMPLETED, 3)
    assert [attempt.outcome for attempt in world.attempts(job)] == ["VENDOR_DOWN", "TIMEOUT", "COMPLETED"]
    assert world.free_used(person) == 1


def test_another_try_waits_a_random_part_of_a_doubling_time(world: World) -> None:
    longest = {1: 1.0, 2: 2.0}
    for _ in range(10):
        job = world.job()
        world.editor.fail("VENDOR_DOWN", retryable=True, times=2)
        for attempt in (1, 2):
            world.make_next()
            due = world.read(job).due_at
            assert due is not None
            assert timedelta(0) <= due - world.clock() <= timedelta(seconds=longest[attempt])
            assert world.queue.delays[-1] == pytest.approx((due - world.clock()).total_seconds(), abs=0.001)
            world.clock.forward(seconds=3)
        world.make_next()
    assert len(set(world.queue.delays)) == 20


def test_the_vendors_own_waiting_time_is_honoured(world: World) -> None:
    job = world.job()
    world.editor.fail("RATE_LIMITED", retryable=True, retry_after=42.0)
    world.make_next()
    assert world.read(job).due_at == world.clock() + timedelta(seconds=42)
    assert world.queue.delays == [42.0]
    world.clock.forward(seconds=41)
    assert world.claim() is None
    world.clock.forward(seconds=1)
    assert world.claimed().id == job


def test_the_configured_number_of_tries_is_honoured(sqlite_url: str, tmp_path: Path) -> None:
    with jobs.world(sqlite_url, tmp_path) as world:
        settings = world.toolbox.settings
        retry = settings.gemini.retry.model_copy(update={"max_attempts": 2})
        gemini = settings.gemini.model_copy(update={"retry": retry})
        fewer = settings.model_copy(update={"gemini": gemini})
        world.app.extensions["toolbox"] = jobs.dataclasses.replace(world.toolbox, settings=fewer)
        job = world.job()
        world.editor.fail("VENDOR_DOWN", retryable=True, times=3)
        for _ in range(2):
            world.make_next()
            world.clock.forward(minutes=1)
        assert (world.read(job).status, world.read(job).attempts) == (Status.FAILED, 2)


def test_every_try_is_written_down_with_what_it_cost_whether_it_made_a_picture_or_not(world: World) -> None:
    job = world.job()
    world.editor.fail("NO_IMAGE", retryable=True)
    world.make_next()
    world.clock.forward(minutes=1)
    world.make_next()
    for attempt in world.attempts(job):
        spent = (attempt.prompt_tokens, attempt.output_tokens, attempt.total_tokens)
        assert spent == (USAGE.prompt_tokens, USAGE.output_tokens, USAGE.total_tokens)
        assert (attempt.model_version, attempt.response_id) == ("m-1", "r-1")
        assert attempt.finished_at is not None


def test_an_answer_that_is_no_picture_is_asked_for_once_more_and_its_cost_is_kept(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person)
    world.editor.picture = b"\x89PNG\r\n\x1a\n and nothing"
    for _ in range(2):
        world.make_next()
        world.clock.forward(minutes=1)
    assert (world.read(job).status, world.read(job).failure_reason) == (Status.FAILED, "RESULT_BROKEN")
    assert [attempt.total_tokens for attempt in world.attempts(job)] == [USAGE.total_tokens] * 2
    assert world.free_used(person) == 0
    assert results(world) == []


def test_a_photo_that_is_gone_fails_the_job_without_asking_the_model(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person)
    world.storage.objects.clear()
    world.make_next()
    assert (world.read(job).status, world.read(job).failure_reason) == (Status.FAILED, "PHOTO_GONE")
    assert world.editor.requests == []
    assert world.free_used(person) == 0


def test_a_storage_that_is_away_means_another_try(world: World) -> None:
    job = world.job()
    world.storage.is_away = True
    world.make_next()
    assert (world.read(job).status, world.attempts(job)[0].outcome) == (Status.PENDING, "STORAGE_DOWN")
    world.storage.is_away = False
    world.clock.forward(minutes=1)
    world.make_next()
    assert world.read(job).status is Status.COMPLETED


def test_a_picture_that_cannot_be_stored_is_not_completed_and_what_the_model_took_is_written_down(
    world: World,
) -> None:
    job = world.job()

    def go_away() -> None:
        world.storage.is_away = True

    world.editor.before_answer = go_away
    world.make_next()
    row = world.read(job)
    assert (row.status, row.transformed_image_url) == (Status.PENDING, None)
    (attempt,) = world.attempts(job)
    assert (attempt.outcome, attempt.total_tokens) == ("STORAGE_DOWN", USAGE.total_tokens)


def test_a_picture_that_nobody_could_check_is_neither_broken_nor_a_fault_of_the_storage(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.job()

    def full(_: bytes) -> VerifiedImage:
        raise RateLimitExceeded

    monkeypatch.setattr(world.toolbox.gateways.decoder, "verify", full)
    world.make_next()
    assert world.read(job).status is Status.PENDING
    (attempt,) = world.attempts(job)
    assert (attempt.outcome, attempt.total_tokens) == ("DECODER_DOWN", USAGE.total_tokens)


def test_a_fault_of_our_own_ends_the_job_at_once_instead_of_paying_for_it_three_times(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    person = world.person(free_used=1)
    job = world.job(person)
    world.editor.failures.append(ZeroDivisionError("nobody thought of this"))
    with caplog.at_level(logging.ERROR):
        world.make_next()
    assert (world.read(job).status, world.read(job).failure_reason) == (Status.FAILED, "UNKNOWN")
    assert world.free_used(person) == 0
    assert "ZeroDivisionError" in caplog.text


def test_who_finishes_after_the_lease_was_lost_changes_nothing_and_removes_only_its_own_object(world: World) -> None:
    job = world.job()
    late = world.claimed()
    world.clock.forward(seconds=61)
    take_back_lost(world)
    world.make_next()
    winner = world.read(job)
    world.make(late)
    row = world.read(job)
    assert (row.status, row.transformed_image_url) == (Status.COMPLETED, winner.transformed_image_url)
    assert results(world) == [winner.transformed_image_url]
    assert row.updated_at == winner.updated_at
    lost, won = world.attempts(job)
    assert (lost.outcome, lost.total_tokens, lost.storage_key) == ("LEASE_LOST", USAGE.total_tokens, None)
    assert won.outcome == "COMPLETED"


def test_who_loses_the_lease_while_storing_removes_its_object_again(world: World) -> None:
    job = world.job()
    late = world.claimed()
    put = world.storage.put

    def lose_the_lease_then_put(key: str, data: bytes, media_type: str) -> None:
        world.clock.forward(seconds=61)
        take_back_lost(world)
        put(key, data, media_type)

    world.storage.put = lose_the_lease_then_put  # type: ignore[method-assign]
    world.make(late)
    assert (world.read(job).status, world.read(job).transformed_image_url) == (Status.PENDING, None)
    assert results(world) == []
    assert world.attempts(job)[0].outcome == "LEASE_LOST"


def test_a_late_object_that_cannot_be_removed_is_removed_by_a_later_sweep(world: World) -> None:
    job = world.job()
    late = world.claimed()
    put = world.storage.put

    def lose_lease_and_storage(key: str, data: bytes, media_type: str) -> None:
        put(key, data, media_type)
        world.clock.forward(seconds=61)
        take_back_lost(world)
        world.storage.is_away = True

    world.storage.put = lose_lease_and_storage  # type: ignore[method-assign]
    world.make(late)
    assert len(results(world)) == 1
    world.storage.is_away = False
    with world.app.app_context():
        retention.sweep(world.toolbox)
    assert results(world) == []
    assert world.read(job).status is Status.PENDING


def test_a_failure_after_the_lease_was_lost_neither_fails_the_job_nor_gives_back_twice(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person)
    late = world.claimed()
    world.clock.forward(seconds=61)
    take_back_lost(world)
    world.make_next()
    world.editor.fail("PROMPT_BLOCKED")
    world.make(late)
    assert world.read(job).status is Status.COMPLETED
    assert world.free_used(person) == 1


def test_a_late_failure_asks_nobody_to_work(world: World) -> None:
    world.job()
    late = world.claimed()
    world.clock.forward(seconds=61)
    take_back_lost(world)
    world.editor.fail("VENDOR_DOWN", retryable=True)
    world.make(late)
    assert world.queue.delays == []


def test_the_database_itself_refuses_a_completed_job_with_an_empty_picture(world: World) -> None:
    empty = (
        update(Transformation).where(Transformation.id == world.job()).values(status=Status.COMPLETED, result_bytes=0)
    )
    with world.app.app_context(), pytest.raises(IntegrityError, match="completed_has_a_picture"):
        db.session.execute(empty)


def test_the_database_itself_refuses_work_that_nobody_holds(world: World) -> None:
    job = world.job()
    with world.app.app_context(), pytest.raises(IntegrityError, match="processing_has_a_lease"):
        db.session.execute(update(Transformation).where(Transformation.id == job).values(status=Status.PROCESSING))
