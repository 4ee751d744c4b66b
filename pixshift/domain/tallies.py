"""What pictures came to: how many were made, how fast, what they cost and what they brought."""

from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from typing import Self
from uuid import UUID

RISING_AT_LEAST = 5  # failures: of fewer nothing can be said
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds from the start of making to the picture: half and nine of ten are ready by then."""

    p50_ms: int | None = None
    p90_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Pictures that ended, less the lab's; ``failed`` holds those ``blocked``, not those cancelled or never paid for.

    ``cost`` is in US dollars, ``captured`` and ``refunded`` in the currency of prices.
    """

    made: int = 0
    failed: int = 0
    blocked: int = 0
    cancelled: int = 0
    lab: int = 0
    cost: Decimal = _ZERO
    lab_cost: Decimal = _ZERO
    captured: Decimal = _ZERO
    refunded: Decimal = _ZERO

    def __add__(self, other: Self) -> "Tally":
        return Tally(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(Tally)))

    @property
    def tried(self) -> int:
        return self.made + self.failed

    @property
    def ended(self) -> int:
        return self.made + self.failed + self.cancelled

    @property
    def failed_share(self) -> float | None:
        return self.failed / self.tried if self.tried else None

    @property
    def blocked_share(self) -> float | None:
        return self.blocked / self.tried if self.tried else None

    @property
    def income(self) -> Decimal:
        return self.captured - self.refunded

    @property
    def picture_cost(self) -> Decimal | None:
        """What one made picture cost, attempts in vain included."""
        return self.cost / self.made if self.made else None

    @property
    def margin(self) -> Decimal | None:
        """What one made picture left over, after refunds and the model."""
        return (self.income - self.cost) / self.made if self.made else None


@dataclass(slots=True)
class Day:
    """One day (UTC). ``speeds`` has one of all styles together under None; ``counts`` is by what and by which key."""

    day: date
    tallies: dict[UUID, Tally] = field(default_factory=dict)
    speeds: dict[UUID | None, Speed] = field(default_factory=dict)
    counts: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    @property
    def tally(self) -> Tally:
        return sum(self.tallies.values(), Tally())

    @property
    def speed(self) -> Speed:
        return self.speeds.get(None, Speed())

    def count(self, what: str, key: str) -> Decimal:
        return self.counts.get((what, key), _ZERO)

    def keyed(self, what: str) -> dict[str, int]:
        """By key, the largest first."""
        found = [(key, int(value)) for (name, key), value in self.counts.items() if name == what]
        return dict(sorted(found, key=lambda item: (-item[1], item[0])))


def is_rising(today: Tally, normal: Tally) -> bool:
    """Whether more fails today than chance explains: clearly above the share that is normal, by two and a half
    standard deviations and by half as much again; with nothing to compare with, a quarter of all is too much."""
    share, usual = today.failed_share, normal.failed_share
    if share is None or today.failed < RISING_AT_LEAST:
        return False
    if usual is None or normal.tried < 20:
        return share >= 0.25
    floor = max(usual, 0.01)
    spread = (floor * (1 - floor) / today.tried) ** 0.5
    return share > usual * 1.5 and share > usual + 2.5 * spread
