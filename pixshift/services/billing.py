"""Who owes: what a picture takes from a purse before the work, and what is given back when there is no picture."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from pixshift.domain.lifecycle import Purse, Reservation
from pixshift.domain.pricing import Money
from pixshift.errors import FreeTierExhausted, PaymentRequired
from pixshift.extensions import db
from pixshift.models import BillingRecord, QuotaPeriod, Transformation, User
from pixshift.models.base import change, read_rows


@dataclass(frozen=True, slots=True)
class FreeTier:
    """How many free pictures a person has used, of how many."""

    used: int
    limit: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Quota:
    """The pictures of a paid month, good from ``starts_at`` until just before ``ends_at``."""

    period_id: UUID
    used: int
    granted: int
    starts_at: datetime
    ends_at: datetime

    @property
    def remaining(self) -> int:
        return self.granted - self.used


def free_tier(user_id: UUID, limit: int) -> FreeTier:
    """Of the tier's ``limit`` and what an admin gave besides."""
    row = read_rows(select(User.free_tier_used, User.free_bonus).where(User.id == user_id))[0]
    return FreeTier(used=row.free_tier_used, limit=limit + row.free_bonus)


def reserve_free(user_id: UUID, limit: int) -> None:
    """Take one free picture, atomically; of many parallel takers as many win as are left. Raises FreeTierExhausted."""
    taken = change(
        update(User)
        .where(User.id == user_id, User.free_tier_used < limit + User.free_bonus)
        .values(free_tier_used=User.free_tier_used + 1)
    )
    if taken != 1:
        limit += db.session.scalars(select(User.free_bonus).where(User.id == user_id)).one()
        raise FreeTierExhausted(
            f"Your {limit} free pictures are used.",
            details={"freeTierUsed": limit, "freeTierLimit": limit, "remaining": 0},
        )


def quota(user_id: UUID, now: datetime) -> Quota | None:
    """The paid month that is used next: of those that run, the first to end that has pictures left, else the last.

    None when none runs.
    """
    columns = (
        QuotaPeriod.id,
        QuotaPeriod.used,
        QuotaPeriod.granted,
        QuotaPeriod.starts_at,
        QuotaPeriod.ends_at,
    )
    running = read_rows(select(*columns).where(_runs(user_id, now)).order_by(QuotaPeriod.ends_at))
    periods = [Quota(*row) for row in running]
    return next((period for period in periods if period.remaining), periods[-1] if periods else None)


def reserve_quota(user_id: UUID, now: datetime) -> UUID:
    """Take one picture of a paid month, atomically; the id of that month. Raises PaymentRequired."""
    with_room = (QuotaPeriod.used < QuotaPeriod.granted) & _runs(user_id, now)
    # Again when another request took the last picture of the month that was found: there may be another month.
    while period := db.session.scalar(select(QuotaPeriod.id).where(with_room).order_by(QuotaPeriod.ends_at).limit(1)):
        taken = update(QuotaPeriod).where(QuotaPeriod.id == period, with_room).values(used=QuotaPeriod.used + 1)
        if change(taken) == 1:
            return period
    raise PaymentRequired("Your pictures of this month are used.")


def settle(transformation_id: UUID) -> None:
    """The picture is there: what was reserved is spent."""
    _end(transformation_id, Reservation.SETTLED)


def release(transformation_id: UUID) -> bool:
    """Give back what was reserved, once; False when it was settled or given back before."""
    if not _end(transformation_id, Reservation.RELEASED):
        return False
    job = db.session.execute(
        select(Transformation.user_id, Transformation.pricing_tier_locked, Transformation.quota_period_id).where(
            Transformation.id == transformation_id
        )
    ).one()
    if job.pricing_tier_locked == Purse.FREE:
        change(
            update(User)
            .where(User.id == job.user_id, User.free_tier_used > 0)
            .values(free_tier_used=User.free_tier_used - 1)
        )
    elif job.quota_period_id is not None:
        change(
            update(QuotaPeriod)
            .where(QuotaPeriod.id == job.quota_period_id, QuotaPeriod.used > 0)
            .values(used=QuotaPeriod.used - 1)
        )
    return True


def open_record(job: Transformation, money: Money, description: str, now: datetime) -> None:
    """Write down what a picture costs, in the current transaction; nothing is held yet."""
    values = {
        "user_id": job.user_id,
        "transformation_id": job.id,
        "description": description,
        "amount": money.amount,
        "currency": money.currency,
        "created_at": now,
    }
    change(insert(BillingRecord).values(**values))


def give_number(record_id: UUID) -> None:
    """The next receipt number for a record that has none, in the current transaction: no gaps, none twice."""
    numbered = aliased(BillingRecord)
    following = select(func.coalesce(func.max(numbered.receipt_number), 0) + 1).scalar_subquery()
    unnumbered = (BillingRecord.id == record_id) & BillingRecord.receipt_number.is_(None)
    while True:
        try:
            with db.session.begin_nested():
                change(update(BillingRecord).where(unnumbered).values(receipt_number=following))
            return
        except IntegrityError:  # somebody else's charge took this number in the same moment
            continue


def _runs(user_id: UUID, now: datetime) -> ColumnElement[bool]:
    return (QuotaPeriod.user_id == user_id) & (QuotaPeriod.starts_at <= now) & (QuotaPeriod.ends_at > now)


def _end(transformation_id: UUID, end: Reservation) -> bool:
    ended = change(
        update(Transformation)
        .where(Transformation.id == transformation_id, Transformation.reservation == Reservation.RESERVED)
        .values(reservation=end)
    )
    return ended == 1
