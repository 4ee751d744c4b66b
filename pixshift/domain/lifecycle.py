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


class PaymentStatus(StrEnum):
    """Where one try to pay stands at its gateway. Only the gateway's own word ends one."""

    CREATED = "CREATED"  # written down here; the gateway may not know of it
    OPEN = "OPEN"  # it waits for the payer
    ACTION = "ACTION"  # the payer's bank wants a confirmation
    APPROVED = "APPROVED"  # the payer agreed, the hold is still to be made
    HELD = "HELD"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    FAILED = "FAILED"  # declined, expired or abandoned: no money can come of it


class RefundStatus(StrEnum):
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class SubscriptionStatus(StrEnum):
    INCOMPLETE = "INCOMPLETE"  # asked for, not paid yet
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    ENDED = "ENDED"


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
BILLING_MOVES: dict[BillingStatus, frozenset[BillingStatus]] = {
    BillingStatus.PENDING: frozenset({BillingStatus.COMPLETED, BillingStatus.FAILED, BillingStatus.REFUNDED}),
    BillingStatus.COMPLETED: frozenset({BillingStatus.REFUNDED}),
    BillingStatus.FAILED: frozenset(),
    BillingStatus.REFUNDED: frozenset({BillingStatus.COMPLETED}),  # a refund that the payer's bank sent back
}
DEAD_PAYMENTS = frozenset({PaymentStatus.VOIDED, PaymentStatus.FAILED})


def payment_may_become(old: PaymentStatus, new: PaymentStatus) -> bool:
    """Whether news of a payment is newer than what is known; what is captured or dead stays so."""
    if old in (PaymentStatus.CAPTURED, *DEAD_PAYMENTS):
        return False
    if old is PaymentStatus.HELD:
        return new in (PaymentStatus.CAPTURED, *DEAD_PAYMENTS)
    return new is not PaymentStatus.CREATED and new is not old


def subscription_may_become(old: SubscriptionStatus, new: SubscriptionStatus) -> bool:
    """Whether news of a plan may be true; what ended stays so, and a page that was paid is not waited for again."""
    return old not in (new, SubscriptionStatus.ENDED) and new is not SubscriptionStatus.INCOMPLETE


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
