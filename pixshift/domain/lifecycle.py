"""The life of a transformation: its statuses, the moves between them, its stages, and when work is tried again."""

from datetime import datetime, timedelta
from enum import StrEnum

LEASE = timedelta(seconds=60)
HEARTBEAT_SECONDS = 15.0
SWEEP_SECONDS = 15.0
MAX_ATTEMPTS = 3
LONGEST_WAIT_SECONDS = 300.0  # nobody is kept waiting longer for another attempt, whatever the vendor asks for


class Status(StrEnum):
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Stage(StrEnum):
    """What a person sees while waiting."""

    WAITING = "waiting"
    MAKING = "making"
    CHECKING = "checking"
    READY = "ready"


class BillingStatus(StrEnum):
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"


class Purse(StrEnum):
    """What pays for a picture."""

    FREE = "free"
    BASIC = "basic"
    PREMIUM = "premium"


class Reservation(StrEnum):
    """What was taken from the purse; it ends exactly once, settled or released."""

    RESERVED = "RESERVED"
    SETTLED = "SETTLED"
    RELEASED = "RELEASED"


MOVES: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PROCESSING, Status.FAILED}),
    Status.PROCESSING: frozenset({Status.PENDING, Status.COMPLETED, Status.FAILED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset({Status.PENDING}),  # an operator's requeue only
}
FINAL = frozenset({Status.COMPLETED, Status.FAILED})


def retry_delay(attempt: int, initial_seconds: float, multiplier: float, jitter: float, asked: float | None) -> float:
    """Seconds before attempt ``attempt + 1``.

    Full jitter (``jitter`` in 0..1) on an exponential, never less than the vendor asked.
    """
    backoff = initial_seconds * multiplier ** (attempt - 1)
    return max(asked or 0.0, jitter * backoff)


def poll_seconds(elapsed: float) -> int:
    """How long a browser waits before it asks again: 2, then 3, then 5 seconds."""
    if elapsed < 20:
        return 2
    return 3 if elapsed < 60 else 5


def progress(elapsed: float, typical: float) -> int:
    """Percent of the wait that is over, an estimate: it nears but never reaches 100 before the picture is there."""
    if typical <= 0:
        return 0
    share = elapsed / typical
    return int(share * 90) if share < 1 else min(98, 90 + int((share - 1) * 10))


def lease_until(now: datetime) -> datetime:
    return now + LEASE
