"""Sign-ins: the database row is the truth, a cache of at most a minute stands in front of it."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select, update

from pixshift.domain import devices as device_names
from pixshift.domain.job_facts import JobFacts
from pixshift.domain.roles import UserRole
from pixshift.errors import AuthExpired, AuthForbidden, AuthInvalid, NotFound
from pixshift.extensions import db
from pixshift.gateways.ports import Revoked, SessionSnapshot
from pixshift.models import User, UserSession
from pixshift.models.base import change, read_all, read_rows
from pixshift.services import audit
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox

IDLE = timedelta(hours=24)
ABSOLUTE = timedelta(days=30)
TOUCH_EVERY = timedelta(minutes=5)
FRESH = timedelta(minutes=10)
KEPT_AFTERWARDS = timedelta(days=30)  # rows of sessions that are over
_LONGEST_TOKEN = 128


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the person behind a session that was just proved."""

    user_id: UUID
    role: UserRole
    session_id: UUID
    token_hash: str
    sees: JobFacts | None = None  # of the job a poll asks for, when the mirror had it


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody is signed in, as shown to themselves."""

    id: UUID
    name: str
    created_at: datetime
    last_seen_at: datetime
    is_current: bool


def start(toolbox: Toolbox, user_id: UUID, device: str | None) -> str:
    """Add a session to the current transaction and answer its token, which is never stored.

    Raises AuthForbidden (``details.reason`` "suspended").
    """
    _require_welcome(toolbox, user_id)
    token, now = secrets.token_urlsafe(32), toolbox.now()
    db.session.add(
        UserSession(
            user_id=user_id,
            token_hash=_hash(token),
            device=(device or "")[:80] or None,
            created_at=now,
            last_seen_at=now,
            expires_at=now + ABSOLUTE,
        )
    )
    return token


def resolve(toolbox: Toolbox, token: str, *, is_poll: bool = False, job_id: UUID | None = None) -> Caller:
    """Prove a token. Raises AuthInvalid (never issued) or AuthExpired (ended, idle too long, signed out).

    A poll does not touch the session; of the job it names, what the mirror knows comes with its caller.
    """
    token_hash, now = _hash(token[:_LONGEST_TOKEN]), toolbox.now()
    found, seen = _remembered(toolbox, token_hash, job_id)
    if isinstance(found, Revoked):
        raise AuthExpired
    snapshot = found or _load(toolbox, token_hash)
    if now >= snapshot.expires_at or now >= snapshot.last_seen_at + IDLE:
        raise AuthExpired
    if not is_poll and now >= snapshot.last_seen_at + TOUCH_EVERY:
        _touch(toolbox, snapshot, token_hash, now)
    return Caller(UUID(snapshot.user_id), UserRole(snapshot.role), UUID(snapshot.session_id), token_hash, seen)


def _remembered(
    toolbox: Toolbox, token_hash: str, job_id: UUID | None
) -> tuple[SessionSnapshot | Revoked | None, JobFacts | None]:
    if job_id is None:
        return toolbox.gateways.sessions.get(token_hash), None
    return toolbox.gateways.statuses.get(job_id, token_hash)


def end(toolbox: Toolbox, caller: Caller) -> None:
    """Sign out: effective on the next request, cache or no cache."""
    change(
        update(UserSession)
        .where(UserSession.id == caller.session_id, UserSession.revoked_at.is_(None))
        .values(revoked_at=toolbox.now())
    )
    db.session.commit()
    toolbox.gateways.sessions.revoke(caller.token_hash)


def devices(toolbox: Toolbox, caller: Caller) -> list[Device]:
    """Where the caller is signed in: this one first, then the one seen last."""
    found = [
        Device(row.id, device_names.name(row.device), row.created_at, row.last_seen_at, row.id == caller.session_id)
        for row in listed(toolbox, caller.user_id)
    ]
    return sorted(found, key=lambda device: not device.is_current)


def listed(toolbox: Toolbox, user_id: UUID | None = None, limit: int = 200) -> list[UserSession]:
    """Sessions that still work, of one person or of everybody, the one seen last first."""
    query = select(UserSession).where(*_is_live(toolbox.now())).order_by(UserSession.last_seen_at.desc()).limit(limit)
    return read_all(query if user_id is None else query.where(UserSession.user_id == user_id))


def revoke_one(toolbox: Toolbox, user_id: UUID, session_id: UUID) -> None:
    """End one of a person's own sessions. Raises NotFound when they have none such that still works."""
    if not _revoke(toolbox, UserSession.user_id == user_id, UserSession.id == session_id, *_is_live(toolbox.now())):
        raise NotFound("That device is not signed in any more.")


def end_everywhere(toolbox: Toolbox, user_id: UUID, except_session: UUID | None = None) -> int:
    """End every session of a person, or all but one; effective on their next requests."""
    spared = [] if except_session is None else [UserSession.id != except_session]
    return _revoke(toolbox, UserSession.user_id == user_id, *spared)


