"""People on the wire, for admins."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from pixshift.domain.roles import UserRole
from pixshift.schemas.accounts import DoneOut
from pixshift.schemas.admin_types import Reason
from pixshift.schemas.base import In, Out
from pixshift.schemas.transformations import PaginationOut


class PeoplePageIn(In):
    """Which people: ``q`` is an id, a phone number in any spelling, or the beginning of an e-mail."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    role: UserRole | None = None
    state: Literal["suspended", "erased"] | None = None
    q: str = Field(default="", max_length=320)


class PeopleIn(PeoplePageIn):
    limit: int = Field(default=10, ge=1, le=100)


class PersonPageIn(In):
    """Which of their jobs; ``done`` is what was just decided."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    done: str | None = Field(default=None, max_length=20)


class RoleIn(In):
    role: UserRole


class ReasonIn(In):
    """Why, for the audit log."""

    reason: Reason = ""


class GiveIn(In):
    """``had`` is how many had been given when the form was made: sent twice, it gives once."""

    count: int
    reason: Reason = ""
    had: int = Field(ge=0)


class PersonOut(Out):
    id: UUID
    email: str | None
    phone: str | None
    role: str
    free_tier_used: int
    free_bonus: int
    pricing_tier: str | None
    created_at: datetime
    suspended_at: datetime | None
    erased_at: datetime | None


class PeopleOut(Out):
    users: list[PersonOut]
    pagination: PaginationOut


class RoleOut(DoneOut):
    user: PersonOut
