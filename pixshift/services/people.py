"""People as those who run PixShift list and find them; nothing is changed here."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from pixshift.domain import lookups
from pixshift.domain.roles import UserRole
from pixshift.errors import NotFound
from pixshift.extensions import db
from pixshift.models import User
from pixshift.models.base import read_all, read_one, read_rows
from pixshift.services.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Found:
    """A page of people, newest first."""

    people: list[User]
    page: int
    limit: int
    total: int


def index(
    toolbox: Toolbox, *, page: int, limit: int, role: UserRole | None = None, state: str | None = None, q: str = ""
) -> Found:
    """Newest first. ``q`` is an id, a phone number or the beginning of an e-mail; who was erased is found by the state
    ``erased`` or by the id, and not otherwise."""
    wanted = lookups.sought(q, toolbox.settings.sms.regions) if q else lookups.Sought()
    which = [*_who(wanted), *_state(state, by_id=wanted.user_id is not None)]
    if role is not None:
        which.append(User.role == role)
    total = int(read_rows(select(func.count()).select_from(User).where(*which))[0][0])
    offset = (page - 1) * limit
    newest = select(User).where(*which).order_by(User.created_at.desc(), User.id).limit(limit).offset(offset)
    return Found(read_all(newest) if offset < total else [], page, limit, total)


def newest(role: UserRole | None, limit: int) -> list[User]:
    """For operators: those who were erased, too."""
    query = select(User).order_by(User.created_at.desc(), User.id).limit(limit)
    return read_all(query if role is None else query.where(User.role == role))


def find(user_id: UUID) -> User:
    """To look at. Raises NotFound."""
    user = read_one(select(User).where(User.id == user_id))
    if user is None:
        raise NotFound("There is nobody with this id.")
    return user


def _who(wanted: lookups.Sought) -> list[ColumnElement[bool]]:
    if wanted.user_id is not None:
        return [User.id == wanted.user_id]
    if wanted.phones:
        return [User.phone.in_(wanted.phones)]
    if not wanted.email:
        return []
    escaped = "".join(f"\\{letter}" if letter in "\\%_" else letter for letter in wanted.email)
    start: list[ColumnElement[bool]] = [User.email.like(f"{escaped}%", escape="\\")]
    if db.engine.dialect.name == "sqlite":  # whose LIKE knows no index, but which compares letter by letter
        start += [User.email >= wanted.email, User.email < wanted.email + "\U0010ffff"]
    return start


def _state(state: str | None, *, by_id: bool) -> list[ColumnElement[bool]]:
    if state == "erased":
        return [User.erased_at.is_not(None)]
    present = [] if by_id else [User.erased_at.is_(None)]
    return [*present, User.suspended_at.is_not(None)] if state == "suspended" else [*present]
