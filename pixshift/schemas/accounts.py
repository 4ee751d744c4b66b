"""Signing in, sessions and profiles on the wire."""

from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, field_serializer

from pixshift.models import User
from pixshift.schemas.base import In, Out


class RequestCodeIn(In):
    """What makes a number is judged in ``domain/otp.py``, in words for people."""

    phone: str = Field(max_length=64)


class VerifyCodeIn(In):
    phone: str = Field(max_length=64)
    otp: str = Field(max_length=32)


class DoneOut(Out):
    success: bool = True


class CodeSentOut(DoneOut):
    """``shown_text`` is the message itself, where it is shown instead of sent (development only)."""

    model_config = ConfigDict(json_schema_extra={"required": ["success", "message"]})

    message: str = "OTP sent successfully"
    shown_text: str | None = None

    def wire(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class UserOut(Out):
    """Who somebody is, to themselves."""

    id: UUID
    email: str | None
    phone: str | None
    role: str


class SignedInOut(DoneOut):
    user: UserOut
    session: str


class SessionUserOut(Out):
    id: UUID
    email: str | None
    role: str
    free_tier_used: int


class SessionOut(Out):
    user: SessionUserOut


class CsrfOut(Out):
    csrf_token: str


class ProfileUserOut(Out):
    id: UUID
    email: str | None
    phone: str | None
    role: str
    free_tier_used: int
    pricing_tier: str | None


class ProfileStatsOut(Out):
    total_transformations: int
    total_spent: Decimal

    @field_serializer("total_spent", when_used="json")
    def _as_number(self, value: Decimal) -> float:
        return float(value)  # the wire knows only numbers; two decimals survive it exactly enough to print


class ProfileOut(Out):
    user: ProfileUserOut
    stats: ProfileStatsOut

    @classmethod
    def of(cls, user: User, total_transformations: int, total_spent: Decimal) -> Self:
        stats = ProfileStatsOut(total_transformations=total_transformations, total_spent=total_spent)
        return cls(user=ProfileUserOut.model_validate(user), stats=stats)


class ChangePhoneIn(In):
    """Without ``otp`` a code is asked for; with it the number changes."""

    phone: str = Field(max_length=64)
    otp: str | None = Field(default=None, max_length=32)


class ProfileChangedOut(DoneOut):
    """``code_sent`` stands there while a code is waited for; ``shown_text`` as in ``CodeSentOut``."""

    model_config = ConfigDict(json_schema_extra={"required": ["success", "user"]})

    user: ProfileUserOut
    code_sent: bool | None = None
    shown_text: str | None = None

    def wire(self) -> dict[str, Any]:
        return {key: value for key, value in super().wire().items() if value is not None}


class FreeTierOut(Out):
    free_tier_used: int
    free_tier_limit: int
    remaining: int
