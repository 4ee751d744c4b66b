"""One clock for all machines: the database's."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from pixshift.errors import ExternalServiceError
from pixshift.models.base import read_rows

log = logging.getLogger(__name__)
RENEW_SECONDS = 60.0
RETRY_SECONDS = 5.0
SHORT_TRIP_SECONDS = 0.005
_TRIES = 3


class DatabaseClock:
    """The time of the database in UTC, asked for once a minute and counted on in between.

    Leases and due times are written by one machine and judged by others, so they must not hang on whose clock is wrong.
    While the database is away, what is known is counted on. Raises ExternalServiceError before it ever answered: who
    asks for the time needs the database anyway, and this machine's own time might take others' jobs from them.
    """

    def __init__(self, read: Callable[[], datetime] | None = None, ticks: Callable[[], float] | None = None) -> None:
        self._read, self._ticks = read or _database_time, ticks or _ticks
        self._known: tuple[datetime, float] | None = None  # a moment, and the ticks at that moment
        self._renew_at = 0.0
        self._renewing = threading.Lock()

    def __call__(self) -> datetime:
        if self._ticks() >= self._renew_at and self._renewing.acquire(blocking=self._known is None):
            try:
                if self._ticks() >= self._renew_at:  # unless somebody else did while we waited
                    self._renew()
            finally:
                self._renewing.release()
        if self._known is None:
            raise ExternalServiceError(retryable=True, category="NETWORK")
        moment, at = self._known
        return moment + timedelta(seconds=self._ticks() - at)

    def _renew(self) -> None:
        """An answer may be wrong by half its trip. A long one is asked again: the first also opens the connection."""
        shortest = float("inf")
        for _ in range(_TRIES):
            asked = self._ticks()
            try:
                moment = self._read()
            except SQLAlchemyError as error:
                log.warning("database clock away", extra={"error": type(error).__name__})
                self._renew_at = self._ticks() + RETRY_SECONDS
                return
            trip = self._ticks() - asked
            if trip < shortest:
                shortest, self._known = trip, (moment, asked + trip / 2)
            if trip <= SHORT_TRIP_SECONDS:
                break
        self._renew_at = self._ticks() + RENEW_SECONDS


def _ticks() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts them (Linux)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _database_time() -> datetime:
    moment: datetime = read_rows(_NOW)[0][0]
    return moment


_NOW = select(func.clock_timestamp())
