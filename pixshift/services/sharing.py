"""Showing a picture to others: a link that lives for a day at most, and shows nothing of its owner."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, case, literal, select, update

from pixshift.domain import images, retention, sharing
from pixshift.domain.lifecycle import Status
from pixshift.errors import InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import ShareLink, Transformation, TransformationType, User
from pixshift.models.base import UtcDateTime, change, read_rows
from pixshift.services.lifecycle import commit
from pixshift.services.toolbox import Toolbox
from pixshift.services.uploads import Picture

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shared:
    """A live link as its owner knows it."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SharedPicture:
    """A live link as anybody who holds it knows it; ``storage_key`` is for us alone."""

    token: str
    link_id: UUID
    expires_at: datetime
    style: str
    slug: str
    is_preview: bool
    width: int
    height: int
    media_type: str
    storage_key: str
    created_at: datetime


def share(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> Shared:
    """A link to one's own picture: the one that lives, else a new one. The picture, not its photo, lives as long.

    Raises NotFound: without a reason when it is not one's own, else ``details.reason`` "deleted" or "not_ready".
    """
    now = toolbox.now()
    job = _lock(user_id, transformation_id)
    if job.deleted_at is not None or (job.delete_due_at is not None and job.delete_due_at <= now):
        db.session.rollback()
        raise NotFound("This picture was deleted, as promised.", details={"reason": "deleted"})
    if job.status is not Status.COMPLETED:
        db.session.rollback()
        raise NotFound("There is no picture yet.", details={"reason": "not_ready"})
    found = db.session.execute(_live(transformation_id, now)).first()
    link_id, ends = (found.id, found.expires_at) if found else (uuid4(), now + sharing.LIFE)
    if found is None:
        new = {"id": link_id, "transformation_id": transformation_id, "user_id": user_id}
        db.session.add(ShareLink(**new, created_at=now, expires_at=ends))
        _move_due(transformation_id, _later(ends))
    commit(toolbox, transformation_id)
    log.info("picture shared", extra={"job": str(transformation_id), "link": str(link_id)})
    return Shared(sharing.token(toolbox.secret, link_id), ends)


def current(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> Shared | None:
    """The live link of one's own picture, if there is one."""
    found = read_rows(_live(transformation_id, toolbox.now()).where(ShareLink.user_id == user_id))
    return Shared(sharing.token(toolbox.secret, found[0].id), found[0].expires_at) if found else None


def revoke(toolbox: Toolbox, user_id: UUID, transformation_id: UUID) -> None:
    """End the link at once; the picture goes when it would have gone without. Ending what has ended changes nothing.

    Raises NotFound when the picture is not one's own.
    """
    now = toolbox.now()
    job = _lock(user_id, transformation_id)
    ended = change(
        update(ShareLink)
        .where(ShareLink.transformation_id == transformation_id, ShareLink.revoked_at.is_(None))
        .where(ShareLink.expires_at > now)
        .values(revoked_at=now)
    )
    if ended and job.finished_at is not None:
        usual = retention.due_after_download(job.downloaded_at) if job.downloaded_at else None
        # What would have gone long ago is due now, so that operators are not told of a sweep that is late.
        _move_due(transformation_id, _sooner(max(usual or retention.due_unused(job.finished_at), now)))
        log.info("share link ended", extra={"job": str(transformation_id)})
    commit(toolbox, transformation_id)


def open_shared(toolbox: Toolbox, token: str) -> SharedPicture:
    """What a link shows. Raises NotFound (``details.reason`` "ended") for whatever cannot be shown.

    It is the same answer whether the link has ended or never was, so that guessing teaches nothing.
    """
    link_id, now = sharing.link_in(toolbox.secret, token), toolbox.now()
    rows = read_rows(_SHOWN.where(ShareLink.id == link_id, *_is_shown(now))) if link_id else []
    if not rows:
        raise NotFound(
            "This link has ended.",
            way_out="A shared picture can be seen for a day at most. Then it is deleted, as promised.",
            details={"reason": "ended"},
        )
    return SharedPicture(token, *rows[0])


def open_picture(toolbox: Toolbox, token: str) -> Picture:
    """The picture behind a link; looking at it starts no clock. Raises as ``open_shared`` does."""
    shown = open_shared(toolbox, token)
    name = images.download_name(shown.slug, shown.created_at.date(), shown.media_type)
    return Picture(toolbox.gateways.storage.open(shown.storage_key), shown.media_type, name)


def report(toolbox: Toolbox, token: str, reason: str) -> None:
    """Somebody says that this picture should not be here: kept with its link, and told to operators.

    Raises InvalidInput (field ``reason``), else as ``open_shared`` does.
    """
    shown = open_shared(toolbox, token)
    if reason not in sharing.REASONS:
        raise InvalidInput("Choose what is wrong with this picture.", field="reason")
    values: dict[str, Any] = {"reports": ShareLink.reports + 1, "reported_at": toolbox.now(), "report_reason": reason}
    change(update(ShareLink).where(ShareLink.id == shown.link_id).values(**values))
    db.session.commit()
    log.warning("a shared picture was reported", extra={"link": str(shown.link_id), "reason": reason})


def _lock(user_id: UUID, transformation_id: UUID) -> Any:
    """One's own job, whose row nobody else changes until this transaction ends: SQLite has no other way to say so."""
    mine = (Transformation.id == transformation_id) & (Transformation.user_id == user_id)
    if change(update(Transformation).where(mine).values(delete_due_at=Transformation.delete_due_at)) == 0:
        db.session.rollback()
        raise NotFound("We do not know this picture.")
    return db.session.execute(
        select(
            Transformation.status,
            Transformation.downloaded_at,
            Transformation.finished_at,
            Transformation.delete_due_at,
            Transformation.deleted_at,
        ).where(mine)
    ).one()


def _move_due(transformation_id: UUID, due: ColumnElement[datetime]) -> None:
    still_there = (Transformation.id == transformation_id) & Transformation.deleted_at.is_(None)
    change(update(Transformation).where(still_there).values(delete_due_at=due))


def _later(moment: datetime) -> ColumnElement[datetime]:
    at = literal(moment, UtcDateTime)
    return case((Transformation.delete_due_at > at, Transformation.delete_due_at), else_=at)


def _sooner(moment: datetime) -> ColumnElement[datetime]:
    at = literal(moment, UtcDateTime)
    return case((Transformation.delete_due_at < at, Transformation.delete_due_at), else_=at)


def _live(transformation_id: UUID, now: datetime) -> Any:
    """The link of a job that can be opened now: id and end."""
    return (
        select(ShareLink.id, ShareLink.expires_at)
        .join(Transformation, Transformation.id == ShareLink.transformation_id)
        .join(User, User.id == ShareLink.user_id)
        .where(ShareLink.transformation_id == transformation_id, *_is_shown(now))
        .order_by(ShareLink.expires_at.desc())
        .limit(1)
    )


def _is_shown(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        ShareLink.revoked_at.is_(None),
        ShareLink.expires_at > now,
        Transformation.status == Status.COMPLETED,
        Transformation.transformed_image_url.is_not(None),
        Transformation.deleted_at.is_(None),
        Transformation.delete_due_at > retention.shown_if_due_after(now),
        User.erased_at.is_(None),
        User.suspended_at.is_(None),
    )


_SHOWN = (
    select(
        ShareLink.id,
        ShareLink.expires_at,
        TransformationType.name,
        TransformationType.slug,
        Transformation.is_preview,
        Transformation.result_width,
        Transformation.result_height,
        Transformation.result_media_type,
        Transformation.transformed_image_url,
        ShareLink.created_at,
    )
    .join(Transformation, Transformation.id == ShareLink.transformation_id)
    .join(TransformationType, TransformationType.id == Transformation.transformation_type_id)
    .join(User, User.id == ShareLink.user_id)
)
