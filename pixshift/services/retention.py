"""Pictures that go: what is due is deleted, and the record of it stays."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, or_, select, update

from pixshift.domain import retention
from pixshift.domain.lifecycle import Status
from pixshift.errors import PixShiftError
from pixshift.extensions import db
from pixshift.models import Attempt, Transformation, Upload
from pixshift.models.base import change
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
BATCH = 500


@dataclass(frozen=True, slots=True)
class DueObject:
    """A stored object that must go, and the row that knows it."""

    model: type[Upload] | type[Transformation] | type[Attempt]
    row_id: UUID
    key: str


def downloaded(toolbox: Toolbox, transformation_id: UUID) -> None:
    """The first complete download starts the clock for the picture and its photo; later ones change nothing."""
    now = toolbox.now()
    first = change(
        update(Transformation)
        .where(
            Transformation.id == transformation_id,
            Transformation.status == Status.COMPLETED,
            Transformation.downloaded_at.is_(None),
        )
        .values(downloaded_at=now)
    )
    if first == 1:
        _bring_forward(transformation_id, retention.due_after_download(now))
        log.info("picture downloaded", extra={"job": str(transformation_id)})
    db.session.commit()


def delete_now(toolbox: Toolbox, transformation_id: UUID) -> None:
    """The owner does not want to wait: the picture and its photo are due at once, and swept at once."""
    _bring_forward(transformation_id, toolbox.now())
    db.session.commit()
    sweep(toolbox)


def _bring_forward(transformation_id: UUID, due: datetime) -> None:
    """Let the picture and its photo be due at ``due``, or sooner when they already are."""
    photo = select(Transformation.upload_id).where(Transformation.id == transformation_id).scalar_subquery()
    for model, row in ((Transformation, Transformation.id == transformation_id), (Upload, Upload.id == photo)):
        sooner = case((model.delete_due_at < due, model.delete_due_at), else_=due)
        change(update(model).where(row, model.deleted_at.is_(None)).values(delete_due_at=sooner))


def sweep(toolbox: Toolbox) -> int:
    """Delete every object that is due, each on its own: one that fails is tried again. Answers how many went."""
    gone = sum(_delete(toolbox, item) for item in due(toolbox.now()))
    if gone:
        log.info("pictures deleted", extra={"count": gone})
    return gone


def due(now: datetime) -> list[DueObject]:
    """What should not exist any more at ``now``."""
    uploads = select(Upload.id, Upload.storage_key).where(Upload.delete_due_at <= now, Upload.deleted_at.is_(None))
    results = select(Transformation.id, Transformation.transformed_image_url).where(
        Transformation.delete_due_at <= now,
        Transformation.deleted_at.is_(None),
        Transformation.transformed_image_url.is_not(None),
    )
    # What a lost worker may have stored for an attempt that never became its job's picture.
    leftovers = (
        select(Attempt.id, Attempt.storage_key)
        .join(Transformation, Transformation.id == Attempt.transformation_id)
        .where(
            Attempt.storage_key.is_not(None),
            Transformation.status != Status.PROCESSING,
            or_(
                Transformation.transformed_image_url.is_(None),
                Transformation.transformed_image_url != Attempt.storage_key,
            ),
        )
    )
    found = [*_found(Upload, uploads), *_found(Transformation, results), *_found(Attempt, leftovers)]
    db.session.rollback()
    return found


def _found(model: type[Upload] | type[Transformation] | type[Attempt], query: Any) -> list[DueObject]:
    return [DueObject(model, row_id, key) for row_id, key in db.session.execute(query.limit(BATCH)) if key]


def _delete(toolbox: Toolbox, item: DueObject) -> bool:
    try:
        toolbox.gateways.storage.delete(item.key)
    except PixShiftError as error:
        log.error("a due picture could not be deleted", extra={"row": str(item.row_id), "error": error.message})
        return False
    now, model = toolbox.now(), item.model
    if model is Attempt:
        statement = update(Attempt).where(Attempt.id == item.row_id).values(storage_key=None)
    else:
        kind = "photo" if model is Upload else "picture"
        record = retention.deletion_record(toolbox.secret, kind, str(item.row_id), now)
        statement = (
            update(model)
            .where(model.id == item.row_id, model.deleted_at.is_(None))  # type: ignore[union-attr]
            .values(deleted_at=now, deletion_record=record)
        )
    change(statement)
    db.session.commit()
    return True
