"""Money in plain words: what was held, charged, let go and given back."""

from dataclasses import dataclass
from typing import Literal

from pixshift.domain.lifecycle import BillingStatus, Reservation
from pixshift.domain.pricing import Money

DECLINES = {
    "card_declined": "Your bank declined the card.",
    "insufficient_funds": "There is not enough money on the card.",
    "expired_card": "The card has expired.",
    "authentication_failed": "Your bank did not confirm the payment.",
    "unknown_method": "That card is not known any more.",
    "expired": "The payment page closed before anything was paid.",
}


@dataclass(frozen=True, slots=True)
class Movement:
    """``tone``: ok (good news for the payer), strong (money went), muted (nothing is final)."""

    what: str
    amount: str
    note: str | None
    tone: Literal["ok", "strong", "muted"]


@dataclass(frozen=True, slots=True)
class PaidFacts:
    """A billing record and its job, as far as words need them. ``seconds`` is how long the picture took."""

    price: Money
    captured: Money
    refunded: Money
    status: BillingStatus
    was_held: bool
    is_released: bool
    is_disputed: bool
    failure: str | None
    method: str | None
    was_cancelled: bool
    seconds: float | None


def decline_sentence(failure: str | None) -> str | None:
    """Why a payment did not go through, for the payer; None: there is nothing to say."""
    return DECLINES.get(failure or "")


def of_payment(facts: PaidFacts) -> tuple[Movement, ...]:
    """Newest first."""
    price, found = facts.price.text, []
    if facts.refunded.amount:
        note = "Your bank may need a few days to show it"
        found.append(Movement("Refunded", facts.refunded.text, note, "ok"))
    if facts.is_disputed:
        found.append(Movement("Disputed", price, "Your bank decides about this payment", "muted"))
    if facts.captured.amount:
        ready = f"Picture ready in {facts.seconds:.1f} s" if facts.was_held and facts.seconds else None
        found.append(Movement("Charged", facts.captured.text, ready if facts.was_held else facts.method, "strong"))
    elif facts.status is BillingStatus.FAILED:
        found.append(_not_charged(facts))
    if facts.was_held:
        found.append(Movement("Held", price, facts.method or "Not charged", "muted"))
    elif facts.status is BillingStatus.PENDING:
        found.append(Movement("Waiting for payment", price, decline_sentence(facts.failure), "muted"))
    return tuple(found)


def _not_charged(facts: PaidFacts) -> Movement:
    if facts.failure == "capture_failed":
        return Movement("Not charged", facts.price.text, "The hold was gone. This picture is on us", "ok")
    if not facts.is_released:
        return Movement("Not paid", facts.price.text, "Nothing was held", "muted")
    why = "Cancelled, so no charge" if facts.was_cancelled else "No picture, so no charge"
    return Movement("Released", facts.price.text, why, "ok")


def of_month(
    reservation: Reservation | None, granted: int, seconds: float | None, was_cancelled: bool
) -> tuple[Movement, ...]:
    """A picture that a paid month of ``granted`` pictures gave."""
    held = Movement("Held", "1 picture", f"From your {granted}", "muted")
    if reservation is Reservation.SETTLED:
        ready = f"Picture ready in {seconds:.1f} s" if seconds else None
        return (Movement("Used", "1 picture", ready, "strong"), held)
    if reservation is Reservation.RELEASED:
        why = "Cancelled, so it does not count" if was_cancelled else "No picture, so it does not count"
        return (Movement("Given back", "1 picture", why, "ok"), held)
    return (held,)
