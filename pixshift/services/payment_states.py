"""What a gateway says of a payment, written down: each function is one transaction under a lock on the record.

News that is older than what is known changes nothing, so that order and repetition do not matter.
"""

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from pixshift.domain.lifecycle import (
    BILLING_MOVES,
    DEAD_PAYMENTS,
    BillingStatus,
    PaymentStatus,
    Reservation,
    Status,
    payment_may_become,
)
from pixshift.domain.pricing import Money
from pixshift.extensions import db
from pixshift.gateways.ports import PaymentState
from pixshift.models import BillingRecord, PaymentAttempt, Transformation, User
from pixshift.models.base import change
from pixshift.services import billing, customers, payment_rows, refund_states
from pixshift.services.lifecycle import commit
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
MISMATCH = "mismatch"  # the sum, its owner or its mode are not what we asked for: it is let go
CAPTURE_FAILED = "capture_failed"
EXPIRED = "expired"


def is_ours(attempt: PaymentAttempt, record: BillingRecord, state: PaymentState) -> bool:
    """Whether the price, its currency, its owner and the mode are those that were asked for."""
    return (state.money, state.record_id, state.user_id, state.is_live) == (
        Money(record.amount, record.currency),
        record.id,
        record.user_id,
        attempt.is_live,
    )


def apply(toolbox: Toolbox, attempt_id: UUID, state: PaymentState) -> None:
    """Write down how a payment stands, and queue nothing: what it pays for becomes due in the same transaction."""
    now = toolbox.now()
    attempt, record = _lock(attempt_id)
    has_moved = payment_may_become(attempt.status, state.status)
    values = _ids(attempt, state) | {"updated_at": now}
    if has_moved:
        values["status"] = state.status
    if state.decline is not None and (has_moved or attempt.status not in DEAD_PAYMENTS):
        values["failure"] = state.decline.value
    if not is_ours(attempt, record, state):
        if attempt.failure != MISMATCH:
            log.error("payment is not what was asked for: nothing is fulfilled", extra={"record": str(record.id)})
        change(update(PaymentAttempt).where(PaymentAttempt.id == attempt_id).values(values | {"failure": MISMATCH}))
        db.session.commit()
        return
    change(update(PaymentAttempt).where(PaymentAttempt.id == attempt_id).values(values))
    customers.keep_method(record.user_id, attempt.gateway, state)
    _carry_over(record, attempt, state, has_moved, now)
    refund_states.note(record, state.refunds, now)
    if state.is_disputed:
        dispute(record, now)
    _commit(toolbox, record)


def note_decline(toolbox: Toolbox, attempt_id: UUID, reason: str) -> None:
    """The payer may try again on the same page; why it went wrong is remembered for them."""
    values = {"failure": reason, "updated_at": toolbox.now()}
    change(update(PaymentAttempt).where(PaymentAttempt.id == attempt_id).values(values))
    db.session.commit()


def bury(toolbox: Toolbox, attempt_id: UUID, reason: str | None) -> None:
    """A try of which the gateway said that no money came, or which it never heard of."""
    now = toolbox.now()
    attempt, record = _lock(attempt_id)
    if payment_may_become(attempt.status, PaymentStatus.FAILED):
        values = {"status": PaymentStatus.FAILED, "failure": reason, "updated_at": now}
        change(update(PaymentAttempt).where(PaymentAttempt.id == attempt_id).values(values))
        _drop(record, reason or EXPIRED, now)
    _commit(toolbox, record)


def close(toolbox: Toolbox, record_id: UUID, end: Reservation) -> None:
    """End a record that nothing is held for: let go, or lost when the picture was delivered all the same."""
    record = payment_rows.locked(record_id)
    if record.status is BillingStatus.PENDING:
        _end(record, end, toolbox.now())
    _commit(toolbox, record)


def dispute(record: BillingRecord, now: datetime) -> None:
    """A payer's bank asks for the money back: their spending stops, and nothing is refunded besides.

    In the current transaction; once.
    """
    first = (BillingRecord.id == record.id) & BillingRecord.disputed_at.is_(None)
    if change(update(BillingRecord).where(first).values(disputed_at=now)) == 1:
        log.error("payment disputed, spending blocked", extra={"record": str(record.id), "user": str(record.user_id)})
        change(update(User).where(User.id == record.user_id).values(spending_blocked_at=now))


