"""The log of what admins and operators did: one row an act, each sealed together with the one before it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Row, func, select, update

from pixshift.extensions import db
from pixshift.models import AdminAction, AuditHead
from pixshift.models.base import change, read_rows, utcnow

# As rows, which are read twice as fast as objects: somebody waits for the chain to be walked.
_SEALED = select(*AdminAction.__table__.columns).order_by(AdminAction.sequence).limit(1000)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a name for the log (``cli:name``, ``admin``, a provider's) and, of an admin, the id."""

    name: str
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many acts agree with the chain, from the first; ``broken_at`` is the sequence of the first that does not.

    ``unsealed`` are acts from before there was a chain; ``seal`` is that of the last act that agrees.
    """

    sealed: int
    unsealed: int
    broken_at: int | None = None
    reason: str | None = None
    seal: str = field(default="", compare=False)


def record(
    actor: Actor,
    action_type: str,
    entity_type: str,
    entity_id: UUID | None = None,
    details: dict[str, Any] | None = None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add one act to the current transaction; the caller's commit keeps the act and its record together.

    It holds the end of the chain until that commit: let it be the last of a transaction that locks other rows.
    """
    change(update(AuditHead).values(sequence=AuditHead.sequence + 1))
    head = db.session.execute(select(AuditHead.sequence, AuditHead.hash)).one()
    act = AdminAction(
        id=uuid4(),
        admin_user_id=actor.user_id,
        actor=actor.name,
        action_type=action_type,
        entity_type=entity_type,
        entity_id=entity_id,
        details=details,
        before=before,
        after=after,
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
        timestamp=utcnow(),
        sequence=head.sequence,
    )
    act.hash = _seal(act, head.hash)
    db.session.add(act)
    change(update(AuditHead).values(hash=act.hash))


def verify() -> Verdict:
    """Walk the whole chain, and look whether it ends where it should."""
    unsealed = db.session.scalar(select(func.count()).where(AdminAction.sequence.is_(None))) or 0
    seal, count = "0" * 64, 0
    for act in _chain():
        if act.sequence != count + 1:
            return Verdict(count, unsealed, count + 1, "it is missing")
        seal, count = _seal(act, seal), count + 1
        if act.hash != seal:
            return Verdict(count - 1, unsealed, count, "it was changed")
    head = db.session.execute(select(AuditHead.sequence, AuditHead.hash)).one_or_none()
    if head is None or (head.sequence, head.hash) != (count, seal):
        return Verdict(count, unsealed, count + 1, "the newest acts are missing")
    return Verdict(count, unsealed, seal=seal)


def _chain() -> Iterator[Row[Any]]:
    """In pieces, so that a long log fits into little memory."""
    last = 0
    while piece := read_rows(_SEALED.where(AdminAction.sequence > last)):
        yield from piece
        last = piece[-1].sequence or last


def _seal(act: AdminAction | Row[Any], before: str) -> str:
    """SHA-256, as hexadecimal digits, of the seal before it and of all that the act says, as JSON with sorted keys."""
    said = {
        "id": str(act.id),
        "sequence": act.sequence,
        "timestamp": act.timestamp.isoformat(),
        "admin": str(act.admin_user_id) if act.admin_user_id else None,
        "actor": act.actor,
        "action": act.action_type,
        "entity": [act.entity_type, str(act.entity_id) if act.entity_id else None],
        "details": act.details,
        "before": act.before,
        "after": act.after,
        "request": act.request_id,
    }
    text = json.dumps([before, said], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
