"""Giving money back: once per cause, never more than was taken, and again when a bank sent it back."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update

from pixshift.domain.lifecycle import PaymentStatus, RefundStatus
from pixshift.domain.pricing import Money
from pixshift.errors import InvalidInput, NotFound, PaymentFailed
from pixshift.extensions import db
from pixshift.gateways.ports import PaymentRef, RefundState
from pixshift.models import BillingRecord, PaymentAttempt, QuotaPeriod, Refund, User
from pixshift.models.base import change, read_one, read_rows
from pixshift.services import audit, payment_rows, refund_states
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
NOT_MADE, NOT_GOOD, BY_OPERATOR = "not_made", "not_good", "operator"
NOT_GOOD_WITHIN = timedelta(days=7)
RETRY_AFTER = timedelta(hours=1)


def refund(toolbox: Toolbox, record_id: UUID, cause: str, *, actor: Actor | None = None) -> Refund:
    """Give back all that was taken and not given back yet. The same cause again changes nothing.

    ``actor`` (an operator or admin) is written to the audit log. Raises NotFound, InvalidInput when there is nothing
    to give back, or ExternalServiceError: then it is written down, and tried again later.
    """
    wanted = _write_down(toolbox, record_id, cause, actor)
    if wanted.status is RefundStatus.PENDING:
        _send(toolbox, wanted)
    return _find(record_id, cause)


def not_good(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> Refund:
    """A person did not like a picture they paid for: a refund, so many times a month. Raises NotFound, InvalidInput."""
    record = payment_rows.record_of_job(transformation_id)
    if record is None or record.user_id != user_id:
        raise NotFound("We know no payment for this picture.")
    if record.captured_at is None or record.captured_at < toolbox.now() - NOT_GOOD_WITHIN:
        raise InvalidInput("Only a picture that was charged within the last 7 days can be refunded here.")
    with_cause = (Refund.billing_record_id == record.id) & (Refund.cause == NOT_GOOD)
    if not read_rows(select(Refund.id).where(with_cause)):
        _require_goodwill(toolbox, user_id)
    return refund(toolbox, record.id, NOT_GOOD)


def goodwill_left(toolbox: Toolbox, user_id: UUID) -> int:
    """How many "not good?" refunds a person may still take this month (UTC)."""
    taken = (BillingRecord.user_id == user_id) & (Refund.cause == NOT_GOOD)
    since = toolbox.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    count = select(func.count()).join(BillingRecord, BillingRecord.id == Refund.billing_record_id)
    used = read_rows(count.select_from(Refund).where(taken, Refund.created_at >= since))[0][0]
    return max(0, toolbox.settings.billing.not_good_per_month - int(used))


def send_again(toolbox: Toolbox, refund_id: UUID) -> None:
    """One that did not reach the gateway, or that a bank sent back. Raises ExternalServiceError."""
    wanted = read_one(select(Refund).where(Refund.id == refund_id, Refund.status != RefundStatus.SUCCEEDED))
    if wanted is not None:
        _postpone(toolbox, wanted)  # first: should this be interrupted, it is not tried without end
        _send(toolbox, wanted)


def _require_goodwill(toolbox: Toolbox, user_id: UUID) -> None:
    if goodwill_left(toolbox, user_id) == 0:
        limit = toolbox.settings.billing.not_good_per_month
        raise InvalidInput(
            f"You used your {limit} refunds of this month." if limit else "Refunds of this kind are not offered here.",
            way_out="You can make this picture again free of charge, once.",
            details={"limit": limit},
        )


def _write_down(toolbox: Toolbox, record_id: UUID, cause: str, actor: Actor | None) -> Refund:
    """The refund as it is wanted, before the gateway hears of it; of many at once one is written."""
    now = toolbox.now()
    record = payment_rows.locked(record_id)
    known = db.session.scalar(select(Refund).where(Refund.billing_record_id == record_id, Refund.cause == cause))
    if known is not None:
        db.session.rollback()
        return known
    promised = _promised(record_id)
    left = record.captured - promised
    if left <= 0 or record.disputed_at is not None:
        db.session.rollback()
        if record.disputed_at is not None:
            raise InvalidInput("This payment is disputed: the bank decides, and a refund would pay it back twice.")
        raise InvalidInput("Nothing is left to give back of this payment.")
    if cause == NOT_GOOD:  # again, under the lock of its owner: two at once must not both be the last one
        db.session.execute(select(User.id).where(User.id == record.user_id).with_for_update())
        _require_goodwill(toolbox, record.user_id)
    values = {"billing_record_id": record_id, "cause": cause, "amount": left, "created_at": now}
    change(insert(Refund).values(values | {"next_try_at": now + RETRY_AFTER}))
    if actor is not None:
        details = {"amount": str(left), "currency": record.currency, "cause": cause}
        before, after = {"given_back": f"{promised:.2f}"}, {"given_back": f"{promised + left:.2f}"}
        audit.record(actor, "REFUND", "BILLING_RECORD", record_id, details, before=before, after=after)
    db.session.commit()
    return _find(record_id, cause)


def _promised(record_id: UUID) -> Decimal:
    """What is given back, or on its way."""
    amounts = db.session.scalars(select(Refund.amount).where(Refund.billing_record_id == record_id))
    return sum(amounts, Decimal(0))


def _send(toolbox: Toolbox, wanted: Refund) -> None:
    record = payment_rows.find(wanted.billing_record_id)
    paid = _paid_with(record)
    gateway = toolbox.gateways.payments.get(record.gateway or "")
    if paid is None or gateway is None:
        problem = "its payment is not known" if paid is None else "its gateway is not configured"
        log.error("refund cannot be sent: %s", problem, extra={"record": str(record.id)})
        _postpone(toolbox, wanted)
        return
    cause = f"{wanted.cause}~{wanted.tries}" if wanted.tries else wanted.cause
    reference, capture_id = paid
    try:
        state = gateway.refund(reference, capture_id, Money(wanted.amount, record.currency), cause)
    except PaymentFailed:
        log.error("refund refused, it is tried again", extra={"record": str(record.id)})
        _postpone(toolbox, wanted, is_refused=True)
        return
    _note(toolbox, wanted, state)


def _paid_with(record: BillingRecord) -> tuple[PaymentRef, str] | None:
    """The try that was captured, also one taken for dead; a paid month knows its payment by the record alone."""
    if record.subscription_id is not None and record.payment_gateway_transaction_id:
        paid = record.payment_gateway_transaction_id
        return PaymentRef(attempt_id=record.id, payment_id=paid), paid
    is_captured = (PaymentAttempt.status == PaymentStatus.CAPTURED) | PaymentAttempt.capture_id.is_not(None)
    captured = payment_rows.attempts(record.id, is_captured)
    if not captured:
        return None
    return payment_rows.reference(captured[0]), captured[0].capture_id or captured[0].payment_id or ""


def _note(toolbox: Toolbox, wanted: Refund, state: RefundState) -> None:
    now = toolbox.now()
    record = payment_rows.locked(wanted.billing_record_id)
    is_over = state.status is RefundStatus.SUCCEEDED
    if state.status is RefundStatus.FAILED:
        log.error("refund refused, it is tried again", extra={"record": str(wanted.billing_record_id)})
    values = {
        "status": state.status,
        "refund_id": state.refund_id,
        "finished_at": now if is_over else None,
        "next_try_at": None if is_over else now + RETRY_AFTER,
        "tries": Refund.tries + (1 if state.status is RefundStatus.FAILED else 0),
    }
    change(update(Refund).where(Refund.id == wanted.id).values(values))
    refund_states.add_up(wanted.billing_record_id, now)
    if is_over and record.subscription_id is not None:
        _end_month(record, now)
    db.session.commit()


def _end_month(record: BillingRecord, now: datetime) -> None:
    """A month that was given back gives no more pictures. It ends where it starts when the gateway's clock is ahead."""
    month = (QuotaPeriod.subscription_id == record.subscription_id) & (QuotaPeriod.invoice_id == record.invoice_id)
    running = update(QuotaPeriod).where(month, QuotaPeriod.ends_at > now)
    change(running.where(QuotaPeriod.starts_at <= now).values(ends_at=now))
    change(running.where(QuotaPeriod.starts_at > now).values(ends_at=QuotaPeriod.starts_at))


def _postpone(toolbox: Toolbox, wanted: Refund, *, is_refused: bool = False) -> None:
    values: dict[str, Any] = {"next_try_at": toolbox.now() + RETRY_AFTER}
    if is_refused:
        values |= {"status": RefundStatus.FAILED, "tries": Refund.tries + 1}
    change(update(Refund).where(Refund.id == wanted.id).values(values))
    db.session.commit()


def _find(record_id: UUID, cause: str) -> Refund:
    found = read_one(select(Refund).where(Refund.billing_record_id == record_id, Refund.cause == cause))
    if found is None:
        raise NotFound("We do not know this refund.")
    return found
