"""Who gets which job next, and what becomes of a job whose worker is gone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pixshift.domain.lifecycle import LEASE, MAX_ATTEMPTS, Reservation, Stage, Status
from pixshift.errors import InvalidInput
from pixshift.models import User
from pixshift.services import desk, leases
from pixshift.services.audit import Actor
from pixshift.tasks.retention import sweep_once
from tests import jobs
from tests.jobs import World


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(sqlite_url, tmp_path) as made:
        yield made


def take_back_lost(world: World) -> int:
    with world.app.app_context():
        return leases.take_back_lost(world.toolbox)


def test_a_claim_takes_the_oldest_due_job_and_says_all_that_its_maker_needs(world: World) -> None:
    person = world.person()
    photo = world.photo(person)
    oldest = world.job(person, photo, created_at=world.clock() - timedelta(minutes=1))
    world.job(person, photo)
    claimed = world.claimed()
    assert claimed.id == oldest
    assert (claimed.user_id, claimed.attempt, claimed.photo_key) == (person, 1, photo.storage_key)
    assert (claimed.width, claimed.height, claimed.style, claimed.prompt) == (640, 480, "pop-art", "Make it pop-art.")
    row = world.read(oldest)
    assert (row.status, row.stage, row.attempts) == (Status.PROCESSING, Stage.MAKING, 1)
    assert row.lease_token == claimed.lease
    assert row.lease_expires_at == world.clock() + LEASE
    assert [(one.id, one.number, one.outcome) for one in world.attempts(oldest)] == [(claimed.attempt_id, 1, None)]


def test_a_job_whose_time_has_not_come_or_that_waits_for_money_is_left_alone(world: World) -> None:
    later = world.job(due_at=world.clock() + timedelta(seconds=5))
    world.job(due_at=None)
    assert world.claim() is None
    world.clock.forward(seconds=5)
    assert world.claimed().id == later
    assert world.claim() is None


def test_a_person_with_one_job_waits_for_at_most_two_claims_behind_somebody_with_two_hundred(world: World) -> None:
    busy, newcomer = world.person(), world.person()
    photo = world.photo(busy)
    for _ in range(200):
        world.job(busy, photo)
    for _ in range(3):
        assert world.claimed().user_id == busy
        world.clock.forward(seconds=1)
    only = world.job(newcomer)
    assert only in [world.claimed().id, world.claimed().id]


def test_people_take_turns_however_many_jobs_each_has(world: World) -> None:
    people = [world.person() for _ in range(3)]
    for person in people:
        photo = world.photo(person)
        for _ in range(4):
            world.job(person, photo)
    turns = []
    for _ in range(12):
        turns.append(world.claimed().user_id)
        world.clock.forward(milliseconds=1)
    for start in range(0, 12, 3):
        assert set(turns[start : start + 3]) == set(people)


def test_a_claim_remembers_when_its_person_was_served(world: World) -> None:
    person = world.person()
    world.job(person)
    world.claim()
    with world.app.app_context():
        served = jobs.db.session.get(User, person)
        assert served is not None
        assert served.last_claimed_at == world.clock()


def test_a_lease_in_hand_is_prolonged_by_the_heartbeat_and_never_taken_back(world: World) -> None:
    job = world.job()
    claimed = world.claimed()
    for _ in range(5):
        world.clock.forward(seconds=45)
        with world.app.app_context():
            leases.renew(world.toolbox, [claimed.lease])
        assert take_back_lost(world) == 0
    assert world.read(job).lease_expires_at == world.clock() + LEASE


def test_a_heartbeat_of_nobody_or_of_a_lost_lease_changes_nothing(world: World) -> None:
    job = world.job()
    lost = world.claimed()
    world.clock.forward(seconds=61)
    take_back_lost(world)
    with world.app.app_context():
        leases.renew(world.toolbox, [])
        leases.renew(world.toolbox, [lost.lease])
    assert world.read(job).status is Status.PENDING


def test_a_job_whose_worker_is_lost_comes_back_and_the_try_is_counted(world: World) -> None:
    job = world.job()
    lost = world.claimed()
    world.clock.forward(seconds=60)
    assert take_back_lost(world) == 0
    world.clock.forward(seconds=1)
    assert take_back_lost(world) == 1
    row = world.read(job)
    assert (row.status, row.stage, row.lease_token, row.lease_expires_at) == (
        Status.PENDING,
        Stage.WAITING,
        None,
        None,
    )
    again = world.claimed()
    assert (again.id, again.attempt) == (job, 2)
    assert again.lease != lost.lease
    assert [attempt.number for attempt in world.attempts(job)] == [1, 2]


def test_after_three_lost_workers_the_job_fails_and_its_free_picture_is_given_back_once(world: World) -> None:
    person = world.person(free_used=3)
    job = world.job(person)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert world.claimed().attempt == attempt
        world.clock.forward(seconds=61)
        take_back_lost(world)
    row = world.read(job)
    assert (row.status, row.failure_reason, row.error_code) == (Status.FAILED, "WORKER_LOST", "TRANSFORMATION_FAILED")
    assert (row.reservation, row.lease_token, row.due_at) == (Reservation.RELEASED, None, None)
    assert row.error_message
    assert world.free_used(person) == 2
    world.clock.forward(minutes=10)
    assert take_back_lost(world) == 0
    assert world.free_used(person) == 2


def test_one_job_that_cannot_be_taken_back_does_not_keep_the_others(world: World) -> None:
    jobs_of_lost = [world.job() for _ in range(5)]
    for _ in jobs_of_lost:
        world.claim()
    world.clock.forward(seconds=61)
    assert take_back_lost(world) == 5
    assert {world.read(job).status for job in jobs_of_lost} == {Status.PENDING}


def test_a_job_handed_back_is_due_at_once_and_somebody_is_told(world: World) -> None:
    job = world.job()
    claimed = world.claimed()
    with world.app.app_context():
        leases.hand_back(world.toolbox, claimed.lease)
    row = world.read(job)
    assert (row.status, row.due_at, row.lease_token) == (Status.PENDING, world.clock(), None)
    assert world.queue.delays == [0]
    assert world.claimed().id == job


def test_handing_back_a_lease_that_is_lost_changes_nothing(world: World) -> None:
    job = world.job()
    lost = world.claimed()
    world.clock.forward(seconds=61)
    take_back_lost(world)
    new = world.claimed()
    with world.app.app_context():
        leases.hand_back(world.toolbox, lost.lease)
    assert world.read(job).lease_token == new.lease
    assert world.queue.delays == []


def test_the_sweeper_nudges_once_for_every_due_job_that_no_nudge_waits_for(world: World) -> None:
    for _ in range(3):
        world.job()
    world.job(due_at=world.clock() + timedelta(minutes=1))
    sweep_once(world.app)
    assert world.queue.delays == [0, 0, 0]
    sweep_once(world.app)
    assert world.queue.delays == [0, 0, 0]


def test_an_operator_may_requeue_a_failed_job_and_it_costs_its_owner_nothing(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person)
    world.editor.fail("PROMPT_BLOCKED")
    world.make_next()
    assert world.free_used(person) == 0
    with world.app.app_context():
        desk.requeue(world.toolbox, job, Actor("cli:tester"))
    row = world.read(job)
    assert (row.status, row.stage, row.attempts, row.due_at) == (Status.PENDING, Stage.WAITING, 0, world.clock())
    assert (row.error_code, row.error_message, row.failure_reason, row.finished_at) == (None, None, None, None)
    world.make_next()
    assert world.read(job).status is Status.COMPLETED
    assert world.read(job).reservation is Reservation.RELEASED
    assert world.free_used(person) == 0
    assert [attempt.number for attempt in world.attempts(job)] == [1, 2]


def test_a_requeued_job_that_fails_again_gives_nothing_back_a_second_time(world: World) -> None:
    person = world.person(free_used=4)
    job = world.job(person)
    world.editor.fail("PROMPT_BLOCKED", times=2)
    world.make_next()
    with world.app.app_context():
        desk.requeue(world.toolbox, job, Actor("cli:tester"))
    world.make_next()
    assert world.read(job).status is Status.FAILED
    assert world.free_used(person) == 3


def test_only_a_failed_job_can_be_requeued(world: World) -> None:
    job = world.job()
    with world.app.app_context(), pytest.raises(InvalidInput, match="PENDING"):
        desk.requeue(world.toolbox, job, Actor("cli:tester"))
    world.make_next()
    with world.app.app_context(), pytest.raises(InvalidInput, match="COMPLETED"):
        desk.requeue(world.toolbox, job, Actor("cli:tester"))


def test_an_operator_who_ends_a_running_job_gives_back_what_it_took_and_its_worker_changes_nothing(
    world: World,
) -> None:
    person = world.person(free_used=1)
    job = world.job(person)
    claimed = world.claimed()
    with world.app.app_context():
        desk.fail(world.toolbox, job, Actor("cli:tester"))
    world.make(claimed)
    assert (world.read(job).status, world.read(job).failure_reason) == (Status.FAILED, "STOPPED")
    assert world.free_used(person) == 0
    assert list(world.storage.objects) == [world.read(job).original_image_url]
