"""Who owes: what a picture takes from a purse before the work, and what is given back when there is no picture."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update

from pixshift.domain.lifecycle import Purse, Reservation
from pixshift.errors import FreeTierExhausted
from pixshift.extensions import db
from pixshift.models import Transformation, User
from pixshift.models.base import change, read_rows


@dataclass(frozen=True, slots=True)
class FreeTier:
    """How many free pictures a person has used, of how many."""

    used: int
    limit: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


def free_tier(user_id: UUID, limit: int) -> FreeTier:
    rows = read_rows(select(User.free_tier_used).where(User.id == user_id))
    return FreeTier(used=rows[0].free_tier_used, limit=limit)


def reserve_free(user_id: UUID, limit: int) -> None:
    """Take one free picture, atomically; of many parallel takers exactly ``limit`` win. Raises FreeTierExhausted."""
    taken = change(
        update(User)
        .where(User.id == user_id, User.free_tier_used < limit)
        .values(free_tier_used=User.free_tier_used + 1)
    )
    if taken != 1:
        raise FreeTierExhausted(
            f"Your {limit} free pictures are used.",
            details={"freeTierUsed": limit, "freeTierLimit": limit, "remaining": 0},
        )


def settle(transformation_id: UUID) -> None:
    """The picture is there: what was reserved is spent."""
    _end(transformation_id, Reservation.SETTLED)


def release(transformation_id: UUID) -> bool:
    """Give back what was reserved, once; False when it was settled or given back before."""
    if not _end(transformation_id, Reservation.RELEASED):
        return False
    job = db.session.execute(
        select(Transformation.user_id, Transformation.pricing_tier_locked).where(Transformation.id == transformation_id)
    ).one()
    if job.pricing_tier_locked == Purse.FREE:
        change(
            update(User)
            .where(User.id == job.user_id, User.free_tier_used > 0)
            .values(free_tier_used=User.free_tier_used - 1)
        )
    return True


def _end(transformation_id: UUID, end: Reservation) -> bool:
    ended = change(
        update(Transformation)
        .where(Transformation.id == transformation_id, Transformation.reservation == Reservation.RESERVED)
        .values(reservation=end)
    )
    return ended == 1
