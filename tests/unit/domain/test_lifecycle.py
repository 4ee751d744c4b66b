"""The life of a transformation."""

from datetime import UTC, datetime, timedelta

import pytest

from pixshift.domain import lifecycle
from pixshift.domain.lifecycle import FINAL, MOVES, Status

ALLOWED = {
    ("PENDING", "PROCESSING"), ("PENDING", "FAILED"), ("PROCESSING", "PENDING"), ("PROCESSING", "COMPLETED"),
    ("PROCESSING", "FAILED"), ("FAILED", "PENDING"),
}  # fmt: skip


@pytest.mark.parametrize("old", Status)
@pytest.mark.parametrize("new", Status)
def test_only_these_moves_are_allowed(old: Status, new: Status) -> None:
    assert (new in MOVES[old]) == ((old.value, new.value) in ALLOWED)


def test_every_status_has_its_moves_and_what_is_complete_stays() -> None:
    assert set(MOVES) == set(Status)
    assert MOVES[Status.COMPLETED] == frozenset()
    assert {Status.COMPLETED, Status.FAILED} == FINAL


@pytest.mark.parametrize(
    ("attempt", "jitter", "asked", "seconds"),
    [(1, 1.0, None, 1.0), (2, 1.0, None, 2.0), (3, 1.0, None, 4.0), (2, 0.25, None, 0.5), (1, 0.0, None, 0.0),
     (1, 1.0, 30.0, 30.0), (3, 1.0, 2.0, 4.0), (1, 1.0, 0.0, 1.0)],
)  # fmt: skip
def test_the_wait_before_the_next_try_doubles_and_is_never_less_than_asked(
    attempt: int, jitter: float, asked: float | None, seconds: float
) -> None:
    assert lifecycle.retry_delay(attempt, 1.0, 2.0, jitter, asked) == seconds


@pytest.mark.parametrize(("elapsed", "seconds"), [(0, 2), (19.9, 2), (20, 3), (59.9, 3), (60, 5), (3600, 5)])
def test_a_browser_asks_less_often_the_longer_it_waits(elapsed: float, seconds: int) -> None:
    assert lifecycle.poll_seconds(elapsed) == seconds


def test_progress_grows_and_never_reaches_the_end() -> None:
    shown = [lifecycle.progress(elapsed / 2, 12) for elapsed in range(1000)]
    assert shown == sorted(shown)
    assert (shown[0], shown[12], shown[24]) == (0, 45, 90)
    assert shown[-1] == 98
    assert lifecycle.progress(5, 0) == 0


def test_a_lease_outlives_three_heartbeats() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert lifecycle.lease_until(now) - now == lifecycle.LEASE
    assert timedelta(seconds=3 * lifecycle.HEARTBEAT_SECONDS) < lifecycle.LEASE
