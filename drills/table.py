"""What a drill is given, and how what it found is shown."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests import servers


class Size(Enum):
    SAMPLE = "sample"  # some seconds, for the tests
    FULL = "full"  # the figures of the promise


@dataclass(frozen=True)
class Row:
    """One line of the table: what was tried, what was found, and what may be found at most (or must be)."""

    area: str
    what: str
    found: str
    limit: str
    is_met: bool


def at_most(area: str, what: str, found: float, limit: float, unit: str = "") -> Row:
    """A figure that must not be above its limit."""
    return Row(area, what, _figure(found, unit), f"≤ {_figure(limit, unit)}" if limit else "0", found <= limit)


def exactly(area: str, what: str, found: int, wanted: int) -> Row:
    """A count that must be just this."""
    return Row(area, what, str(found), str(wanted), found == wanted)


def _figure(value: float, unit: str) -> str:
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return f"{text} {unit}".rstrip()


@dataclass(frozen=True)
class Ground:
    """Where a drill takes place: a folder of its own, a PostgreSQL server with a migrated template, an empty Redis.

    A drill that stops or restarts a server starts one of its own with ``tests.servers``.
    """

    folder: Path
    postgres: servers.Postgres
    template: str
    redis_url: str

    def database(self) -> AbstractContextManager[str]:
        """A migrated database, dropped afterwards; yields its name, see ``postgres.url``."""
        return self.postgres.database(self.template)


Drill = Callable[[Ground, Size], Iterator[Row]]


def shown(rows: list[Row]) -> str:
    """The table; a row that is short of its limit says so in front."""
    head = ["", "area", "drill", "found", "limit"]
    body = [["" if row.is_met else "SHORT", row.area, row.what, row.found, row.limit] for row in rows]
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *body]
    )