def _carry_over(
    record: BillingRecord, attempt: PaymentAttempt, state: PaymentState, has_moved: bool, now: datetime
) -> None:
    """What a payment's news means for its record, and for the job that it pays."""
    facts = {
        "gateway": attempt.gateway,
        "payment_gateway_transaction_id": state.payment_id or attempt.payment_id,
        "method_label": state.method_label or record.method_label,
    }
    if state.status is PaymentStatus.HELD and has_moved:
        _write(record, None, authorized_at=now, failure=None, looks=0, next_look_at=None, **facts)
        _make_due(record, now)
    elif state.captured > record.captured:
        held = record.authorized_at or now
        charged = {"captured": state.captured, "captured_at": record.captured_at or now, "authorized_at": held}
        _write(record, BillingStatus.COMPLETED, failure=None, **charged, **facts)
        billing.give_number(record.id)
        _make_due(record, now)
    elif state.status in DEAD_PAYMENTS and has_moved:
        _drop(record, state.decline.value if state.decline else EXPIRED, now)


def _drop(record: BillingRecord, reason: str, now: datetime) -> None:
    """Nothing is held (any more). A picture that waits may be paid for again; one that has ended closes its record."""
    job = Transformation.id == record.transformation_id
    reserved = Transformation.reservation == Reservation.RESERVED
    if change(update(Transformation).where(job, reserved, Transformation.status == Status.PENDING).values(due_at=None)):
        _write(record, None, authorized_at=None, failure=reason, next_look_at=None)
        return
    end = db.session.scalar(select(Transformation.reservation).where(job)) or Reservation.RELEASED
    if end is not Reservation.RESERVED:  # else it is being made: how that ends decides
        _end(record, end, now)


def _end(record: BillingRecord, end: Reservation, now: datetime) -> None:
    is_lost = end is Reservation.SETTLED
    if is_lost:
        log.error("picture delivered, nothing to charge: the loss is ours", extra={"record": str(record.id)})
    released = now if record.authorized_at and not is_lost else None
    _write(
        record,
        BillingStatus.FAILED,
        failure=CAPTURE_FAILED if is_lost else record.failure,
        released_at=released,
        next_look_at=None,
    )


def _write(record: BillingRecord, new: BillingStatus | None, **values: Any) -> None:
    """Facts of a record, and its move to ``new`` where that is allowed."""
    row = update(BillingRecord).where(BillingRecord.id == record.id)
    change(row.values(values))
    if new is not None:
        allowed = [old for old, targets in BILLING_MOVES.items() if new in targets]
        change(row.where(BillingRecord.status.in_(allowed)).values({"status": new}))


def _make_due(record: BillingRecord, now: datetime) -> None:
    """The job that was paid for may be made."""
    waits = (Transformation.status == Status.PENDING) & Transformation.due_at.is_(None)
    reserved = Transformation.reservation == Reservation.RESERVED
    job = update(Transformation).where(Transformation.id == record.transformation_id, waits, reserved)
    change(job.values(due_at=now))


def _ids(attempt: PaymentAttempt, state: PaymentState) -> dict[str, Any]:
    """What the gateway calls the payment; a name once known is kept."""
    return {
        "session_id": attempt.session_id or state.session_id,
        "payment_id": attempt.payment_id or state.payment_id,
        "capture_id": attempt.capture_id or state.capture_id,
        "url": state.url or attempt.url,
    }


def _lock(attempt_id: UUID) -> tuple[PaymentAttempt, BillingRecord]:
    """The record first, always: whoever changes a try holds its record."""
    owner = db.session.scalar(select(PaymentAttempt.billing_record_id).where(PaymentAttempt.id == attempt_id))
    record = payment_rows.locked(owner)
    fresh = {"populate_existing": True}
    return db.session.scalars(
        select(PaymentAttempt).where(PaymentAttempt.id == attempt_id), execution_options=fresh
    ).one(), record


def _commit(toolbox: Toolbox, record: BillingRecord) -> None:
    if record.transformation_id is None:
        db.session.commit()
    else:
        commit(toolbox, record.transformation_id)
