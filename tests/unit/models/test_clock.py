"""One clock for all machines: what it makes of the database's time, and of a database that is away."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from pixshift.errors import ExternalServiceError
from pixshift.models.clock import RENEW_SECONDS, RETRY_SECONDS, DatabaseClock

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Machine:
    """Its ticks, and a database that answers after ``trip`` seconds, reading its clock half-way, or not at all.

    ``trips`` are those of the first answers, where they differ; ``ahead`` is how far the database is ahead of noon.
    """

    def __init__(self) -> None:
        self.ticks, self.trip, self.asked = 1000.0, 0.0, 0
        self.trips: list[tuple[float, float]] = []
        self.ahead: timedelta | None = timedelta()

    def read(self) -> datetime:
        self.asked += 1
        out, back = self.trips.pop(0) if self.trips else (self.trip / 2, self.trip / 2)
        self.ticks += out
        if self.ahead is None:
            raise OperationalError("SELECT clock_timestamp()", None, Exception("away"))
        moment = self.true()
        self.ticks += back
        return moment

    def true(self) -> datetime:
        """What the database's clock shows now."""
        return NOON + timedelta(seconds=self.ticks - 1000.0) + (self.ahead or timedelta())

    def clock(self) -> DatabaseClock:
        return DatabaseClock(self.read, lambda: self.ticks)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_it_tells_the_databases_time_whatever_this_machine_believes(machine: Machine) -> None:
    clock = machine.clock()
    assert clock() == NOON
    machine.ticks += 30
    assert clock() == NOON + timedelta(seconds=30)
    assert machine.asked == 1


def test_it_asks_again_after_a_minute_and_believes_the_new_answer(machine: Machine) -> None:
    clock = machine.clock()
    clock()
    machine.ticks += RENEW_SECONDS
    machine.ahead = timedelta(minutes=10)
    assert clock() == NOON + timedelta(minutes=10, seconds=RENEW_SECONDS)
    assert machine.asked == 2


def test_half_of_the_trip_is_taken_off(machine: Machine) -> None:
    machine.trip = 2.0
    clock = machine.clock()
    assert clock() == machine.true()


def test_an_answer_that_took_long_is_asked_again_and_the_shortest_trip_is_believed(machine: Machine) -> None:
    """The first one also opens a connection: most of its trip lies before the database reads its clock."""
    machine.trips, machine.trip = [(0.075, 0.005), (0.001, 0.001)], 0.002
    clock = machine.clock()
    assert clock() == machine.true()
    assert machine.asked == 2


def test_a_database_that_is_always_slow_is_asked_three_times(machine: Machine) -> None:
    machine.trips, machine.trip = [(0.5, 0.1), (0.05, 0.05), (0.5, 0.1)], 1.0
    clock = machine.clock()
    assert clock() == machine.true()
    assert machine.asked == 3


def test_while_the_database_is_away_it_counts_on_and_asks_seldom(machine: Machine) -> None:
    clock = machine.clock()
    clock()
    machine.ahead = None
    machine.ticks += RENEW_SECONDS
    assert clock() == NOON + timedelta(seconds=RENEW_SECONDS)
    machine.ticks += RETRY_SECONDS / 2
    clock()
    assert machine.asked == 2
    machine.ticks += RETRY_SECONDS
    clock()
    assert machine.asked == 3


def test_before_the_database_ever_answered_nobody_is_told_a_time_that_may_be_wrong(machine: Machine) -> None:
    machine.ahead = None
    clock = machine.clock()
    with pytest.raises(ExternalServiceError):
        clock()
    machine.ahead = timedelta()
    machine.ticks += RETRY_SECONDS
    assert clock() == machine.true()


def test_threads_that_come_while_the_first_one_asks_wait_for_its_answer() -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def slowly() -> datetime:
        asked.set()
        assert may_answer.wait(10)
        return NOON

    clock = DatabaseClock(slowly, lambda: 1000.0)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(clock)
        assert asked.wait(10)
        others = [pool.submit(clock) for _ in range(7)]
        may_answer.set()
        assert {call.result(10) for call in (first, *others)} == {NOON}
