"""Making the books equal: whatever was lost on the way, our records end as the gateways have it."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select, update

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, Purse, RefundStatus, Reservation, Status
from pixshift.errors import PixShiftError
from pixshift.extensions import db
from pixshift.gateways.ports import PaymentState
from pixshift.models import BillingRecord, PaymentAttempt, Refund, Transformation
from pixshift.models.base import change, read_rows
from pixshift.services import leases, payment_rows, refunds, settlements, transformations
from pixshift.services.lifecycle import commit
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
BATCH = 100
QUIET = timedelta(minutes=5)  # a payment is looked for when nobody told us of it for so long
LONGEST_WAIT = timedelta(minutes=10)


@dataclass(slots=True)
class Report:
    """What a look at the books found: how many records were looked at, how many changed, and what does not agree."""

    looked: int = 0
    changed: int = 0
    differences: list[str] = field(default_factory=list)


def tend(toolbox: Toolbox) -> int:
    """What is due now: pictures that nobody paid for, payments whose picture ended, refunds. Answers how many."""
    return _end_unpaid(toolbox) + _finish_ended(toolbox) + _send_refunds(toolbox)


def look_for_news(toolbox: Toolbox) -> int:
    """Ask after payments of which nothing was heard for some minutes: their webhook was lost, or the payer left."""
    now = toolbox.now()
    quiet = (PaymentAttempt.updated_at < now - QUIET) & payment_rows.NOT_DEAD
    is_open = BillingRecord.status == BillingStatus.PENDING
    waiting = (
        select(BillingRecord.id)
        .join(PaymentAttempt, PaymentAttempt.billing_record_id == BillingRecord.id)
        .where(is_open, quiet, _is_due(toolbox))
    )
    return _each(toolbox, waiting, lambda record_id: transformations.payment_changed(toolbox, record_id))


def reconcile(toolbox: Toolbox, since: timedelta | None = None) -> Report:
    """Look at every open record now, and compare both ways with what the gateways have of the time since.

    Run again it changes nothing. Errors of one gateway are differences of the report; the others go on.
    """
    report, now = Report(), toolbox.now()
    begun = now - since if since else now
    recent = or_(BillingRecord.status == BillingStatus.PENDING, PaymentAttempt.created_at >= begun)
    ours = select(BillingRecord.id).join(PaymentAttempt, PaymentAttempt.billing_record_id == BillingRecord.id)
    for (record_id,) in read_rows(ours.where(recent).distinct()):
        report.looked += 1
        _compare_ours(toolbox, record_id, report)
    if since:
        for name, gateway in toolbox.gateways.payments.items():
            try:
                _compare_theirs(toolbox, name, gateway.payments_since(begun), report)
            except PixShiftError as error:
                report.differences.append(f"{name}: {error.message}")
    tend(toolbox)
    for difference in report.differences:
        log.error("books do not agree", extra={"difference": difference})
    return report


def _compare_ours(toolbox: Toolbox, record_id: UUID, report: Report) -> None:
    before = _facts(record_id)
    try:
        transformations.payment_changed(toolbox, record_id)
    except PixShiftError as error:
        report.differences.append(f"record {record_id}: {error.message}")
        return
    finally:
        db.session.rollback()
    report.changed += _facts(record_id) != before


def _compare_theirs(toolbox: Toolbox, name: str, states: Iterable[PaymentState], report: Report) -> None:
    """Each payment that a gateway has must be in our books, with the same sums."""
    for state in states:
        mine = (PaymentAttempt.id == state.attempt_id) & (PaymentAttempt.gateway == name)
        known = read_rows(select(PaymentAttempt.billing_record_id).where(mine))
        is_moved = state.captured > 0 or state.status is PaymentStatus.HELD
        if not known and is_moved:
            report.differences.append(f"{name} has payment {state.payment_id} of {state.money.text}, we do not")
        elif known:
            record = payment_rows.find(known[0].billing_record_id)
            refunded = sum(item.amount.amount for item in state.refunds if item.status is RefundStatus.SUCCEEDED)
            if (record.captured, record.refunded) != (state.captured, refunded):
                report.differences.append(
                    f"record {record.id}: {name} has {state.captured} charged and {refunded} refunded, "
                    f"we have {record.captured} and {record.refunded}"
                )


def _facts(record_id: UUID) -> tuple[object, ...]:
    columns = BillingRecord.status, BillingRecord.captured, BillingRecord.refunded, BillingRecord.authorized_at
    return tuple(read_rows(select(*columns).where(BillingRecord.id == record_id))[0])


def _end_unpaid(toolbox: Toolbox) -> int:
    """Pictures that were not paid for in a day end; a payment that arrives later is let go."""
    now = toolbox.now()
    since = now - timedelta(hours=toolbox.settings.billing.unpaid_hours)
    unpaid = (Transformation.status == Status.PENDING) & Transformation.due_at.is_(None)
    stale = unpaid & (Transformation.created_at < since) & (Transformation.pricing_tier_locked == Purse.BASIC)
    ended = 0
    for (job_id,) in read_rows(select(Transformation.id).where(stale).limit(BATCH)):
        ended += leases.end_badly(job_id, FailureReason.NOT_PAID, now, unpaid)
        commit(toolbox, job_id)
    return ended


def _finish_ended(toolbox: Toolbox) -> int:
    """Records whose picture is there or will never be, and that are not ended themselves."""
    ended = Transformation.reservation.in_((Reservation.SETTLED, Reservation.RELEASED))
    is_open = BillingRecord.status == BillingStatus.PENDING
    owed = (  # whatever its status: a charge may come of what was closed already
        (Transformation.reservation == Reservation.RELEASED)
        & (BillingRecord.captured > BillingRecord.refunded)
        & BillingRecord.disputed_at.is_(None)
    )
    orphan = BillingRecord.transformation_id.is_(None) & BillingRecord.subscription_id.is_(None)
    waiting = (
        select(BillingRecord.id)
        .outerjoin(Transformation, Transformation.id == BillingRecord.transformation_id)
        .where(or_(is_open & ended, owed, is_open & orphan), _is_due(toolbox))
    )
    return _each(toolbox, waiting, lambda record_id: settlements.finish(toolbox, record_id))


def _send_refunds(toolbox: Toolbox) -> int:
    due = (Refund.status != RefundStatus.SUCCEEDED) & (Refund.next_try_at <= toolbox.now())
    is_month = BillingRecord.subscription_id.is_not(None).label("is_month")
    waiting = select(Refund.id, Refund.billing_record_id, Refund.status, Refund.refund_id, is_month).where(due)
    rows = read_rows(waiting.join(BillingRecord, BillingRecord.id == Refund.billing_record_id).limit(BATCH))
    for row in rows:
        try:
            is_on_its_way = row.status is RefundStatus.PENDING and row.refund_id is not None
            if is_on_its_way and not row.is_month:
                settlements.look(toolbox, row.billing_record_id)  # how far is it?
            else:  # a month is no try of ours to look at: asked with the same cause, its gateway says how far it is
                refunds.send_again(toolbox, row.id)
        except PixShiftError as error:
            db.session.rollback()
            log.warning("refund is tried again later", extra={"record": str(row[1]), "error": error.message})
    return len(rows)


def _is_due(toolbox: Toolbox) -> ColumnElement[bool]:
    return or_(BillingRecord.next_look_at.is_(None), BillingRecord.next_look_at <= toolbox.now())


def _each(toolbox: Toolbox, waiting: Select[UUID], act: Callable[[UUID], None]) -> int:
    """Each for itself: one that cannot be ended now comes later, and ever later, and does not stop the others."""
    rows = read_rows(waiting.distinct().limit(BATCH))
    for (record_id,) in rows:
        _postpone(toolbox, record_id)
        try:
            act(record_id)
        except PixShiftError as error:
            db.session.rollback()
            log.warning("payment is looked at again later", extra={"record": str(record_id), "error": error.message})
    return len(rows)


def _postpone(toolbox: Toolbox, record_id: UUID) -> None:
    """Before the look: should this process end in the middle, another one comes back to it, but not at once."""
    looks = read_rows(select(BillingRecord.looks).where(BillingRecord.id == record_id))[0].looks
    wait = min(LONGEST_WAIT, timedelta(seconds=30 * 2 ** min(looks, 10)))
    row = update(BillingRecord).where(BillingRecord.id == record_id)
    change(row.values(looks=looks + 1, next_look_at=toolbox.now() + wait))
    db.session.commit()
