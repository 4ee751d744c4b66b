"""A model that fails is left alone, one that is busy gets no more than its calls; on both databases."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update

from pixshift.domain import circuits as rules
from pixshift.domain.lifecycle import Reservation, Status
from pixshift.models import TransformationType, Upload
from pixshift.models.base import db
from pixshift.services import circuits, leases, watching
from pixshift.tasks.retention import sweep_once
from tests import factories, jobs
from tests.factories import Person
from tests.jobs import World


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(database_url, tmp_path) as made:
        yield made


@contextmanager
def few_calls(database_url: str, folder: Path, limit: int) -> Iterator[World]:
    with jobs.world(database_url, folder, GEMINI_CALLS_PER_MINUTE=str(limit)) as made:
        yield made


def waiting(world: World, count: int, type_id: UUID | None = None) -> list[UUID]:
    """Jobs of one person each; of another style than the world's when ``type_id`` says so."""
    chosen = {"transformation_type_id": type_id} if type_id else {}
    return [world.job(**chosen) for _ in range(count)]


def break_circuit(world: World) -> None:
    """Jobs fail by the vendor's fault until the circuit opens."""
    waiting(world, rules.OPENS_AFTER)
    world.editor.fail("VENDOR_DOWN", times=rules.OPENS_AFTER)
    for _ in range(rules.OPENS_AFTER):
        world.make_next()
    assert is_open(world)


def is_open(world: World) -> bool:
    with world.app.app_context():
        return bool(circuits.open_circuits(world.clock()))


def other_style(world: World, model: str = "another-model") -> UUID:
    style = jobs.add_type(world.app, "oil-paint")
    with world.app.app_context():
        db.session.execute(update(TransformationType).where(TransformationType.id == style).values(model=model))
        db.session.commit()
    return style


def test_after_five_faults_in_a_row_jobs_wait_and_one_in_ten_seconds_tries(world: World) -> None:
    break_circuit(world)
    patient = waiting(world, 10)
    assert world.claim() is None
    world.clock.forward(seconds=9.9)
    assert world.claim() is None
    for _ in range(3):
        world.clock.forward(seconds=10)
        world.editor.fail("VENDOR_DOWN", retryable=True)
        world.make_next()
        assert world.claim() is None
    assert {world.read(job).status for job in patient} == {Status.PENDING}


def test_a_job_without_attempts_left_waits_whether_the_model_comes_back_and_asks_no_more(world: World) -> None:
    break_circuit(world)
    (job,) = waiting(world, 1)
    for _ in range(3):
        world.clock.forward(seconds=10)
        world.editor.fail("VENDOR_DOWN", retryable=True)
        assert world.make_next().id == job
    asked = len(world.editor.requests)
    world.clock.forward(seconds=29)
    assert world.claim() is None
    sweep_once(world.app)
    assert (world.read(job).status, len(world.editor.requests)) == (Status.PENDING, asked)
    world.clock.forward(seconds=1)
    sweep_once(world.app)
    row = world.read(job)
    assert (row.status, row.failure_reason, row.reservation) == (Status.FAILED, "VENDOR_DOWN", Reservation.RELEASED)
    assert len(world.editor.requests) == asked


def test_when_the_model_comes_back_such_a_job_gets_one_more_chance(world: World) -> None:
    break_circuit(world)
    (job,) = waiting(world, 1)
    for _ in range(3):
        world.clock.forward(seconds=10)
        world.editor.fail("VENDOR_DOWN", retryable=True)
        world.make_next()
    (prober,) = waiting(world, 1)
    world.clock.forward(seconds=10)
    assert world.make_next().id == prober
    world.clock.forward(seconds=45)
    assert world.make_next().id == job
    assert world.read(job).status is Status.COMPLETED


