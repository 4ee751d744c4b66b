"""Copies of accounts: asked for by their owners, made by a worker, kept for a day.

The row is the truth here as well: whoever makes a copy owns its row while the lease that it wrote stands there.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from pixshift.domain import exports as rules
from pixshift.errors import NotFound, PixShiftError, RateLimitExceeded
from pixshift.extensions import db
from pixshift.models import AccountExport, ExportStatus, User
from pixshift.models.base import change, read_one, read_rows
from pixshift.services import export_archive
from pixshift.services.toolbox import Toolbox
from pixshift.services.uploads import Picture

log = logging.getLogger(__name__)
BATCH = 100


@dataclass(frozen=True, slots=True)
class _Claim:
    export_id: UUID
    user_id: UUID
    asked_at: datetime
    lease: datetime

    @property
    def key(self) -> str:
        return rules.storage_key(self.user_id, self.export_id)


def ask(toolbox: Toolbox, user_id: UUID) -> AccountExport:
    """The copy that is there or being made, else a new one. Raises RateLimitExceeded, NotFound (an erased person)."""
    now = toolbox.now()
    # It changes nothing, and keeps a second request of this person waiting until the first has its row.
    if change(update(User).where(User.id == user_id, User.erased_at.is_(None)).values(updated_at=now)) != 1:
        db.session.rollback()
        raise NotFound("This account is not there any more.")
    mine = select(AccountExport).where(AccountExport.user_id == user_id)
    export = db.session.scalars(mine.where(_is_live(now)).limit(1)).first()
    if export is None:
        _require_few(user_id, now)
        export = AccountExport(user_id=user_id, created_at=now)
        db.session.add(export)
        log.info("account export asked for", extra={"user_id": str(user_id)})
    db.session.commit()
    return export


def _is_live(now: datetime) -> ColumnElement[bool]:
    return or_(
        and_(AccountExport.status == ExportStatus.PENDING, AccountExport.expires_at.is_(None)),
        and_(AccountExport.status == ExportStatus.READY, AccountExport.expires_at > now),
    )


def _require_few(user_id: UUID, now: datetime) -> None:
    """One that failed was none."""
    recent = select(func.count(), func.min(AccountExport.created_at)).where(
        AccountExport.user_id == user_id,
        AccountExport.created_at > now - rules.DAY,
        AccountExport.status != ExportStatus.FAILED,
    )
    count, first = db.session.execute(recent).one()
    if count >= rules.MOST_A_DAY:
        db.session.rollback()
        raise RateLimitExceeded(
            f"{rules.MOST_A_DAY} copies a day are possible. Please come back tomorrow.",
            retry_after=(first + rules.DAY - now).total_seconds(),
            details={"limit": rules.MOST_A_DAY, "per": "day"},
        )


def current(toolbox: Toolbox, user_id: UUID) -> AccountExport | None:
    """The latest copy, to look at: one that is being made, is ready, or could not be made; None otherwise."""
    now = toolbox.now()
    mine = select(AccountExport).where(AccountExport.user_id == user_id)
    shown = or_(_is_live(now), AccountExport.status == ExportStatus.FAILED)
    return read_one(mine.where(shown).order_by(AccountExport.created_at.desc()).limit(1))


def open_export(toolbox: Toolbox, user_id: UUID, export_id: UUID) -> Picture:
    """One's own copy, open for sending. Raises NotFound when it is somebody else's, not ready, or over."""
    ready = (AccountExport.status == ExportStatus.READY) & (AccountExport.expires_at > toolbox.now())
    mine = select(AccountExport).where(AccountExport.id == export_id, AccountExport.user_id == user_id, ready)
    export = read_one(mine)
    if export is None or export.storage_key is None:
        raise NotFound("This copy is not there any more.", way_out="You can ask for a new one on your account page.")
    return Picture(toolbox.gateways.storage.open(export.storage_key), rules.MEDIA_TYPE, rules.DOWNLOAD_NAME)


def make_next(toolbox: Toolbox) -> bool:
    """Make the copy that waits longest; False when none waits. What fails is tried again when its lease is over."""
    claim = _claim(toolbox)
    if claim is None:
        return False
    try:
        data = export_archive.build(toolbox, claim.user_id)
        toolbox.gateways.storage.put(claim.key, data, rules.MEDIA_TYPE)
    except PixShiftError as error:
        log.warning("account export failed", extra={"export": str(claim.export_id), "error": type(error).__name__})
        _give_up_late(toolbox, claim)
        return True
    if not _finish(toolbox, claim, len(data)):
        _take_back(toolbox, claim)
    return True


def _claim(toolbox: Toolbox) -> _Claim | None:
    now = toolbox.now()
    is_free = or_(AccountExport.lease_expires_at.is_(None), AccountExport.lease_expires_at <= now)
    waits = and_(AccountExport.status == ExportStatus.PENDING, AccountExport.expires_at.is_(None), is_free)
    columns = AccountExport.id, AccountExport.user_id, AccountExport.created_at
    for export_id, user_id, asked_at in read_rows(select(*columns).where(waits).order_by(columns[2]).limit(5)):
        claim = _Claim(export_id, user_id, asked_at, now + rules.LEASE)
        # The row knows the object before it is stored: a worker that is killed leaves none that nobody knows.
        values = {"lease_expires_at": claim.lease, "storage_key": claim.key}
        taken = change(update(AccountExport).where(AccountExport.id == export_id, waits).values(values))
        db.session.commit()
        if taken == 1:
            return claim
    return None


def _owned(claim: _Claim) -> ColumnElement[bool]:
    return and_(
        AccountExport.id == claim.export_id,
        AccountExport.status == ExportStatus.PENDING,
        AccountExport.lease_expires_at == claim.lease,
        AccountExport.expires_at.is_(None),  # else its owner was erased meanwhile
    )


def _move(new: ExportStatus, *only_if: ColumnElement[bool], **values: Any) -> bool:
    """Move copies in a transaction of their own."""
    moved = change(update(AccountExport).where(*only_if).values({"status": new, "lease_expires_at": None} | values))
    db.session.commit()
    return moved >= 1


def _finish(toolbox: Toolbox, claim: _Claim, size: int) -> bool:
    now = toolbox.now()
    done = _move(ExportStatus.READY, _owned(claim), size_bytes=size, ready_at=now, expires_at=now + rules.KEPT)
    log.info("account export ready" if done else "account export too late", extra={"export": str(claim.export_id)})
    return done


def _give_up_late(toolbox: Toolbox, claim: _Claim) -> None:
    if toolbox.now() >= claim.asked_at + rules.LAST_TRY_AFTER:
        _move(ExportStatus.FAILED, _owned(claim), storage_key=None)


def _take_back(toolbox: Toolbox, claim: _Claim) -> None:
    """Remove what was stored too late, unless another worker has made, or makes, the same copy under the same key."""
    kept = AccountExport.expires_at.is_(None) | (AccountExport.expires_at > toolbox.now())
    live = AccountExport.status.in_((ExportStatus.PENDING, ExportStatus.READY)) & kept
    if not read_rows(select(AccountExport.id).where(AccountExport.id == claim.export_id, live)):
        toolbox.gateways.storage.delete(claim.key)


def sweep(toolbox: Toolbox, user_id: UUID | None = None) -> int:
    """Delete the copies whose time is over (one person's, or everybody's), and give up what waits in vain.

    Answers how many went. One that cannot go is tried again by a later round.
    """
    now, gone = toolbox.now(), 0
    over = and_(AccountExport.status.in_((ExportStatus.PENDING, ExportStatus.READY)), AccountExport.expires_at <= now)
    if user_id is not None:
        over = and_(over, AccountExport.user_id == user_id)
    rows = read_rows(select(AccountExport.id, AccountExport.storage_key).where(over).limit(BATCH))
    for export_id, key in rows:
        try:
            if key is not None:
                toolbox.gateways.storage.delete(key)
        except PixShiftError as error:
            log.error("an account export could not be deleted", extra={"export": str(export_id), "why": error.message})
            continue
        gone += _move(ExportStatus.DELETED, AccountExport.id == export_id, over, storage_key=None)
    is_free = or_(AccountExport.lease_expires_at.is_(None), AccountExport.lease_expires_at <= now)
    old = AccountExport.created_at <= now - rules.GIVEN_UP_AFTER
    vain = and_(AccountExport.status == ExportStatus.PENDING, AccountExport.expires_at.is_(None), old, is_free)
    if read_rows(select(AccountExport.id).where(vain).limit(1)):
        _move(ExportStatus.FAILED, vain, storage_key=None)
    return gone
