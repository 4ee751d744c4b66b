"""Pictures that go: what is due is deleted, and the record of it stays."""

import logging
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, literal, select, update

from pixshift.domain import retention
from pixshift.domain.lifecycle import FINAL, Status
from pixshift.errors import InternalError, InvalidInput, PixShiftError
from pixshift.extensions import db
from pixshift.gateways.ports import ImageStorage
from pixshift.models import Attempt, ShareLink, Transformation, Upload
from pixshift.models.base import UtcDateTime, change, read_rows
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
BATCH = 500  # of each kind, from each end of what is due
AT_ONCE = 8
UNANSWERED = 3
_JOB_AND_PHOTO = select(
    Transformation.status, Transformation.transformed_image_url, Transformation.upload_id, Upload.storage_key
).outerjoin(Upload, Upload.id == Transformation.upload_id)


@dataclass(frozen=True, slots=True)
class DueObject:
    """A stored object that must go, and the row that knows it."""

    model: type[Upload] | type[Transformation] | type[Attempt]
    row_id: UUID
    key: str


def downloaded(toolbox: Toolbox, transformation_id: UUID) -> None:
    """The first complete download starts the clock for the picture and its photo; later ones change nothing.

    A picture that is shared lives until its link ends; its photo does not.
    """
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
        due = literal(retention.due_after_download(now), UtcDateTime)
        shared_until = _link_end(transformation_id, now)
        _bring_forward(transformation_id, due, case((shared_until > due, shared_until), else_=due))
        log.info("picture downloaded", extra={"job": str(transformation_id)})
    db.session.commit()


def delete_now(toolbox: Toolbox, transformation_id: UUID) -> None:
    """The owner does not want to wait: the picture and its photo are due at once, and deleted at once.

    Raises InvalidInput while the picture is being made, because it would be there again afterwards. What cannot be
    deleted now is left to the sweeper; so is what others have due, for which nobody waits behind this call. A link that
    shows the picture ends.
    """
    job = db.session.execute(_JOB_AND_PHOTO.where(Transformation.id == transformation_id)).one()
    if job.status not in FINAL:
        db.session.rollback()
        raise InvalidInput("This picture is still being made. Delete it when it is ready.", field="status")
    now = toolbox.now()
    _bring_forward(transformation_id, literal(now, UtcDateTime), literal(now, UtcDateTime))
    live = (ShareLink.transformation_id == transformation_id) & ShareLink.revoked_at.is_(None)
    change(update(ShareLink).where(live).values(revoked_at=now))
    db.session.commit()
    own = ((Transformation, transformation_id, job.transformed_image_url), (Upload, job.upload_id, job.storage_key))
    _delete_each(toolbox, [DueObject(model, row_id, key) for model, row_id, key in own if key])


def delete_all_of(toolbox: Toolbox, user_id: UUID) -> int:
    """One person's photos and pictures, if they are due: at once, not when the sweeper comes. Answers how many went."""
    now, found = toolbox.now(), []
    for model, key in ((Upload, Upload.storage_key), (Transformation, Transformation.transformed_image_url)):
        own = select(model.id, key).where(
            model.user_id == user_id, model.delete_due_at <= now, model.deleted_at.is_(None), key.is_not(None)
        )
        found += [DueObject(model, row[0], row[1]) for row in read_rows(own)]
    return _delete_each(toolbox, found)


def _bring_forward(
    transformation_id: UUID, photo_due: ColumnElement[datetime], picture_due: ColumnElement[datetime]
) -> None:
    """Let the picture and its photo be due then, or sooner when they already are."""
    photo = select(Transformation.upload_id).where(Transformation.id == transformation_id).scalar_subquery()
    rows: tuple[tuple[type[Upload] | type[Transformation], Any, ColumnElement[datetime]], ...] = (
        (Transformation, Transformation.id == transformation_id, picture_due),
        (Upload, Upload.id == photo, photo_due),
    )
    for model, row, due in rows:
        sooner = case((model.delete_due_at < due, model.delete_due_at), else_=due)
        change(update(model).where(row, model.deleted_at.is_(None)).values(delete_due_at=sooner))


def _link_end(transformation_id: UUID, now: datetime) -> ColumnElement[datetime]:
    """When the picture's live link ends, NULL without one: asked within the statement that moves what is due.

    Whoever shares holds the picture's row meanwhile, and so does whoever moves what is due: one waits for the other.
    """
    live = (ShareLink.transformation_id == transformation_id) & ShareLink.revoked_at.is_(None)
    return select(func.max(ShareLink.expires_at)).where(live, ShareLink.expires_at > now).scalar_subquery()


