"""A person's side of a transformation: ask for it, take it, cancel it."""

import logging
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from pixshift.domain import images, retention
from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Purse, Reservation, Status
from pixshift.errors import InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import BillingRecord, Refund, Transformation, Upload
from pixshift.models.base import read_one, read_rows
from pixshift.services import (
    billing,
    leases,
    purses,
    settlements,
    spend,
    transformation_types,
    uploads,
)
from pixshift.services.lifecycle import commit
from pixshift.services.toolbox import Toolbox
from pixshift.services.uploads import Picture

log = logging.getLogger(__name__)


def create(
    toolbox: Toolbox,
    user_id: UUID,
    *,
    type_id: UUID,
    image_id: UUID | None = None,
    image_url: str | None = None,
    tier: str | None = None,
) -> Transformation:
    """Take a picture from the first purse that has one (free, this month's, the price of one) and queue the job.

    One that must be paid for waits (``due_at`` NULL) until ``payment_changed`` learns that the price is held. ``tier``
    goes before the one the person chose. Raises NotFound, InvalidInput, FreeTierExhausted (no tier chosen),
    PaymentRequired (premium without pictures left), PaymentFailed (spending blocked) or RateLimitExceeded; then
    nothing is written.
    """
    kind = transformation_types.find_enabled(type_id)
    photo = uploads.named(toolbox, user_id, image_id=image_id, image_url=image_url)
    spend.require_room(toolbox, user_id)
    purse, period_id = purses.reserve(toolbox, user_id, tier)
    now = toolbox.now()  # not before: on SQLite a reservation waits its turn, and a job's turn counts from here
    job = _job(user_id, kind.id, photo, purse, now)
    job.quota_period_id, job.reservation = period_id, Reservation.RESERVED
    if purse is Purse.BASIC:
        job.due_at = None
    db.session.add(job)
    if purse is Purse.BASIC:
        db.session.flush()
        billing.open_record(job, purses.image_price(toolbox), kind.name, now)
    db.session.commit()
    log.info("job created", extra={"job": str(job.id), "style": kind.slug, "purse": purse.value})
    if job.due_at is not None:
        toolbox.gateways.queue.nudge()
    return job


def again(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> Transformation:
    """The same photo and style once more; a picture that was paid for, once free of charge.

    Raises as ``create`` does; a photo that is gone is NotFound.
    """
    job = find(user_id, transformation_id)
    if job.upload_id is None:
        raise NotFound("This photo was deleted. Please choose it again.", details={"reason": "deleted"})
    if may_reroll(job) and (made := _reroll(toolbox, job, job.upload_id)):
        return made
    return create(toolbox, user_id, type_id=job.transformation_type_id, image_id=job.upload_id)


def may_reroll(job: Transformation) -> bool:
    """Whether another try of this picture is free: it was paid for, kept, and not tried again yet."""
    is_paid = job.pricing_tier_locked in (Purse.BASIC, Purse.PREMIUM) and job.reservation is Reservation.SETTLED
    if not is_paid or job.status is not Status.COMPLETED:
        return False
    used = select(Transformation.id).where(Transformation.reroll_of == job.id, Transformation.status != Status.FAILED)
    given_back = select(Refund.id).join(BillingRecord, BillingRecord.id == Refund.billing_record_id)
    return not read_rows(used) and not read_rows(given_back.where(BillingRecord.transformation_id == job.id))


def payment_changed(toolbox: Toolbox, record_id: UUID) -> None:
    """Look a payment up, begin the work that it covers, and end what its job has ended. Any number of times.

    Raises NotFound, or ExternalServiceError when the gateway is away: a later call goes on.
    """
    settlements.look(toolbox, record_id)
    leases.nudge_waiting(toolbox)
    settlements.finish(toolbox, record_id)


def _reroll(toolbox: Toolbox, job: Transformation, photo_id: UUID) -> Transformation | None:
    """None when another press was first. It takes from no purse, so nothing is settled or given back for it."""
    photo = uploads.find(toolbox, job.user_id, photo_id)
    spend.require_room(toolbox, job.user_id)
    made = _job(job.user_id, job.transformation_type_id, photo, Purse(str(job.pricing_tier_locked)), toolbox.now())
    made.reroll_of = job.id
    db.session.add(made)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        return None
    toolbox.gateways.queue.nudge()
    return made


def _job(user_id: UUID, type_id: UUID, photo: Upload, purse: Purse, now: datetime) -> Transformation:
    return Transformation(
        user_id=user_id,
        transformation_type_id=type_id,
        upload_id=photo.id,
        original_image_url=photo.storage_key,
        pricing_tier_locked=purse.value,
        due_at=now,
        created_at=now,
        updated_at=now,
    )


def find(user_id: UUID, transformation_id: UUID) -> Transformation:
    """One's own job with its type and photo, to look at.

    Somebody else's is NotFound: that it exists is not revealed.
    """
    job = read_one(_OWN, {"transformation_id": transformation_id, "user_id": user_id})
    if job is None:
        raise NotFound("We do not know this picture.")
    return job


def cancel(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> Transformation:
    """End a job that still waits, and give back what it took. Raises InvalidInput once work has begun."""
    job = find(user_id, transformation_id)
    waits = Transformation.status == Status.PENDING
    if not leases.end_badly(job.id, FailureReason.CANCELLED, toolbox.now(), waits):
        db.session.rollback()
        raise InvalidInput("Too late to cancel: this picture is already being made or finished.", field="status")
    commit(toolbox, job.id)
    settlements.finish_job(toolbox, job.id)
    log.info("job cancelled", extra={"job": str(job.id)})
    return find(user_id, job.id)


def open_picture(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> Picture:
    """The picture as the model made it. Raises NotFound (``details.reason`` "deleted" or "not_ready")."""
    job = find(user_id, transformation_id)
    is_over = job.delete_due_at is not None and job.delete_due_at <= retention.shown_if_due_after(toolbox.now())
    if job.deleted_at is not None or is_over:
        raise NotFound("This picture was deleted, as promised.", details={"reason": "deleted"})
    if job.status is not Status.COMPLETED or not job.transformed_image_url or not job.result_media_type:
        raise NotFound("There is no picture yet.", details={"reason": "not_ready"})
    name = images.download_name(job.type.slug, job.created_at.date(), job.result_media_type)
    return Picture(toolbox.gateways.storage.open(job.transformed_image_url), job.result_media_type, name)


def thumbnail(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> bytes:
    """A small WebP of one's own picture. Raises NotFound once the picture is gone or overdue."""
    mine = (Transformation.id == transformation_id) & (Transformation.user_id == user_id)
    oldest = retention.shown_if_due_after(toolbox.now())
    is_over = Transformation.deleted_at.is_not(None) | (Transformation.delete_due_at <= oldest)
    rows = read_rows(select(Transformation.thumbnail, is_over.label("is_over")).where(mine))
    if rows and rows[0].is_over:
        raise NotFound("This picture was deleted, as promised.", details={"reason": "deleted"})
    if not rows or rows[0].thumbnail is None:
        raise NotFound("There is no picture here.")
    return bytes(rows[0].thumbnail)


WITH_PARTS = select(Transformation).options(
    joinedload(Transformation.type, innerjoin=True), joinedload(Transformation.upload)
)
_OWN = WITH_PARTS.where(
    Transformation.id == bindparam("transformation_id"), Transformation.user_id == bindparam("user_id")
)
