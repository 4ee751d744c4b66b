"""Free pictures when everybody wants one at the same time, on both databases."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Status
from pixshift.errors import FreeTierExhausted
from pixshift.extensions import db
from pixshift.models import Transformation
from pixshift.services import leases, transformations
from tests import jobs
from tests.jobs import World

LIMIT = 5


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(database_url, tmp_path) as made:
        yield made


def at_once(times: int, call: Callable[[], bool]) -> list[bool]:
    start = threading.Barrier(times)

    def run(_: int) -> bool:
        start.wait(10)
        return call()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def create(world: World, person: UUID, photo: UUID) -> bool:
    with world.app.app_context():
        try:
            transformations.create(world.toolbox, person, type_id=world.type_id, image_id=photo)
        except FreeTierExhausted:
            return False
    return True


def jobs_of(world: World, person: UUID) -> int:
    with world.app.app_context():
        return db.session.scalar(select(func.count()).where(Transformation.user_id == person)) or 0


def test_of_twenty_requests_at_once_exactly_five_are_free_and_the_others_leave_no_trace(world: World) -> None:
    person = world.person()
    photo = world.photo(person).id
    assert sum(at_once(20, lambda: create(world, person, photo))) == LIMIT
    assert (world.free_used(person), jobs_of(world, person), len(world.queue.delays)) == (LIMIT, LIMIT, LIMIT)


def test_a_job_cancelled_by_many_at_once_gives_back_one_free_picture(world: World) -> None:
    person = world.person(free_used=4)
    job = world.job(person)
    assert sum(at_once(8, partial(world.cancel, person, job))) == 1
    assert world.free_used(person) == 3


def test_many_failures_at_once_give_back_exactly_what_was_taken(world: World) -> None:
    person = world.person(free_used=5)
    photo = world.photo(person)
    waiting = [world.job(person, photo) for _ in range(5)]

    def fail_all() -> bool:
        for job in waiting:
            with world.app.app_context():
                leases.end_badly(job, FailureReason.STOPPED, world.clock())
                db.session.commit()
        return True

    at_once(6, fail_all)
    assert {world.read(job).status for job in waiting} == {Status.FAILED}
    assert world.free_used(person) == 0


def test_after_a_failure_the_free_picture_can_be_used_again(world: World) -> None:
    person = world.person(free_used=4)
    photo = world.photo(person).id
    assert create(world, person, photo)
    assert not create(world, person, photo)
    world.editor.fail("PROMPT_BLOCKED")
    world.make_next()
    assert create(world, person, photo)
    assert not create(world, person, photo)
