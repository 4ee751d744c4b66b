"""The audit log on the wire, on its page and in its file."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from pixshift.models import AdminAction
from pixshift.schemas.base import In, Out
from pixshift.schemas.transformations import PaginationOut

Word = Annotated[str, Field(pattern=r"^[A-Z][A-Z_]{0,39}$")]
Name = Annotated[str, Field(max_length=80)]
COLUMNS = (
    "sequence", "timestamp", "actor", "adminUserId", "actionType", "entityType", "entityId", "before", "after",
    "details", "requestId", "id",
)  # fmt: skip
_LONGEST = 90  # letters of a value in a list
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class SieveIn(In):
    """Filters. ``since`` and ``until`` are days in UTC, both included."""

    action_type: Word | None = None
    entity_type: Word | None = None
    entity_id: UUID | None = None
    since: date | None = None
    until: date | None = None


class ActionsIn(SieveIn):
    admin_user_id: UUID | None = None
    actor: Name | None = None
    page: int = Field(default=1, ge=1, le=1_000_000)
    limit: int = Field(default=10, ge=1, le=100)

    def sieve(self) -> dict[str, Any]:
        """The filters, as ``services.audit_log.Sieve`` names them."""
        return self.model_dump(exclude={"page", "limit"})


class LogIn(SieveIn):
    """What the page is asked for. ``who`` is an admin's id or another actor's name; ``check`` walks the chain."""

    who: Annotated[UUID | Name | None, Field(union_mode="left_to_right")] = None
    page: int = Field(default=1, ge=1, le=1_000_000)
    check: bool = False

    def sieve(self) -> dict[str, Any]:
        """The filters, as ``services.audit_log.Sieve`` names them."""
        key = "admin_user_id" if isinstance(self.who, UUID) else "actor"
        return {**self.model_dump(exclude={"page", "check", "who"}), key: self.who}


class ActionOut(Out):
    """One act. ``adminUserId`` is null when no admin did it; ``actor`` says who in words, such as ``cli:root``."""

    id: UUID
    admin_user_id: UUID | None
    actor: str
    action_type: str
    entity_type: str
    entity_id: UUID | None
    details: dict[str, Any] | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    timestamp: datetime
    sequence: int | None
    request_id: str | None


class ActionsOut(Out):
    actions: list[ActionOut]
    pagination: PaginationOut


class Change(Out):
    """A field of a row, as it was and as it is; None where it was not there."""

    field: str
    before: str | None
    after: str | None


class ActView(ActionOut):
    """An act as its page shows it."""

    who: str
    what: str
    on: str
    seal: str | None
    changes: list[Change]
    notes: list[tuple[str, str]]
    raw: str

    @classmethod
    def of(cls, act: AdminAction, names: dict[UUID, str]) -> Self:
        fields = {name: getattr(act, name) for name in ActionOut.model_fields}
        return cls(
            **fields,
            who=names.get(act.admin_user_id, act.actor) if act.admin_user_id else act.actor,
            what=words(act.action_type),
            on=words(act.entity_type),
            seal=act.hash,
            changes=list(_changes(act.before or {}, act.after or {})),
            notes=[(name, _short(value)) for name, value in (act.details or {}).items()],
            raw=json.dumps({"before": act.before, "after": act.after, "details": act.details}, indent=2),
        )


_WORDS = {
    "TRANSFORMATION_TYPE": "Style",
    "TRANSFORMATION": "Picture",
    "BILLING_RECORD": "Payment",
    "ROLE_CHANGE": "Role changed",
    "SESSIONS_REVOKED": "Signed out everywhere",
    "CREATE": "Created",
    "UPDATE": "Changed",
    "DELETE": "Deleted",
    "ENABLE": "Put on offer",
    "DISABLE": "Taken off offer",
    "IMPORT": "Imported",
    "PUBLISH": "Prompt published",
    "SUSPEND": "Suspended",
    "LIFT": "Suspension lifted",
    "GIVE_FREE": "Free pictures given",
    "PLAN_STOP": "Plan stopped",
    "DRAFT": "Prompt drafted",
    "ROLL_BACK": "Earlier prompt published",
    "LAB_RUN": "Prompts compared",
    "RECONCILE": "Books compared",
    "ERASE": "Erased",
    "REFUND": "Money given back",
    "UNBLOCK": "May spend again",
    "REQUEUE": "Made again",
    "FAIL": "Stopped",
}


def words(name: str) -> str:
    """``ROLE_CHANGE`` as people say it."""
    return _WORDS.get(name) or name.replace("_", " ").capitalize()


def row(act: AdminAction) -> list[str]:
    """One act as a row of a file, in the order of ``COLUMNS``; no cell is a formula to a spreadsheet."""
    values = ActionOut.model_validate(act).wire()
    return [cell(values[name]) for name in COLUMNS]


def cell(value: Any) -> str:
    """Text as it is, less what a spreadsheet would run: it gets an apostrophe in front."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    for field in dict.fromkeys([*before, *after]):
        yield Change(
            field=field,
            before=_short(before[field]) if field in before else None,
            after=_short(after[field]) if field in after else None,
        )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
