"""Column types and small helpers that every table shares."""

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar, cast

from sqlalchemy import (
    CursorResult,
    DateTime,
    Dialect,
    Enum,
    Executable,
    Insert,
    Row,
    Select,
    TypeDecorator,
    Update,
    Uuid,
)
from sqlalchemy.orm import Session, mapped_column

from pixshift.extensions import Base, db

__all__ = ["Base", "Key", "UtcDateTime", "change", "db", "read_all", "read_one", "read_rows", "text_enum", "utcnow"]

T = TypeVar("T")
Key = Annotated[uuid.UUID, mapped_column(Uuid, primary_key=True, default=uuid.uuid4)]


def utcnow() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC that keeps its zone on every database; a naive datetime is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def text_enum(kind: type[StrEnum], name: str) -> Enum:
    """An enum kept as text with a CHECK, the same on PostgreSQL and SQLite."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda members: [member.value for member in members],
        validate_strings=True,
    )


def change(statement: Update | Insert) -> int:
    """Execute one UPDATE or INSERT in the current transaction and answer how many rows it changed.

    Objects already loaded keep what they held: whoever shows one afterwards refreshes it.
    """
    result = db.session.execute(statement, execution_options={"synchronize_session": False})
    return cast(CursorResult[Any], result).rowcount


def read_rows(statement: Executable, parameters: dict[str, Any] | None = None) -> list[Row[*tuple[Any, ...]]]:
    """Rows of one SELECT outside any transaction: nothing to roll back, no lock taken on SQLite.

    It takes a connection of its own, so it is not for the middle of a transaction: threads that hold one and wait for
    another would empty the pool.
    """
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return list(connection.execute(statement, parameters or {}))


def read_all(statement: Select[T], parameters: dict[str, Any] | None = None) -> list[T]:
    """The objects of one SELECT, read like ``read_rows``: to look at, with only what the SELECT loaded."""
    reader = db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with reader as connection, Session(connection, autoflush=False) as session:
        found = list(session.scalars(statement, parameters or {}))
        session.expunge_all()
        return found


def read_one(statement: Select[T], parameters: dict[str, Any] | None = None) -> T | None:
    """The one object of a SELECT that finds at most one, read like ``read_all``."""
    return next(iter(read_all(statement, parameters)), None)
