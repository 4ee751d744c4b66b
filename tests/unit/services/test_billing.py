"""Free pictures: taken before the work, given back once when there is no picture."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from pixshift.domain.lifecycle import Purse, Reservation
from pixshift.errors import FreeTierExhausted
from pixshift.extensions import db
from pixshift.services import billing
from tests import jobs
from tests.jobs import World


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(sqlite_url, tmp_path) as made:
        yield made


def reserve(world: World, person: UUID, limit: int = 5) -> None:
    with world.app.app_context():
        billing.reserve_free(person, limit)
        db.session.commit()


def release(world: World, job: UUID) -> bool:
    with world.app.app_context():
        given_back = billing.release(job)
        db.session.commit()
        return given_back


def settle(world: World, job: UUID) -> None:
    with world.app.app_context():
        billing.settle(job)
        db.session.commit()


def test_each_free_picture_is_counted_and_the_one_after_the_last_is_refused(world: World) -> None:
    person = world.person()
    for used in range(1, 6):
        reserve(world, person)
        assert world.free_used(person) == used
    with pytest.raises(FreeTierExhausted) as refused:
        reserve(world, person)
    assert refused.value.details == {"freeTierUsed": 5, "freeTierLimit": 5, "remaining": 0}
    assert world.free_used(person) == 5


def test_without_any_free_pictures_the_first_one_is_refused(world: World) -> None:
    person = world.person()
    with pytest.raises(FreeTierExhausted):
        reserve(world, person, limit=0)
    assert world.free_used(person) == 0


def test_what_is_left_is_never_negative_even_when_the_limit_was_lowered(world: World) -> None:
    person = world.person(free_used=7)
    with world.app.app_context():
        tier = billing.free_tier(person, 5)
    assert (tier.used, tier.limit, tier.remaining) == (7, 5, 0)


def test_a_reservation_is_given_back_once(world: World) -> None:
    person = world.person(free_used=3)
    job = world.job(person)
    assert release(world, job)
    assert not release(world, job)
    assert world.free_used(person) == 2
    assert world.read(job).reservation is Reservation.RELEASED


def test_a_spent_reservation_is_not_given_back(world: World) -> None:
    person = world.person(free_used=3)
    job = world.job(person)
    settle(world, job)
    assert not release(world, job)
    assert world.free_used(person) == 3
    assert world.read(job).reservation is Reservation.SETTLED


def test_a_reservation_that_was_given_back_cannot_be_spent(world: World) -> None:
    job = world.job()
    release(world, job)
    settle(world, job)
    assert world.read(job).reservation is Reservation.RELEASED


def test_the_count_never_falls_below_none(world: World) -> None:
    person = world.person(free_used=0)
    assert release(world, world.job(person))
    assert world.free_used(person) == 0


@pytest.mark.parametrize("purse", [Purse.BASIC.value, Purse.PREMIUM.value, None])
def test_a_picture_that_was_not_free_gives_back_no_free_one(world: World, purse: str | None) -> None:
    person = world.person(free_used=2)
    assert release(world, world.job(person, pricing_tier_locked=purse))
    assert world.free_used(person) == 2


def test_a_job_that_took_nothing_gives_nothing_back(world: World) -> None:
    person = world.person(free_used=2)
    assert not release(world, world.job(person, reservation=None))
    assert world.free_used(person) == 2


def test_what_is_given_back_can_be_used_again(world: World) -> None:
    person = world.person(free_used=5)
    release(world, world.job(person))
    reserve(world, person)
    assert world.free_used(person) == 5