def revoke_all(toolbox: Toolbox, user_id: UUID, actor: Actor) -> int:
    """What an operator does to a person's sign-ins; the audit log has it in the same transaction."""
    hashes = close(toolbox, UserSession.user_id == user_id)
    audit.record(actor, "SESSIONS_REVOKED", "USER", user_id, {"ended": len(hashes)})
    db.session.commit()
    bury(toolbox, hashes)
    return len(hashes)


def close(toolbox: Toolbox, *which: ColumnElement[bool]) -> list[str]:
    """End sessions in the current transaction; after its commit their hashes go to ``bury``."""
    statement = (
        update(UserSession)
        .where(UserSession.revoked_at.is_(None), *which)
        .values(revoked_at=toolbox.now())
        .returning(UserSession.token_hash)
    )
    return list(db.session.scalars(statement, execution_options=_UNSYNCED))


def bury(toolbox: Toolbox, hashes: list[str]) -> None:
    """A tombstone for each, so that no cached snapshot outlives its row."""
    for token_hash in hashes:
        toolbox.gateways.sessions.revoke(token_hash)


def purge(toolbox: Toolbox) -> int:
    """Delete the rows of sessions that ended, expired or were left idle more than thirty days ago."""
    before = toolbox.now() - KEPT_AFTERWARDS
    over = or_(
        UserSession.revoked_at < before, UserSession.expires_at < before, UserSession.last_seen_at < before - IDLE
    )
    gone = db.session.scalars(delete(UserSession).where(over).returning(UserSession.id), execution_options=_UNSYNCED)
    count = len(gone.all())
    db.session.commit()
    return count


def require_fresh(toolbox: Toolbox, caller: Caller) -> None:
    """For what cannot be undone. Raises AuthInvalid (``details.reason`` "stale") when they signed in long ago."""
    rows = read_rows(select(UserSession.created_at).where(UserSession.id == caller.session_id))
    if not rows or rows[0].created_at <= toolbox.now() - FRESH:
        raise AuthInvalid("For this, please sign in once more.", details={"reason": "stale"})


def role_changed(toolbox: Toolbox, user_id: UUID) -> None:
    """Make the next request of every session of a person ask the database again."""
    live = select(UserSession.token_hash).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
    for row in read_rows(live):
        toolbox.gateways.sessions.forget(row.token_hash)


_UNSYNCED = {"synchronize_session": False}


def _is_live(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        UserSession.revoked_at.is_(None),
        UserSession.expires_at > now,
        UserSession.last_seen_at > now - IDLE,
    )


def _revoke(toolbox: Toolbox, *which: ColumnElement[bool]) -> int:
    hashes = close(toolbox, *which)
    db.session.commit()
    bury(toolbox, hashes)
    return len(hashes)


def _require_welcome(toolbox: Toolbox, user_id: UUID) -> None:
    """Holds the row until the commit: whoever suspends them in this moment finds the new session, or is found."""
    is_suspended = select(User.suspended_at.is_not(None)).where(User.id == user_id).with_for_update(key_share=True)
    if not db.session.scalar(is_suspended):
        return
    db.session.rollback()
    whom = toolbox.settings.billing.seller.email or "those who run this site"
    raise AuthForbidden(
        "This account is suspended, so nobody can sign in to it. Nothing of it is lost.",
        way_out=f"Write to {whom} if you think this is a mistake, or to have a plan ended or everything erased.",
        details={"reason": "suspended"},
    )


_BY_HASH = (
    select(
        UserSession.id,
        UserSession.user_id,
        UserSession.expires_at,
        UserSession.last_seen_at,
        UserSession.revoked_at,
        User.role,
        User.erased_at,
        User.suspended_at,
    )
    .join(User, User.id == UserSession.user_id)
    .limit(1)
)


def _load(toolbox: Toolbox, token_hash: str) -> SessionSnapshot:
    rows = read_rows(_BY_HASH.where(UserSession.token_hash == token_hash))
    if not rows:
        raise AuthInvalid("This sign-in is not known. Please sign in again.")
    row = rows[0]
    if row.revoked_at or row.erased_at or row.suspended_at:
        toolbox.gateways.sessions.revoke(token_hash)
        raise AuthExpired
    snapshot = SessionSnapshot(str(row.id), str(row.user_id), str(row.role), row.expires_at, row.last_seen_at)
    toolbox.gateways.sessions.fill(token_hash, snapshot)
    return snapshot


def _touch(toolbox: Toolbox, snapshot: SessionSnapshot, token_hash: str, now: datetime) -> None:
    change(
        update(UserSession)
        .where(UserSession.id == UUID(snapshot.session_id), UserSession.last_seen_at <= now - TOUCH_EVERY)
        .values(last_seen_at=now)
    )
    db.session.commit()
    toolbox.gateways.sessions.forget(token_hash)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
