"""Sign-ins: the database row is the truth, a cache of at most a minute stands in front of it."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update

from pixshift.domain.job_facts import JobFacts
from pixshift.domain.roles import UserRole
from pixshift.errors import AuthExpired, AuthInvalid
from pixshift.extensions import db
from pixshift.gateways.ports import Revoked, SessionSnapshot
from pixshift.models import User, UserSession
from pixshift.models.base import change, read_rows
from pixshift.services.toolbox import Toolbox

IDLE = timedelta(hours=24)
ABSOLUTE = timedelta(days=30)
TOUCH_EVERY = timedelta(minutes=5)
_LONGEST_TOKEN = 128


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the person behind a session that was just proved."""

    user_id: UUID
    role: UserRole
    session_id: UUID
    token_hash: str
    sees: JobFacts | None = None  # of the job a poll asks for, when the mirror had it


def start(toolbox: Toolbox, user_id: UUID, device: str | None) -> str:
    """Add a session to the current transaction and answer its token, which is never stored."""
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


def role_changed(toolbox: Toolbox, user_id: UUID) -> None:
    """Make the next request of every session of a person ask the database again."""
    live = select(UserSession.token_hash).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
    for row in read_rows(live):
        toolbox.gateways.sessions.forget(row.token_hash)


_BY_HASH = (
    select(
        UserSession.id,
        UserSession.user_id,
        UserSession.expires_at,
        UserSession.last_seen_at,
        UserSession.revoked_at,
        User.role,
        User.erased_at,
    )
    .join(User, User.id == UserSession.user_id)
    .limit(1)
)


def _load(toolbox: Toolbox, token_hash: str) -> SessionSnapshot:
    rows = read_rows(_BY_HASH.where(UserSession.token_hash == token_hash))
    if not rows:
        raise AuthInvalid("This sign-in is not known. Please sign in again.")
    row = rows[0]
    if row.revoked_at or row.erased_at:
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