def test_the_first_answer_closes_the_circuit_and_wakes_who_waits(world: World) -> None:
    break_circuit(world)
    waiting(world, 4)
    world.clock.forward(seconds=10)
    world.queue.delays.clear()
    world.make_next()
    assert not is_open(world)
    assert world.queue.delays == [0.0] * 3
    assert [world.claim() is not None for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("reason", ["PROMPT_BLOCKED", "TEXT_ONLY", "VENDOR_REFUSED", "MODEL_GONE"])
def test_a_probe_that_hears_a_judgement_closes_it_too(world: World, reason: str) -> None:
    break_circuit(world)
    waiting(world, 1)
    world.clock.forward(seconds=10)
    world.editor.fail(reason)
    world.make_next()
    assert not is_open(world)


@pytest.mark.parametrize("reason", ["PROMPT_BLOCKED", "NO_IMAGE", "VENDOR_REFUSED", "STORAGE_DOWN", "UNKNOWN"])
def test_what_is_not_the_vendors_fault_never_opens_it(world: World, reason: str) -> None:
    waiting(world, 12)
    world.editor.fail(reason, times=12)
    for _ in range(12):
        world.make_next()
    assert not is_open(world)


def test_faults_between_answers_or_far_apart_do_not_open_it(world: World) -> None:
    waiting(world, 12)
    for _ in range(4):
        world.editor.fail("TIMEOUT")
        world.make_next()
    world.make_next()
    for _ in range(4):
        world.editor.fail("TIMEOUT")
        world.make_next()
    assert not is_open(world)
    world.clock.forward(minutes=11)
    world.editor.fail("TIMEOUT")
    world.make_next()
    assert not is_open(world)


def test_another_model_goes_on_meanwhile(world: World) -> None:
    break_circuit(world)
    style = other_style(world)
    waiting(world, 1)
    (other,) = waiting(world, 1, style)
    assert world.make_next().id == other
    assert world.read(other).status is Status.COMPLETED
    assert world.attempts(other)[0].model == "another-model"
    assert world.claim() is None
    with world.app.app_context():
        paused = circuits.paused_styles(world.toolbox)
    assert paused == {world.type_id}


def test_of_eight_workers_that_look_at_the_same_moment_one_tries(world: World) -> None:
    break_circuit(world)
    waiting(world, 8)
    world.clock.forward(seconds=10)
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda _: world.claim(), range(8)))
    assert sum(job is not None for job in claimed) == 1


def test_a_probe_whose_worker_dies_is_followed_by_another(world: World) -> None:
    break_circuit(world)
    waiting(world, 2)
    world.clock.forward(seconds=10)
    assert world.claim() is not None
    world.clock.forward(seconds=10)
    assert world.claim() is not None


def test_all_workers_together_make_no_more_calls_in_a_minute_than_are_allowed(
    database_url: str, tmp_path: Path
) -> None:
    with few_calls(database_url, tmp_path, limit=5) as world:
        waiting(world, 20)
        with ThreadPoolExecutor(8) as pool:
            claimed = list(pool.map(lambda _: world.claim(), range(20)))
        assert sum(job is not None for job in claimed) == 5
        with world.app.app_context():
            assert circuits.pause_seconds(world.toolbox) == pytest.approx(62)
        world.clock.forward(seconds=61)
        assert world.claim() is None
        world.clock.forward(seconds=1)
        assert [world.claim() is not None for _ in range(6)] == [True] * 5 + [False]


def test_the_limit_counts_each_model_for_itself(database_url: str, tmp_path: Path) -> None:
    with few_calls(database_url, tmp_path, limit=1) as world:
        waiting(world, 2)
        (other,) = waiting(world, 1, other_style(world))
        assert other in [world.claimed().id, world.claimed().id]
        assert world.claim() is None


def test_who_waits_for_a_model_that_fails_is_told_so_at_once(world: World) -> None:
    job_id = world.job(created_at=world.clock() - timedelta(minutes=1))
    break_circuit(world)
    (late,) = waiting(world, 1)
    with world.app.app_context():
        assert watching.is_paused(world.toolbox, world.read(late))
        assert not watching.is_paused(world.toolbox, world.read(job_id))  # it was made, and failed


def test_a_circuit_that_nobody_tried_for_long_frightens_nobody(world: World) -> None:
    break_circuit(world)
    world.clock.forward(minutes=7)
    assert not is_open(world)
    waiting(world, 2)
    assert world.claim() is not None
    assert world.claim() is None  # still one at a time


def test_a_job_that_waited_until_its_photo_was_gone_ends_and_costs_nothing(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person)
    world.clock.forward(hours=24, minutes=1)
    with world.app.app_context():
        db.session.execute(update(Upload).values(deleted_at=world.clock()))
        db.session.commit()
    sweep_once(world.app)
    row = world.read(job)
    assert (row.status, row.failure_reason) == (Status.FAILED, "PHOTO_GONE")
    assert (row.reservation, world.free_used(person)) == (Reservation.RELEASED, 0)
    with world.app.app_context():
        assert leases.end_hopeless(world.toolbox) == 0


