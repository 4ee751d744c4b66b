"""A person who wants to be forgotten: everything goes but the row, the invoices, and the note that it was done."""

import logging
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, or_, select, update

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import FINAL
from pixshift.domain.roles import UserRole
from pixshift.errors import InvalidInput
from pixshift.extensions import db
from pixshift.models import (
    AccountExport,
    ExportStatus,
    Identity,
    ShareLink,
    Subscription,
    Transformation,
    Upload,
    User,
    UserSession,
)
from pixshift.models.base import change, read_rows
from pixshift.services import accounts, audit, exports, leases, retention, subscriptions
from pixshift.services.audit import Actor
from pixshift.services.lifecycle import commit
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
BATCH = 100
WORD = "ERASE"
_LIVE = (ExportStatus.PENDING, ExportStatus.READY)


def require_word(typed: str) -> None:
    """Raises InvalidInput (field ``confirm``) unless they typed the word, however large."""
    if typed.strip().upper() != WORD:
        raise InvalidInput(f"Type the word {WORD} to go on. Nothing was erased.", field="confirm")


def erase(toolbox: Toolbox, user_id: UUID, actor: Actor) -> None:
    """Forget a person, at once and for good. Twice changes nothing more. Raises InvalidInput for the last admin.

    The account ends in one transaction. What follows, the jobs, the caches and the stored objects, is finished by the
    sweeper when it is interrupted.
    """
    accounts.require_another_admin(user_id, "confirm")
    hashes = list(db.session.scalars(select(UserSession.token_hash).where(UserSession.user_id == user_id)))
    _let_go(toolbox, user_id)
    if _forget(toolbox, user_id):
        audit.record(actor, "ERASE", "USER", user_id)
        log.info("account erased", extra={"user_id": str(user_id)})
    db.session.commit()
    for token_hash in hashes:
        toolbox.gateways.sessions.revoke(token_hash)
    subscriptions.end_now(toolbox, user_id)
    _end_jobs(toolbox, user_id)
    retention.delete_all_of(toolbox, user_id)
    exports.sweep(toolbox, user_id)


def erase_by_name(toolbox: Toolbox, who: str, actor: Actor) -> UUID:
    """By e-mail or phone, for operators. Raises NotFound, and as ``erase`` does."""
    user_id = accounts.find(who).id
    db.session.rollback()
    erase(toolbox, user_id, actor)
    return user_id


def follow_up(toolbox: Toolbox) -> int:
    """What was still under way when its owner was erased goes as well: a photo, a job. Answers how many it was for."""
    now = toolbox.now()
    photo = exists().where(Upload.user_id == User.id, Upload.deleted_at.is_(None), Upload.delete_due_at > now)
    running = Transformation.status.not_in(FINAL)
    kept = Transformation.deleted_at.is_(None) & (Transformation.delete_due_at > now)
    job = exists().where(Transformation.user_id == User.id, or_(running, kept))
    left = select(User.id).where(User.erased_at.is_not(None), or_(photo, job)).limit(BATCH)
    people = [row[0] for row in read_rows(left)]
    for user_id in people:
        _let_go(toolbox, user_id)
        db.session.commit()
        _end_jobs(toolbox, user_id)
    return len(people)


def _let_go(toolbox: Toolbox, user_id: UUID) -> None:
    """Everything stored is due now, and nothing of it is shown or named any more."""
    now = toolbox.now()
    settings: list[tuple[Any, Any, dict[str, Any]]] = [
        (
            Transformation,
            Transformation.status.in_(FINAL) & Transformation.deleted_at.is_(None),
            {"delete_due_at": now, "thumbnail": None},
        ),
        (Upload, Upload.deleted_at.is_(None), {"delete_due_at": now}),
        (Upload, Upload.name.is_not(None), {"name": None}),
        (ShareLink, ShareLink.revoked_at.is_(None), {"revoked_at": now}),
        (AccountExport, AccountExport.status.in_(_LIVE), {"expires_at": now}),
        (UserSession, UserSession.revoked_at.is_(None), {"revoked_at": now}),
        (UserSession, UserSession.device.is_not(None), {"device": None}),
        (Subscription, Subscription.next_look_at.is_not(None), {"next_look_at": now}),  # the sweeper ends what goes on
    ]
    for model, which, values in settings:
        change(update(model).where(model.user_id == user_id, which).values(values))


def _forget(toolbox: Toolbox, user_id: UUID) -> bool:
    """Take name, number and ways in; False when there was nobody to forget."""
    db.session.execute(
        delete(Identity).where(Identity.user_id == user_id), execution_options={"synchronize_session": False}
    )
    forgotten = change(
        update(User)
        .where(User.id == user_id, User.erased_at.is_(None))
        .values(erased_at=toolbox.now(), email=None, phone=None, pricing_tier=None, role=UserRole.GUEST)
    )
    return forgotten == 1


def _end_jobs(toolbox: Toolbox, user_id: UUID) -> None:
    """End what waits and what runs, and give back what it took. A worker that is at it has lost its lease: what it
    brings is thrown away. Each in a transaction of its own, as two that held several rows might wait for each other."""
    unfinished = select(Transformation.id).where(Transformation.user_id == user_id, Transformation.status.not_in(FINAL))
    for (job_id,) in read_rows(unfinished):
        leases.end_badly(job_id, FailureReason.CANCELLED, toolbox.now())
        commit(toolbox, job_id)
