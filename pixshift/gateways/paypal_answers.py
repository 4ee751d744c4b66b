"""What PayPal's objects say about a payment, in our words."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pixshift.domain.lifecycle import PaymentStatus, RefundStatus
from pixshift.domain.pricing import Money
from pixshift.gateways.paypal_client import Answer
from pixshift.gateways.ports import Decline, Order, PaymentState, RefundState

_TAKEN = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED", "PENDING"})  # pending: the payer has paid it already
_REFUNDS = {
    "COMPLETED": RefundStatus.SUCCEEDED,
    "PENDING": RefundStatus.PENDING,
    "FAILED": RefundStatus.FAILED,
    "CANCELLED": RefundStatus.FAILED,
}
_AUTHORIZATIONS = {
    "CREATED": PaymentStatus.HELD,
    "PARTIALLY_CAPTURED": PaymentStatus.HELD,
    "CAPTURED": PaymentStatus.CAPTURED,
    "PENDING": PaymentStatus.ACTION,  # PayPal looks at it first
    "VOIDED": PaymentStatus.VOIDED,
    "EXPIRED": PaymentStatus.VOIDED,
    "DENIED": PaymentStatus.FAILED,
}
_ORDERS = {
    "CREATED": PaymentStatus.OPEN,
    "SAVED": PaymentStatus.OPEN,
    "PAYER_ACTION_REQUIRED": PaymentStatus.OPEN,
    "APPROVED": PaymentStatus.APPROVED,
    "VOIDED": PaymentStatus.VOIDED,
}
# Why PayPal could not make a hold or take it, where the payer can do something about it.
DECLINES = {
    "INSTRUMENT_DECLINED": Decline.CARD_DECLINED,
    "TRANSACTION_REFUSED": Decline.CARD_DECLINED,
    "PAYER_CANNOT_PAY": Decline.CARD_DECLINED,
    "PAYER_ACCOUNT_RESTRICTED": Decline.CARD_DECLINED,
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": Decline.CARD_DECLINED,
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": Decline.CARD_DECLINED,
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": Decline.CARD_DECLINED,
    "INSUFFICIENT_FUNDS": Decline.NO_FUNDS,
    "CARD_EXPIRED": Decline.CARD_EXPIRED,
    "PAYER_ACTION_REQUIRED": Decline.NOT_CONFIRMED,
}
_CAUSE = "cause."  # before our word on a refund, which may otherwise carry over the payment's own


def amount_of(money: Money) -> dict[str, str]:
    return {"currency_code": money.currency, "value": str(money.amount)}


def money_of(amount: Answer) -> Money:
    return Money(Decimal(amount["value"]), amount["currency_code"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def our_ids(custom_id: object) -> tuple[UUID | None, UUID | None]:
    """Our two ids of ``<record or subscription>:<user>``; None when it is not ours."""
    first, _, second = str(custom_id or "").partition(":")
    try:
        return UUID(first), UUID(second)
    except ValueError:
        return None, None


def uuid_of(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None


def link(answer: Answer, *rels: str) -> str | None:
    """Where the first of these links of an answer leads."""
    links = {entry.get("rel"): entry.get("href") for entry in answer.get("links") or []}
    return next((links[rel] for rel in rels if links.get(rel)), None)


def order_body(order: Order) -> Answer:
    """One picture that is not shipped; the payer's money is held, and taken later."""
    unit = {
        "reference_id": str(order.attempt_id),
        "invoice_id": str(order.attempt_id),
        "custom_id": f"{order.record_id}:{order.user_id}",
        "description": order.description[:127],
        "amount": amount_of(order.money),
    }
    context = {
        "shipping_preference": "NO_SHIPPING",
        "user_action": "PAY_NOW",
        "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",  # an electronic cheque would take days
        "return_url": order.return_url,
        "cancel_url": order.cancel_url,
    }
    return {
        "intent": "AUTHORIZE",
        "purchase_units": [unit],
        "payment_source": {"paypal": {"experience_context": context}},
    }


def payment_state(order: Answer, *, is_live: bool, is_disputed: bool = False) -> PaymentState:
    """A payment by its order, as ``GET /v2/checkout/orders/{id}`` answers it."""
    unit = order["purchase_units"][0]
    made = unit.get("payments") or {}
    authorization = _latest(made.get("authorizations"))
    captures = [capture for capture in made.get("captures") or [] if capture["status"] in _TAKEN]
    status = _status(order, authorization, captures)
    record_id, user_id = our_ids(unit.get("custom_id"))
    money = money_of(unit["amount"])
    taken = sum((money_of(capture["amount"]).amount for capture in captures), Decimal(0))
    return PaymentState(
        status=status,
        money=money,
        is_live=is_live,
        attempt_id=uuid_of(unit.get("reference_id")),
        record_id=record_id,
        user_id=user_id,
        session_id=order["id"],
        payment_id=authorization.get("id"),
        capture_id=captures[0]["id"] if captures else None,
        captured=taken,
        refunds=tuple(refund_state(refund) for refund in made.get("refunds") or []),
        is_disputed=is_disputed,
        method_label="PayPal" if authorization else None,
        url=link(order, "payer-action", "approve") if status is PaymentStatus.OPEN else None,
    )


def refund_state(refund: Answer) -> RefundState:
    words = str(refund.get("custom_id") or "")
    cause = words.removeprefix(_CAUSE) if words.startswith(_CAUSE) else None
    status = _REFUNDS.get(refund["status"], RefundStatus.PENDING)
    return RefundState(refund["id"], status, money_of(refund["amount"]), cause)


def refund_body(money: Money, cause: str) -> Answer:
    return {"amount": amount_of(money), "custom_id": f"{_CAUSE}{cause}"[:127]}


def _latest(authorizations: Iterable[Any] | None) -> Answer:
    """The one that counts: an order of ours has one, a reauthorisation in the dashboard adds another."""
    made: list[Answer] = list(authorizations or [])
    return next((entry for entry in reversed(made) if entry["status"] not in ("DENIED", "VOIDED")), (made or [{}])[-1])


def _status(order: Answer, authorization: Answer, captures: list[Answer]) -> PaymentStatus:
    if captures:
        return PaymentStatus.CAPTURED
    if not authorization:
        # an order that is COMPLETED without a payment, or a word of tomorrow: nothing of ours came of it
        return _ORDERS.get(order["status"], PaymentStatus.FAILED)
    ends_at = authorization.get("expiration_time")
    status = _AUTHORIZATIONS.get(authorization["status"], PaymentStatus.ACTION)
    if status is PaymentStatus.HELD and ends_at and moment(ends_at) <= datetime.now(UTC):
        return PaymentStatus.VOIDED
    if status is PaymentStatus.CAPTURED:  # its capture was declined after all
        return PaymentStatus.FAILED
    return status
