"""Billing records and the tries to pay them, to look at or to hold on to."""

from uuid import UUID

from sqlalchemy import ColumnElement, select

from pixshift.domain.lifecycle import DEAD_PAYMENTS, Reservation
from pixshift.errors import NotFound
from pixshift.extensions import db
from pixshift.gateways.ports import PaymentRef
from pixshift.models import BillingRecord, PaymentAttempt, Transformation
from pixshift.models.base import read_all, read_one, read_rows

NOT_DEAD = PaymentAttempt.status.not_in(DEAD_PAYMENTS)


def find(record_id: UUID) -> BillingRecord:
    """Raises NotFound."""
    record = read_one(select(BillingRecord).where(BillingRecord.id == record_id))
    if record is None:
        raise NotFound("We do not know this payment.")
    return record


def record_of_job(transformation_id: UUID) -> BillingRecord | None:
    return read_one(select(BillingRecord).where(BillingRecord.transformation_id == transformation_id))


def record_of_session(user_id: UUID, gateway_name: str, session_id: str) -> UUID:
    """The billing record behind a gateway's page. Raises NotFound; somebody else's is nobody's."""
    mine = (PaymentAttempt.user_id == user_id) & (PaymentAttempt.gateway == gateway_name)
    rows = read_rows(select(PaymentAttempt.billing_record_id).where(mine, PaymentAttempt.session_id == session_id))
    if not rows:
        raise NotFound("We do not know this payment.")
    record_id: UUID = rows[0].billing_record_id
    return record_id


def attempts(record_id: UUID, *which: ColumnElement[bool]) -> list[PaymentAttempt]:
    """A record's tries, in their order."""
    mine = PaymentAttempt.billing_record_id == record_id
    return read_all(select(PaymentAttempt).where(mine, *which).order_by(PaymentAttempt.created_at, NOT_DEAD))


def live_attempt(record_id: UUID) -> PaymentAttempt | None:
    """The one try that money may still come of, or came of."""
    return next(iter(attempts(record_id, NOT_DEAD)), None)


def last_attempt(record_id: UUID) -> PaymentAttempt | None:
    found = attempts(record_id)
    return found[-1] if found else None


def reference(attempt: PaymentAttempt) -> PaymentRef:
    return PaymentRef(
        attempt_id=attempt.id,
        session_id=attempt.session_id,
        payment_id=attempt.payment_id,
        customer_id=attempt.customer_id,
    )


def reservation_end(record: BillingRecord) -> Reservation | None:
    """How the picture of a record ended: SETTLED, RELEASED (also when its job is gone), or None: not yet."""
    if record.transformation_id is None:
        return None if record.subscription_id else Reservation.RELEASED
    rows = read_rows(select(Transformation.reservation).where(Transformation.id == record.transformation_id))
    reservation: Reservation = rows[0].reservation if rows else Reservation.RELEASED
    return None if reservation is Reservation.RESERVED else reservation


def locked(record_id: UUID | None) -> BillingRecord:
    """The record as it is now, held until the transaction ends. Raises NotFound."""
    mine = select(BillingRecord).where(BillingRecord.id == record_id).with_for_update()
    record = db.session.scalars(mine, execution_options={"populate_existing": True}).one_or_none()
    if record is None:
        db.session.rollback()
        raise NotFound("We do not know this payment.")
    return record