def test_claims_look_again_when_their_turn_comes_so_nobody_is_served_twice_before_the_next(world: World) -> None:
    busy, newcomer = world.person(), world.person()
    photo = world.photo(busy)
    for number in range(20):
        world.job(busy, photo, created_at=world.clock() - timedelta(seconds=20 - number))
    world.job(newcomer)
    world.claimed()
    world.clock.forward(seconds=1)
    with ThreadPoolExecutor(4) as pool:
        people = [job.user_id for job in pool.map(lambda _: world.claimed(), range(4))]
    assert people.count(newcomer) == 1


def test_of_two_that_find_the_same_job_the_later_one_takes_one_of_another_model(world: World) -> None:
    """Both look, and see a job of the usual model; who is second at its circuit must not go away with nothing."""
    style = other_style(world)
    for model in ("another-model", world.toolbox.settings.gemini.model):
        with world.app.app_context():
            circuits.begin(model)
    for _ in range(10):
        two = {*waiting(world, 1), *waiting(world, 1, style)}
        start = threading.Barrier(2)

        def claim(start: threading.Barrier = start) -> UUID:
            start.wait(10)
            return world.claimed().id

        with ThreadPoolExecutor(2) as pool:
            assert {future.result(20) for future in [pool.submit(claim), pool.submit(claim)]} == two


def test_a_vendor_who_asks_for_a_pause_gets_one_from_all_jobs_of_that_model(world: World) -> None:
    waiting(world, 2)
    (other,) = waiting(world, 1, other_style(world))
    world.editor.fail("RATE_LIMITED", retryable=True, retry_after=20)
    world.make(next(job for job in (world.claimed(), world.claimed()) if job.id != other))
    while world.claim() is not None:
        pass
    world.clock.forward(seconds=19)
    assert world.claim() is None
    world.clock.forward(seconds=1)
    assert world.claim() is not None


# --- what people are told -------------------------------------------------------------------------------------------


def test_programs_are_told_that_their_job_waits_for_its_model(quick: Flask, who: Person) -> None:
    kind = factories.style(quick)
    factories.open_circuit(quick)
    made = factories.ask(who, kind, imageId=factories.upload(who)["imageId"])
    assert (made.status_code, made.json["transformation"]["status"]) == (201, "PENDING")
    assert made.json["transformation"]["notice"] == rules.NOTICE
    url = f"/api/v1/transformations/{made.json['transformation']['id']}"
    assert who.client.get(url).json["transformation"]["notice"] == rules.NOTICE


def test_people_are_told_before_they_press_and_while_they_wait(quick: Flask, who: Person) -> None:
    kind = factories.style(quick)
    factories.style(quick, "oil-paint", model="another-model")
    factories.open_circuit(quick)
    photo = factories.upload(who)["imageId"]
    chooser = who.client.get(f"/transform?photo={photo}").text
    assert "The model is not answering right now." in chooser
    assert "Engraving: a picture in this style waits" in chooser
    job = factories.job(who, kind, photo)
    assert rules.NOTICE in who.client.get(f"/transformations/{job}").text
    assert rules.NOTICE in who.client.get(f"/transformations/{job}/status", headers={"HX-Request": "true"}).text


def test_nobody_is_told_anything_while_the_model_is_well(quick: Flask, who: Person) -> None:
    kind = factories.style(quick)
    photo = factories.upload(who)["imageId"]
    assert "not answering" not in who.client.get(f"/transform?photo={photo}").text
    assert "not answering" not in who.client.get(f"/transformations/{factories.job(who, kind, photo)}").text


def test_a_worker_that_was_frozen_does_not_blame_the_model_for_the_time_it_slept(world: World) -> None:
    """Its deadlines have passed when it wakes up, and its jobs are others' by then: that says nothing of the vendor."""
    waiting(world, rules.OPENS_AFTER)
    asleep = [world.claimed() for _ in range(rules.OPENS_AFTER)]
    world.clock.forward(seconds=61)
    sweep_once(world.app)
    world.editor.fail("TIMEOUT", retryable=True, times=rules.OPENS_AFTER)
    for job in asleep:
        world.make(job)
    assert not is_open(world)
