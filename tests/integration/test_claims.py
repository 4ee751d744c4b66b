"""Many workers, one row each: claims, finishes and take-backs at the same time, on both databases."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from pixshift.domain.lifecycle import MAX_ATTEMPTS, Reservation, Status
from pixshift.errors import InvalidInput
from pixshift.services import desk, leases
from pixshift.services.audit import Actor
from tests import jobs
from tests.jobs import World

THREADS = 8


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(database_url, tmp_path) as made:
        yield made


def together(*calls: Callable[[], object]) -> list[object]:
    """All at the same moment; what each answered."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        start.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def claim_all(world: World) -> list[UUID]:
    found = []
    while (job := world.claim()) is not None:
        found.append(job.id)
    return found


def test_eight_workers_claim_fifty_jobs_each_exactly_once(world: World) -> None:
    people = [world.person() for _ in range(5)]
    photos = {person: world.photo(person) for person in people}
    waiting = [world.job(person, photos[person]) for person in people for _ in range(10)]
    claimed = together(*[lambda: claim_all(world)] * THREADS)
    while rest := claim_all(world):  # a worker that lost a race stops, as if nothing was due: its nudge was another's
        claimed.append(rest)
    times = Counter(job for found in claimed for job in found)  # type: ignore[attr-defined]
    assert times == Counter(waiting)
    assert {world.read(job).attempts for job in waiting} == {1}
    assert {len(world.attempts(job)) for job in waiting} == {1}


def test_jobs_of_one_person_are_claimed_exactly_once_too(world: World) -> None:
    person = world.person()
    photo = world.photo(person)
    waiting = [world.job(person, photo) for _ in range(30)]
    claimed = together(*[lambda: claim_all(world)] * THREADS)
    while rest := claim_all(world):
        claimed.append(rest)
    assert Counter(job for found in claimed for job in found) == Counter(waiting)  # type: ignore[attr-defined]


def test_newcomers_do_not_starve_whoever_was_served_before(world: World) -> None:
    """More arrive than can be made: the second picture of an early person must not wait for all their firsts."""
    early = world.person()
    photo = world.photo(early)
    both = {world.job(early, photo), world.job(early, photo)}
    claimed = [world.claimed().id]
    for _ in range(10):
        world.clock.forward(seconds=1)
        for _newcomer in range(2):
            world.job()
        claimed.append(world.claimed().id)
    assert both <= set(claimed)


def test_one_person_with_two_hundred_jobs_delays_nobody_by_more_than_two_claims(world: World) -> None:
    busy, newcomer = world.person(), world.person()
    photo = world.photo(busy)
    for _ in range(200):
        world.job(busy, photo)
    assert world.claimed().user_id == busy
    world.clock.forward(seconds=1)
    only = world.job(newcomer)
    assert only in [world.claimed().id, world.claimed().id]


def test_many_workers_make_many_pictures_and_every_free_one_is_spent_once(world: World) -> None:
    people = [world.person(free_used=4) for _ in range(4)]
    photos = {person: world.photo(person) for person in people}
    waiting = [world.job(person, photos[person]) for person in people for _ in range(4)]

    def work() -> None:
        while (job := world.claim()) is not None:
            world.make(job)

    together(*[work] * 4)
    work()
    rows = [world.read(job) for job in waiting]
    assert {(row.status, row.reservation, row.attempts) for row in rows} == {(Status.COMPLETED, Reservation.SETTLED, 1)}
    assert {row.transformed_image_url for row in rows} <= set(world.storage.objects)
    assert {world.free_used(person) for person in people} == {4}


def test_many_sweepers_take_a_lost_job_back_once(world: World) -> None:
    person = world.person(free_used=20)
    photo = world.photo(person)
    lost = [world.job(person, photo, attempts=MAX_ATTEMPTS - 1) for _ in range(10)]
    assert len(claim_all(world)) == 10
    world.clock.forward(seconds=61)

    def take_back() -> int:
        with world.app.app_context():
            return leases.take_back_lost(world.toolbox)

    answers = together(*[take_back] * THREADS)
    assert sum(answers) == 10  # type: ignore[arg-type]
    assert {world.read(job).status for job in lost} == {Status.FAILED}
    assert world.free_used(person) == 10


def test_lost_jobs_are_taken_back_while_their_late_workers_fail_and_nobody_waits_forever(world: World) -> None:
    person = world.person(free_used=16)
    photo = world.photo(person)
    waiting = [world.job(person, photo, attempts=MAX_ATTEMPTS - 1) for _ in range(16)]
    claimed = [world.claimed() for _ in waiting]
    world.editor.fail("PROMPT_BLOCKED", times=16)
    world.clock.forward(seconds=61)

    def take_back() -> None:
        with world.app.app_context():
            leases.take_back_lost(world.toolbox)

    def fail_late() -> None:
        for job in reversed(claimed):
            world.make(job)

    together(take_back, fail_late, take_back)
    assert {world.read(job).status for job in waiting} == {Status.FAILED}
    assert world.free_used(person) == 0


def test_a_cancel_and_a_claim_at_the_same_time_leave_one_winner(world: World) -> None:
    for _ in range(10):
        person = world.person(free_used=1)
        job = world.job(person)
        cancelled, claimed = together(partial(world.cancel, person, job), world.claim)
        assert bool(cancelled) != bool(claimed)
        assert world.read(job).status is (Status.FAILED if cancelled else Status.PROCESSING)
        assert world.free_used(person) == (0 if cancelled else 1)


def test_a_job_that_two_operators_requeue_at_once_waits_once(world: World) -> None:
    job = world.job()
    world.editor.fail("PROMPT_BLOCKED")
    world.make_next()

    def requeue() -> bool:
        with world.app.app_context():
            try:
                desk.requeue(world.toolbox, job, Actor("cli:tester"))
            except InvalidInput:
                return False
        return True

    assert sorted(together(requeue, requeue)) == [False, True]  # type: ignore[type-var]
    assert len(claim_all(world)) == 1
