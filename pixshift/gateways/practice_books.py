"""The practice gateway's books: one SQLite file of its own, shared by web and worker processes."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pixshift.domain.lifecycle import PaymentStatus, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, NotFound

_ID = re.compile(r"(?:ps|pp|pc|psub)_([0-9a-f]{32})")
_TABLE = "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, kind TEXT NOT NULL, created_at TEXT NOT NULL, \
state TEXT NOT NULL) WITHOUT ROWID"
Given = dict[str, str | int | None]  # a refund's id, minor, cause


@dataclass(slots=True)
class Payment:
    """One try to pay; ids are ours in hex, amounts in minor units, moments in ISO 8601 with their zone."""

    key: str
    record_id: str
    user_id: str
    minor: int
    currency: str
    description: str
    return_url: str
    cancel_url: str
    created_at: str
    expires_at: str
    customer_id: str
    has_page: bool
    status: str = PaymentStatus.OPEN
    decline: str | None = None
    method_id: str | None = None  # only one that was kept
    held_at: str | None = None
    captured: int = 0
    refunds: list[Given] = field(default_factory=list)
    is_disputed: bool = False

    @property
    def money(self) -> Money:
        return Money.from_minor(self.minor, self.currency)


@dataclass(slots=True)
class Plan:
    """One subscription, in the same units."""

    key: str
    user_id: str
    minor: int
    currency: str
    description: str
    return_url: str
    cancel_url: str
    created_at: str
    expires_at: str
    customer_id: str
    status: str = SubscriptionStatus.INCOMPLETE
    decline: str | None = None
    waits_for_bank: bool = False
    cancels_at_period_end: bool = False
    invoices: list[dict[str, str | bool]] = field(default_factory=list)  # id, is_paid, starts_at, ends_at
    refunds: dict[str, list[Given]] = field(default_factory=dict)  # by invoice

    @property
    def money(self) -> Money:
        return Money.from_minor(self.minor, self.currency)


Entry = Payment | Plan
Kind = TypeVar("Kind", Payment, Plan)
_KINDS: dict[str, type[Payment] | type[Plan]] = {"payment": Payment, "plan": Plan}


def key_of(named: str | None) -> str | None:
    """What an id of this gateway is kept under; None for an id that it never gave out."""
    found = _ID.fullmatch(named or "")
    return found[1] if found else None


class Books:
    """Every call is one short transaction on a connection of its own. Raises ExternalServiceError (retryable)."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def find(self, key: str | None) -> Entry | None:
        with self._open() as connection:
            return _read(connection, key)

    def add(self, entry: Kind) -> Kind:
        """Write it down, unless it was before; what stands there now."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            kept = _read(connection, entry.key)
            if kept is None:
                _write(connection, entry)
            connection.execute("COMMIT")
            return kept if isinstance(kept, type(entry)) else entry

    @contextmanager
    def change(self, key: str | None) -> Iterator[Entry]:
        """The entry, for nobody else to change meanwhile; written back unless the block raises. Raises NotFound."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            entry = _read(connection, key)
            if entry is None:
                raise NotFound("The practice gateway knows no such payment.")
            yield entry
            _write(connection, entry)
            connection.execute("COMMIT")

    def payments_since(self, since: datetime) -> list[Payment]:
        with self._open() as connection:
            rows = connection.execute("SELECT state FROM entries WHERE kind = 'payment' ORDER BY created_at, key")
            found = [Payment(**json.loads(state)) for (state,) in rows]
        return [payment for payment in found if datetime.fromisoformat(payment.created_at) >= since]

    def count(self) -> int:
        with self._open() as connection:
            return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction that was begun and not committed ends with its connection, unwritten."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=10, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute(_TABLE)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise ExternalServiceError(
                f"The books of the practice payments cannot be used: {error}.", retryable=True
            ) from error


def _read(connection: sqlite3.Connection, key: str | None) -> Entry | None:
    row = connection.execute("SELECT kind, state FROM entries WHERE key = ?", (key,)).fetchone()
    return _KINDS[row[0]](**json.loads(row[1])) if row else None


def _write(connection: sqlite3.Connection, entry: Entry) -> None:
    kind = "payment" if isinstance(entry, Payment) else "plan"
    values = (entry.key, kind, entry.created_at, json.dumps(asdict(entry)))
    connection.execute("INSERT OR REPLACE INTO entries (key, kind, created_at, state) VALUES (?, ?, ?, ?)", values)
