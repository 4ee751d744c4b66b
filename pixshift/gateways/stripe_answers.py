"""What Stripe's objects say about a payment, in our words."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from pixshift.domain.lifecycle import PaymentStatus, RefundStatus
from pixshift.domain.pricing import Money
from pixshift.gateways.ports import Decline, PaymentState, RefundState
from pixshift.gateways.stripe_client import Answer, decline_of

# What is fetched with a payment: its charge tells of refunds and disputes, its method whether it may be kept.
WITH_PAYMENT = ["latest_charge.refunds", "payment_method"]
WITH_SESSION = [f"payment_intent.{part}" for part in WITH_PAYMENT]
_REFUNDS = {"succeeded": RefundStatus.SUCCEEDED, "failed": RefundStatus.FAILED, "canceled": RefundStatus.FAILED}
_WAITS = (PaymentStatus.OPEN, PaymentStatus.ACTION)


def our_id(metadata: Any, name: str) -> UUID | None:
    """An id that we wrote on one of their objects; None when it is not ours."""
    try:
        return UUID((metadata or {}).get(name) or "")
    except ValueError:
        return None


def id_of(value: Any) -> str | None:
    """The id of what is either expanded or only named."""
    found: str | None = value.get("id") if isinstance(value, dict) else value
    return found


def session_state(session: Answer, is_live: bool | None = None) -> PaymentState:
    """A payment by its page; the page ends it only where the payment itself has not begun."""
    intent = session.get("payment_intent")
    if isinstance(intent, dict):
        return payment_state(intent, session)
    is_open = session["status"] != "expired"
    metadata = session.get("metadata")
    return PaymentState(
        status=PaymentStatus.OPEN if is_open else PaymentStatus.FAILED,
        money=Money.from_minor(session["amount_total"], session["currency"]),
        is_live=session["livemode"],
        attempt_id=our_id(metadata, "attempt_id"),
        record_id=our_id(metadata, "record_id"),
        user_id=our_id(metadata, "user_id"),
        session_id=session["id"],
        customer_id=id_of(session.get("customer")),
        url=session.get("url") if is_open else None,
    )


def payment_state(intent: Answer, session: Answer | None = None, refunds: list[Answer] | None = None) -> PaymentState:
    """A payment by its intent, and by its page where that is known."""
    status = _status(intent, session)
    charge = intent["latest_charge"] if isinstance(intent.get("latest_charge"), dict) else {}
    method = intent["payment_method"] if isinstance(intent.get("payment_method"), dict) else {}
    metadata = intent.get("metadata")
    currency, is_captured = intent["currency"], status is PaymentStatus.CAPTURED
    given_back = (charge.get("refunds") or {}).get("data", []) if refunds is None else refunds
    return PaymentState(
        status=status,
        money=Money.from_minor(intent["amount"], currency),
        is_live=intent["livemode"],
        attempt_id=our_id(metadata, "attempt_id"),
        record_id=our_id(metadata, "record_id"),
        user_id=our_id(metadata, "user_id"),
        session_id=session["id"] if session else None,
        payment_id=intent["id"],
        capture_id=charge.get("id") if is_captured else None,
        captured=Money.from_minor(intent.get("amount_received") or 0, currency).amount if is_captured else Decimal(0),
        # Letting go of a hold is a refund too in their books, of money that was never taken.
        refunds=tuple(refund_state(refund) for refund in given_back) if is_captured else (),
        is_disputed=bool(charge.get("disputed")),
        decline=_decline(intent, status),
        method_id=method.get("id") if method.get("customer") else None,
        method_label=method_label(method),
        customer_id=id_of(intent.get("customer")),
        url=session.get("url") if session and session["status"] == "open" and status in _WAITS else None,
        client_secret=intent.get("client_secret") if status is PaymentStatus.ACTION and session is None else None,
    )


def _status(intent: Answer, session: Answer | None) -> PaymentStatus:
    """Their status as ours. A hold is judged by the payment alone, never by what its page says."""
    said = intent["status"]
    if said == "requires_capture":
        return PaymentStatus.HELD
    if said == "succeeded":
        return PaymentStatus.CAPTURED
    if said == "canceled":
        charge = intent.get("latest_charge")
        was_held = isinstance(charge, dict) and charge.get("status") == "succeeded"
        return PaymentStatus.VOIDED if was_held else PaymentStatus.FAILED
    if session is not None and session["status"] == "expired":
        return PaymentStatus.FAILED
    return PaymentStatus.ACTION if said == "requires_action" else PaymentStatus.OPEN


def _decline(intent: Answer, status: PaymentStatus) -> Decline | None:
    error = intent.get("last_payment_error")
    return decline_of(error) if error and status in (PaymentStatus.OPEN, PaymentStatus.FAILED) else None


def refund_state(refund: Answer) -> RefundState:
    return RefundState(
        refund_id=refund["id"],
        status=_REFUNDS.get(refund["status"] or "", RefundStatus.PENDING),
        amount=Money.from_minor(refund["amount"], refund["currency"]),
        cause=(refund.get("metadata") or {}).get("cause"),
    )


def method_label(method: Any) -> str | None:
    """As people know their card: its brand and last digits."""
    if not isinstance(method, dict) or not method:
        return None
    if card := method.get("card"):
        return f"{str(card['brand']).title()} ending in {card['last4']}"
    return str(method["type"]).replace("_", " ").title()
