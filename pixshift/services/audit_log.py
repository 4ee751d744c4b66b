"""Reading the log of what admins and operators did: which acts, whose, and whether nobody changed them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select

from pixshift.domain import otp
from pixshift.models import AdminAction, AuditHead, User
from pixshift.models.base import read_all, read_rows, utcnow
from pixshift.services import audit
from pixshift.services.audit import Verdict

LARGEST_CHECK = 20_000  # acts that are checked while a person waits for a page
MOST_ROWS = 50_000  # of a download
_PIECE = 1_000
_NEWEST = (AdminAction.sequence.desc().nulls_last(), AdminAction.timestamp.desc(), AdminAction.id)


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which acts are asked for; None leaves all through. ``since`` and ``until`` are days in UTC, both included."""

    actor: str | None = None
    admin_user_id: UUID | None = None
    action_type: str | None = None
    entity_type: str | None = None
    entity_id: UUID | None = None
    since: date | None = None
    until: date | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a WHERE."""
        names = ("actor", "admin_user_id", "action_type", "entity_type", "entity_id")
        values = {name: getattr(self, name) for name in names}
        found = [getattr(AdminAction, name) == value for name, value in values.items() if value is not None]
        if self.since:
            found.append(AdminAction.timestamp >= datetime.combine(self.since, time.min, UTC))
        if self.until:
            found.append(AdminAction.timestamp <= datetime.combine(self.until, time.max, UTC))
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """A page of acts, newest first."""

    acts: list[AdminAction]
    page: int
    limit: int
    total: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What the log can be asked for: only what stands in it. An admin is known by their id."""

    actors: list[str]
    admins: list[UUID]
    action_types: list[str]
    entity_types: list[str]


@dataclass(frozen=True, slots=True)
class Check:
    """What a walk along the chain found, and when."""

    verdict: Verdict
    at: datetime


def index(sieve: Sieve, *, page: int, limit: int) -> Found:
    """One page; past the end it is empty."""
    total, offset = count(sieve), (page - 1) * limit
    acts = read_all(_select(sieve).limit(limit).offset(offset)) if offset < total else []
    return Found(acts, page, limit, total)


def count(sieve: Sieve) -> int:
    """How many acts there are."""
    return int(read_rows(select(func.count()).select_from(AdminAction).where(*sieve.conditions()))[0][0])


def every(sieve: Sieve) -> Iterator[AdminAction]:
    """The newest ``MOST_ROWS`` acts, in pieces: what is added meanwhile shifts none of them."""
    left, last = MOST_ROWS, None
    sealed = _select(sieve).where(AdminAction.sequence.is_not(None))
    while left and (piece := read_all((sealed.where(AdminAction.sequence < last) if last else sealed).limit(_PIECE))):
        yield from piece[:left]
        left, last = max(0, left - len(piece)), piece[-1].sequence
    yield from read_all(_select(sieve).where(AdminAction.sequence.is_(None)).limit(left))


def choices() -> Choices:
    """What the filters offer."""
    columns = (AdminAction.actor, AdminAction.admin_user_id, AdminAction.action_type, AdminAction.entity_type)
    rows = read_rows(select(*columns).distinct())
    return Choices(
        actors=sorted({row.actor for row in rows if row.admin_user_id is None}),
        admins=sorted({row.admin_user_id for row in rows if row.admin_user_id is not None}),
        action_types=sorted({row.action_type for row in rows}),
        entity_types=sorted({row.entity_type for row in rows}),
    )


def names(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """What admins are called: their e-mail address, or their number with its middle hidden."""
    wanted = {user_id for user_id in ids if user_id is not None}
    if not wanted:
        return {}
    rows = read_rows(select(User.id, User.email, User.phone).where(User.id.in_(wanted)))
    return {row.id: row.email or (otp.mask(row.phone) if row.phone else str(row.id)) for row in rows}


def length() -> int:
    """How many acts are sealed."""
    rows = read_rows(select(AuditHead.sequence))
    return int(rows[0][0]) if rows else 0


def check() -> Check | None:
    """Walk along the chain; None when it is too long for somebody who waits."""
    return Check(audit.verify(), utcnow()) if length() <= LARGEST_CHECK else None


def _select(sieve: Sieve) -> Select[Any]:
    return select(AdminAction).where(*sieve.conditions()).order_by(*_NEWEST)
