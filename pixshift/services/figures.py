"""The numbers of the desk: of today, of the last days, and of all time. Closed days come from what was kept of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from pixshift.domain.lifecycle import FINAL, Status
from pixshift.domain.tallies import Day, Speed, Tally
from pixshift.models import (
    DailyCount,
    DailyFigures,
    DailyTotals,
    Transformation,
    TransformationType,
    User,
    UserSession,
)
from pixshift.models.base import read_rows
from pixshift.services import figures_count, figures_days
from pixshift.services.figures_count import CAPTURED, REFUNDED
from pixshift.services.toolbox import Toolbox

ACTIVE = timedelta(days=30)
NORMAL_DAYS = 14  # closed ones, with which today is compared
_TALLY = tuple(getattr(DailyFigures, name) for name in figures_days.TALLY)


@dataclass(frozen=True, slots=True)
class Style:
    """One style today, and what is normal for it."""

    id: UUID
    name: str
    enabled: bool
    today: Tally
    normal: Tally
    speed: Speed


@dataclass(frozen=True, slots=True)
class Figures:
    """``days`` end with today, which still runs; ``week_ago`` is the whole of the same day of last week."""

    now: datetime
    currency: str
    days: list[Day]
    week_ago: Tally
    styles: list[Style]

    @property
    def today(self) -> Day:
        return self.days[-1]

    def of(self, what: str, day: Day) -> Decimal:
        """Money of a day in the currency of prices."""
        return day.count(what, self.currency)

    def income(self, day: Day) -> Decimal:
        return self.of(CAPTURED, day) - self.of(REFUNDED, day)

    @property
    def given_back(self) -> Decimal:
        return self.of(REFUNDED, self.today)


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all time. ``active_users`` were seen in the last 30 days; ``revenue`` is what was charged less what was given
    back, by currency; of pictures, the lab's are apart."""

    users: int
    erased_users: int
    active_users: int
    pictures: Tally
    unfinished: int
    revenue: dict[str, Decimal]

    @property
    def transformations(self) -> int:
        return self.pictures.ended + self.unfinished


def read(toolbox: Toolbox, shown: int) -> Figures:
    """Today and the days before it, ``shown`` in all."""
    now = toolbox.now()
    live = [figures_count.count(toolbox, day) for day in figures_days.not_kept(toolbox)]
    first = now.date() - timedelta(days=max(shown - 1, NORMAL_DAYS))
    known = _kept(first) | {day.day: day for day in live}
    days = [known.get(day) or Day(day) for day in figures_days.days(first, now.date() + timedelta(days=1))]
    currency = toolbox.settings.tier("basic").currency
    return Figures(now, currency, days[-shown:], days[-8].tally, _styles(days[-1], days[-1 - NORMAL_DAYS : -1]))


def totals(toolbox: Toolbox) -> Totals:
    """Of all time: what was kept of closed days, and the others counted now."""
    days = figures_days.not_kept(toolbox)
    live = [figures_count.count(toolbox, day, people=False) for day in days]
    kept = select(*(func.sum(column) for column in _TALLY)).where(DailyFigures.day < days[0])
    pictures = sum((day.tally for day in live), _tally(read_rows(kept)[0]))
    waiting = Transformation.status.in_([status for status in Status if status not in FINAL])
    ours = select(func.count()).select_from(Transformation).where(waiting, Transformation.lab_run_id.is_(None))
    people, erased = read_rows(select(func.count(), func.count(User.erased_at)).select_from(User))[0]
    return Totals(
        users=int(people),
        erased_users=int(erased),
        active_users=_active(toolbox.now()),
        pictures=pictures,
        unfinished=int(read_rows(ours)[0][0]),
        revenue=_revenue(live, days[0]),
    )


def _active(now: datetime) -> int:
    """People seen in the last 30 days; rows of sessions that are over are kept for as long."""
    seen = select(UserSession.user_id).where(UserSession.last_seen_at >= now - ACTIVE).distinct().subquery()
    return int(read_rows(select(func.count()).select_from(seen))[0][0])


def _kept(first: date) -> dict[date, Day]:
    """What was kept of days since then, with four looks for all of them."""
    found: dict[date, Day] = {}
    columns = DailyTotals.day, DailyTotals.p50_ms, DailyTotals.p90_ms
    for day, *speed in read_rows(select(*columns).where(DailyTotals.day >= first)):
        found[day] = Day(day, speeds={None: Speed(*speed)})
    figures = DailyFigures.day, DailyFigures.transformation_type_id, *_TALLY
    for day, kind, *values in read_rows(select(*figures).where(DailyFigures.day >= first)):
        if day in found:
            found[day].tallies[kind] = Tally(*values)
    counts = select(DailyCount.day, DailyCount.what, DailyCount.key, DailyCount.value).where(DailyCount.day >= first)
    for day, what, key, value in read_rows(counts):
        if day in found:
            found[day].counts[what, key] = value
    return found


def _styles(today: Day, before: list[Day]) -> list[Style]:
    """Every style that is offered or was used today, as their positions order them."""
    columns = TransformationType.id, TransformationType.name, TransformationType.enabled
    rows = read_rows(select(*columns).order_by(TransformationType.position, TransformationType.name))
    return [
        Style(
            kind,
            name,
            enabled,
            today.tallies.get(kind, Tally()),
            _sum(day.tallies[kind] for day in before if kind in day.tallies),
            today.speeds.get(kind, Speed()),
        )
        for kind, name, enabled in rows
        if enabled or kind in today.tallies
    ]


def _sum(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


def _tally(values: Iterable[Any]) -> Tally:
    """Of a sum in the database, which is NULL when there was nothing and a float on SQLite."""
    made, failed, blocked, cancelled, lab, *money = values
    counts = [int(value or 0) for value in (made, failed, blocked, cancelled, lab)]
    sums = [figures_count.exact(value, places) for value, places in zip(money, (6, 6, 2, 2), strict=True)]
    return Tally(**dict(zip(figures_days.TALLY, [*counts, *sums], strict=True)))  # type: ignore[arg-type]


def _revenue(live: list[Day], first_live: date) -> dict[str, Decimal]:
    """By currency; days that are counted live hold money alone."""
    of_money: ColumnElement[bool] = DailyCount.what.in_((CAPTURED, REFUNDED))
    sums = select(DailyCount.what, DailyCount.key, func.sum(DailyCount.value)).where(
        of_money, DailyCount.day < first_live
    )
    found: dict[str, Decimal] = {}
    movements = [tuple(row) for row in read_rows(sums.group_by(DailyCount.what, DailyCount.key))]
    movements += [(what, key, value) for day in live for (what, key), value in day.counts.items()]
    for what, currency, value in movements:
        amount = figures_count.exact(value, 2)
        found[currency] = found.get(currency, Decimal(0)) + (amount if what == CAPTURED else -amount)
    return found
