"""A person's side of a transformation: ask for it, take it, cancel it."""

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import joinedload

from pixshift.domain import images, retention
from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Purse, Reservation, Status
from pixshift.errors import InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import Transformation
from pixshift.models.base import read_all, read_one, read_rows
from pixshift.services import billing, leases, transformation_types, uploads
from pixshift.services.lifecycle import commit
from pixshift.services.toolbox import Toolbox
from pixshift.services.uploads import Picture

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    jobs: list[Transformation]
    page: int
    limit: int
    total: int


def create(
    toolbox: Toolbox, user_id: UUID, *, type_id: UUID, image_id: UUID | None = None, image_url: str | None = None
) -> Transformation:
    """Reserve a free picture and put the job in the queue.

    Raises NotFound, InvalidInput or FreeTierExhausted; then nothing is written.
    """
    kind = transformation_types.find_enabled(type_id)
    photo = uploads.named(toolbox, user_id, image_id=image_id, image_url=image_url)
    billing.reserve_free(user_id, toolbox.settings.free_tier.limit)
    now = toolbox.now()
    job = Transformation(
        user_id=user_id,
        transformation_type_id=kind.id,
        upload_id=photo.id,
        original_image_url=photo.storage_key,
        pricing_tier_locked=Purse.FREE.value,
        reservation=Reservation.RESERVED,
        due_at=now,
        created_at=now,
        updated_at=now,
    )
    db.session.add(job)
    db.session.commit()
    log.info("job created", extra={"job": str(job.id), "style": kind.slug})
    toolbox.gateways.queue.nudge()
    return job


def again(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> Transformation:
    """The same photo and style once more. Raises as ``create`` does; a photo that is gone is NotFound."""
    job = find(user_id, transformation_id)
    if job.upload_id is None:
        raise NotFound("This photo was deleted. Please choose it again.", details={"reason": "deleted"})
    return create(toolbox, user_id, type_id=job.transformation_type_id, image_id=job.upload_id)


def find(user_id: UUID, transformation_id: UUID) -> Transformation:
    """One's own job with its type and photo, to look at.

    Somebody else's is NotFound: that it exists is not revealed.
    """
    job = read_one(_OWN, {"transformation_id": transformation_id, "user_id": user_id})
    if job is None:
        raise NotFound("We do not know this picture.")
    return job


def index(user_id: UUID, *, page: int, limit: int, status: Status | None = None, shown: str | None = None) -> Page:
    """One's own jobs, newest first. ``shown`` is a filter of the history page: ready, working, failed or deleted."""
    mine = _filtered(select(Transformation.id), user_id, status, shown)
    total = int(read_rows(select(func.count()).select_from(mine.subquery()))[0][0])
    jobs = read_all(
        _filtered(_WITH_PARTS, user_id, status, shown)
        .order_by(Transformation.created_at.desc(), Transformation.id.desc())
        .limit(limit)
        .offset((page - 1) * limit)
    )
    return Page(jobs, page, limit, total)


def counts(user_id: UUID) -> dict[str, int]:
    """How many jobs each filter of the history shows, and all of them."""
    columns = [func.count().label("all"), *(func.count().filter(shown).label(name) for name, shown in FILTERS.items())]
    return dict(read_rows(select(*columns).where(Transformation.user_id == user_id))[0]._mapping)


def cancel(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> Transformation:
    """End a job that still waits, and give back what it took. Raises InvalidInput once work has begun."""
    job = find(user_id, transformation_id)
    waits = Transformation.status == Status.PENDING
    if not leases.end_badly(job.id, FailureReason.CANCELLED, toolbox.now(), waits):
        db.session.rollback()
        raise InvalidInput("Too late to cancel: this picture is already being made or finished.", field="status")
    commit(toolbox, job.id)
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


FILTERS = {
    "ready": (Transformation.status == Status.COMPLETED) & Transformation.deleted_at.is_(None),
    "working": Transformation.status.in_([Status.PENDING, Status.PROCESSING]),
    "failed": Transformation.status == Status.FAILED,
    "deleted": Transformation.deleted_at.is_not(None),
}
_WITH_PARTS = select(Transformation).options(
    joinedload(Transformation.type, innerjoin=True), joinedload(Transformation.upload)
)
_OWN = _WITH_PARTS.where(
    Transformation.id == bindparam("transformation_id"), Transformation.user_id == bindparam("user_id")
)


def _filtered(query: Select[Any], user_id: UUID, status: Status | None, shown: str | None) -> Select[Any]:
    query = query.where(Transformation.user_id == user_id)
    if status is not None:
        query = query.where(Transformation.status == status)
    return query.where(FILTERS[shown]) if shown else query
