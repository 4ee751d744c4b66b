"""Closed days are counted once and kept; the day that runs is counted whenever somebody looks."""

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from pixshift.domain.tallies import Day, Speed
from pixshift.extensions import db
from pixshift.models import BillingRecord, DailyCount, DailyFigures, DailyTotals, Transformation, UserSession
from pixshift.models.base import change, read_rows
from pixshift.services import figures_count
from pixshift.services.toolbox import Toolbox

COUNTED_AGAIN = 2  # closed days: what ended at midnight may have been written after it
TALLY = ("made", "failed", "blocked", "cancelled", "lab", "cost", "lab_cost", "captured", "refunded")


def keep_closed(toolbox: Toolbox) -> int:
    """Count every closed day that is missing, and the last two again; answers how many. Twice changes nothing."""
    today = toolbox.now().date()
    kept = {row[0] for row in read_rows(select(DailyTotals.day))}
    first = min([*kept, _first_day(today)])
    again = today - timedelta(days=COUNTED_AGAIN)
    missing = [day for day in days(first, today) if day not in kept or day >= again]
    for day in missing:
        _keep(toolbox, figures_count.count(toolbox, day))
    return len(missing)


def not_kept(toolbox: Toolbox) -> list[date]:
    """The days that are to be counted live, the one that runs last: usually it alone."""
    today = toolbox.now().date()
    last: date | None = read_rows(select(func.max(DailyTotals.day)))[0][0]
    return list(days(last + timedelta(days=1) if last else _first_day(today), today + timedelta(days=1)))


def days(first: date, end: date) -> Iterator[date]:
    """Each day from ``first`` to the one before ``end``."""
    return (first + timedelta(days=number) for number in range((end - first).days))


def _first_day(today: date) -> date:
    """When anything was first counted; yesterday on an empty database."""
    moments = (Transformation.finished_at, BillingRecord.captured_at, UserSession.created_at)
    firsts = [read_rows(select(func.min(moment)))[0][0] for moment in moments]
    found: list[date] = [moment.date() for moment in firsts if moment is not None]
    return min([today - timedelta(days=1), *found])


def _keep(toolbox: Toolbox, day: Day) -> None:
    """Write a day in place of what was kept of it. Its totals come first: who keeps the same day waits at that row."""
    speed = day.speed
    values = {"p50_ms": speed.p50_ms, "p90_ms": speed.p90_ms, "counted_at": toolbox.now()}
    try:
        if not change(update(DailyTotals).where(DailyTotals.day == day.day).values(**values)):
            change(insert(DailyTotals).values(day=day.day, **values))
    except IntegrityError:  # somebody else keeps this very day, from the same rows
        db.session.rollback()
        return
    for table in (DailyFigures, DailyCount):
        db.session.execute(delete(table).where(table.day == day.day), execution_options={"synchronize_session": False})
    if rows := [_figures(day, kind) for kind in day.tallies]:
        db.session.execute(insert(DailyFigures), rows)
    counts = [{"day": day.day, "what": what, "key": key, "value": value} for (what, key), value in day.counts.items()]
    if counts:
        db.session.execute(insert(DailyCount), counts)
    db.session.commit()


def _figures(day: Day, kind: UUID) -> dict[str, object]:
    tally, speed = day.tallies[kind], day.speeds.get(kind, Speed())
    values = {name: getattr(tally, name) for name in TALLY}
    return {"day": day.day, "transformation_type_id": kind, "p50_ms": speed.p50_ms, "p90_ms": speed.p90_ms, **values}
