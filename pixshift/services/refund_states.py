"""What a gateway says of money given back, written down; all of it in the current transaction."""

import logging
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update

from pixshift.domain.lifecycle import BillingStatus, RefundStatus
from pixshift.extensions import db
from pixshift.gateways.ports import RefundState
from pixshift.models import BillingRecord, Refund
from pixshift.models.base import change

log = logging.getLogger(__name__)


def note(record: BillingRecord, found: tuple[RefundState, ...], now: datetime) -> None:
    for state in found:
        _note_refund(record, state, now)
    if found:
        add_up(record.id, now)


def _note_refund(record: BillingRecord, state: RefundState, now: datetime) -> None:
    """One that we know by its id or its cause is brought up to date; any other was made in the gateway's own pages."""
    mine = Refund.billing_record_id == record.id
    by_id = mine & (Refund.refund_id == state.refund_id)
    ended = {"status": state.status, "finished_at": None if state.status is RefundStatus.PENDING else now}
    if change(update(Refund).where(by_id, Refund.status != state.status).values(ended)) == 1:
        if state.status is RefundStatus.FAILED:
            log.error("refund came back, it is tried again", extra={"record": str(record.id)})
            change(update(Refund).where(by_id).values(next_try_at=now))
        return
    if db.session.scalar(select(Refund.id).where(by_id)) is not None:
        return
    cause = (state.cause or "").partition("~")[0]
    ours = mine & (Refund.cause == cause) & Refund.refund_id.is_(None)
    if change(update(Refund).where(ours).values(refund_id=state.refund_id, next_try_at=None, **ended)) == 1:
        return
    if cause and db.session.scalar(select(Refund.id).where(mine, Refund.cause == cause)) is not None:
        return  # an earlier try of it, that came back
    other = {
        "billing_record_id": record.id,
        "cause": f"external:{state.refund_id}",
        "amount": state.amount.amount,
        "refund_id": state.refund_id,
        "created_at": now,
    }
    change(insert(Refund).values(other | ended))


def add_up(record_id: UUID, now: datetime) -> None:
    """What was given back of a record in all, and whether that is everything; in the current transaction."""
    succeeded = (Refund.billing_record_id == record_id) & (Refund.status == RefundStatus.SUCCEEDED)
    refunded = db.session.scalar(select(func.coalesce(func.sum(Refund.amount), 0)).where(succeeded))
    row = update(BillingRecord).where(BillingRecord.id == record_id)
    change(row.values(refunded=refunded))
    charged, refunded_ = BillingStatus.COMPLETED, BillingStatus.REFUNDED
    is_all = (BillingRecord.refunded == BillingRecord.captured) & (BillingRecord.captured > 0)
    change(row.where(BillingRecord.status == charged, is_all).values({"status": refunded_, "refunded_at": now}))
    change(row.where(BillingRecord.status == refunded_, ~is_all).values({"status": charged, "refunded_at": None}))