def sweep(toolbox: Toolbox) -> int:
    """Delete what is due. Answers how many went; in which order is left to chance.

    So the same few that fail cannot end every round.
    """
    items = due(toolbox.now())
    random.shuffle(items)
    return _delete_each(toolbox, items)


def _delete_each(toolbox: Toolbox, items: list[DueObject]) -> int:
    """Each on its own: one that fails is tried again by a later round. Answers how many went.

    Some at once, because a distant store takes its time for each. One that does not answer at all costs seconds per
    object, so after three such failures the round ends.
    """
    gone = unanswered = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(items), AT_ONCE):
            some = items[start : start + AT_ONCE]
            faults = list(pool.map(partial(_fault_of_deleting, toolbox.gateways.storage), some))
            gone += sum(_record(toolbox, item) for item, fault in zip(some, faults, strict=True) if fault is None)
            unanswered += sum(fault is not None and fault.category == "NETWORK" for fault in faults)
            if unanswered >= UNANSWERED:
                break
    if gone:
        log.info("pictures deleted", extra={"count": gone})
    return gone


def due(now: datetime) -> list[DueObject]:
    """What should not exist any more at ``now``: a batch of what is due longest, and one of what is due newly.

    So neither hundreds that cannot be deleted nor a backlog make the newest late.
    """
    photos = select(Upload.id, Upload.storage_key).where(Upload.delete_due_at <= now, Upload.deleted_at.is_(None))
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
            Attempt.storage_key.is_distinct_from(Transformation.transformed_image_url),
            Transformation.status != Status.PROCESSING,
        )
    )
    found = [
        *_from_both_ends(Upload, photos, Upload.delete_due_at),
        *_from_both_ends(Transformation, results, Transformation.delete_due_at),
        *_from_both_ends(Attempt, leftovers, Attempt.started_at),
    ]
    return list(dict.fromkeys(found))


def _from_both_ends(
    model: type[Upload] | type[Transformation] | type[Attempt], query: Any, moment: Any
) -> Iterator[DueObject]:
    for order in (moment.desc(), moment.asc()):
        yield from (DueObject(model, row[0], row[1]) for row in read_rows(query.order_by(order).limit(BATCH)))


def _fault_of_deleting(storage: ImageStorage, item: DueObject) -> PixShiftError | None:
    try:
        storage.delete(item.key)
    except PixShiftError as error:
        fault = error
    except ValueError:  # no key of ours, so somebody has to look; the others must not be kept by it
        fault = InternalError("its key is none")
    else:
        return None
    log.error("a due picture could not be deleted", extra={"row": str(item.row_id), "error": fault.message})
    return fault


def _record(toolbox: Toolbox, item: DueObject) -> bool:
    """Write that the object is gone; False when another sweeper was quicker.

    The object goes first: without its record it is deleted, and recorded, once more.
    """
    now, model = toolbox.now(), item.model
    if model is Attempt:
        statement = (
            update(Attempt).where(Attempt.id == item.row_id, Attempt.storage_key == item.key).values(storage_key=None)
        )
    else:
        kind = "photo" if model is Upload else "picture"
        record = retention.deletion_record(toolbox.secret, kind, str(item.row_id), now)
        statement = (
            update(model)
            .where(model.id == item.row_id, model.deleted_at.is_(None))  # type: ignore[union-attr]
            .values(deleted_at=now, deletion_record=record, **({} if model is Upload else {"thumbnail": None}))
        )
    recorded = change(statement)
    db.session.commit()
    if model is Upload:
        _tell_watchers(toolbox, item.row_id)
    return recorded == 1


def overdue(now: datetime) -> tuple[int, datetime | None]:
    """How many pictures are due for longer than the sweep may take and not deleted, and since when the first is."""
    rows = [
        read_rows(
            select(func.count(), func.min(model.delete_due_at)).where(
                model.delete_due_at <= now - retention.OVERDUE, model.deleted_at.is_(None), key.is_not(None)
            )
        )[0]
        for model, key in ((Upload, Upload.storage_key), (Transformation, Transformation.transformed_image_url))
    ]
    return sum(row[0] for row in rows), min((row[1] for row in rows if row[1]), default=None)


def _tell_watchers(toolbox: Toolbox, upload_id: UUID) -> None:
    """A photo may go while it is being changed once more: whoever watches that job is shown none from now on."""
    for (job_id,) in read_rows(select(Transformation.id).where(Transformation.upload_id == upload_id)):
        toolbox.gateways.statuses.forget(job_id)
