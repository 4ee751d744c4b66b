"""Payments as the desk asks for them, and the words it has for what it finds."""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field

from pixshift.domain.lifecycle import PaymentStatus, RefundStatus
from pixshift.schemas.admin_pictures import DAYS, SpanIn
from pixshift.schemas.base import In

__all__ = ["DAYS", "GATEWAYS", "OLDER", "REFUNDS", "STATES", "TRIES", "PaymentsIn", "RefundIn", "State", "cause"]


class State(StrEnum):
    """Where a payment stands, in one word; each payment is in exactly one."""

    WAITING = "waiting"
    HELD = "held"
    CHARGED = "charged"
    RELEASED = "released"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    FAILED = "failed"


STATES = {
    "waiting": "Waits for the payer",
    "held": "Held, not charged",
    "charged": "Charged",
    "released": "Released, not charged",
    "refunded": "Given back",
    "disputed": "Disputed",
    "failed": "Not paid",
}
GATEWAYS = {"stripe": "Stripe", "paypal": "PayPal", "practice": "Practice"}
OLDER = {"1h": "For more than an hour", "24h": "For more than a day", "7d": "For more than a week"}
TRIES = {
    PaymentStatus.CREATED: "Not sent yet",
    PaymentStatus.OPEN: "Waits for the payer",
    PaymentStatus.ACTION: "Waits for the payer's bank",
    PaymentStatus.APPROVED: "The payer agreed, the hold is to be made",
    PaymentStatus.HELD: "Held",
    PaymentStatus.CAPTURED: "Charged",
    PaymentStatus.VOIDED: "Let go",
    PaymentStatus.FAILED: "Ended without money",
}
REFUNDS = {
    RefundStatus.PENDING: "On its way",
    RefundStatus.SUCCEEDED: "Given back",
    RefundStatus.FAILED: "Refused, tried again",
}
_CAUSES = {
    "not_made": "The picture was not made",
    "not_good": "Its owner did not like the picture",
    "operator": "By us",
}


def cause(word: str) -> str:
    """Why money went back, in words."""
    return "In the gateway's own pages" if word.startswith("external:") else _CAUSES.get(word, word)


class PaymentsIn(SpanIn):
    """``older`` is since when it is held: hours or days, such as 1h. ``q`` is an id or number that it goes by."""

    status: State | None = None
    gateway: Literal["stripe", "paypal", "practice"] | None = None
    older: str | None = Field(default=None, pattern=r"^[0-9]{1,3}[hd]$")
    refunds: Literal["failed"] | None = None
    q: str | None = Field(default=None, max_length=255)


class RefundIn(In):
    """``amount`` is what the page said is left: should that have changed, nothing is given back."""

    amount: Decimal = Field(gt=0, max_digits=12, decimal_places=2)
