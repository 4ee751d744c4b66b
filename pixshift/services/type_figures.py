"""How each style does: used, paid for, blocked, late. The lab's own pictures do not count."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Status
from pixshift.extensions import db
from pixshift.models import Attempt, BillingRecord, Transformation, TransformationType
from pixshift.models.base import read_rows
from pixshift.services import transformation_types
from pixshift.services.toolbox import Toolbox

SPAN = timedelta(days=30)
_BLOCKED = (FailureReason.PROMPT_BLOCKED.value, FailureReason.PICTURE_BLOCKED.value)
_THEIR_WISH = (FailureReason.CANCELLED.value, FailureReason.NOT_PAID.value)
_MANY = 0.05  # of a style's pictures not made: somebody should look


@dataclass(frozen=True, slots=True)
class Figures:
    """Of 30 days: jobs, shares (0 to 1) of those that ended, seconds, US dollars; None where there is nothing to tell.

    ``margin`` is what a picture that was paid for by itself brought, less what one costs the model, before the payment
    company's fees.
    """

    used: int = 0
    blocked: float | None = None
    not_made: float | None = None
    p90: float | None = None
    margin: Decimal | None = None
    lab_cost: Decimal = Decimal(0)

    @property
    def fails_often(self) -> bool:
        return self.not_made is not None and self.not_made > _MANY


@dataclass(frozen=True, slots=True)
class Row:
    kind: TransformationType
    figures: Figures


def table(toolbox: Toolbox) -> list[Row]:
    """All styles in the order people see them."""
    figures = _figures(toolbox.now() - SPAN)
    return [Row(kind, figures.get(kind.id, Figures())) for kind in transformation_types.listed()]


def usage(type_id: UUID | None = None) -> dict[UUID, int]:
    """How many jobs of people each style ever had, or the one that is named."""
    kind = Transformation.transformation_type_id
    counted = select(kind, func.count()).where(Transformation.lab_run_id.is_(None)).group_by(kind)
    rows = read_rows(counted.where(kind == type_id) if type_id else counted)
    return {row[0]: row[1] for row in rows}


def _figures(since: datetime) -> dict[UUID, Figures]:
    p90 = {row.kind: float(row.seconds) for row in read_rows(_p90(since))}
    return {row.kind: _of(row, p90.get(row.kind)) for row in read_rows(_sums(since))}


def _of(row: Any, p90: float | None) -> Figures:
    made, failed = int(row.made), int(row.failed)
    cost = _money(row.cost) / made if made else None
    margin = _money(row.income) / row.sold - cost if row.sold and cost is not None else None
    ended = made + failed
    return Figures(
        used=int(row.used),
        blocked=int(row.blocked) / ended if ended else None,
        not_made=failed / ended if ended else None,
        p90=p90,
        margin=margin,
        lab_cost=_money(row.lab_cost),
    )


def _money(value: Any) -> Decimal:
    return Decimal(str(value or 0))


def _sums(since: datetime) -> Any:
    """One row a style, of each job once with what its calls cost and what was kept of its payment."""
    job, paid = Transformation, BillingRecord
    calls = select(func.sum(Attempt.cost)).where(Attempt.transformation_id == job.id).scalar_subquery()
    one = (
        select(
            job.transformation_type_id.label("kind"),
            job.lab_run_id.is_not(None).label("is_trial"),
            (job.status == Status.COMPLETED).label("is_made"),
            ((job.status == Status.FAILED) & _not_wished()).label("is_failed"),
            job.failure_reason.in_(_BLOCKED).label("is_blocked"),
            calls.label("cost"),
            (paid.captured - paid.refunded).label("kept"),
        )
        .outerjoin(paid, (paid.transformation_id == job.id) & (paid.captured > 0))
        .where(job.created_at >= since)
        .subquery()
        .c
    )
    return select(
        one.kind,
        _count(~one.is_trial).label("used"),
        _count(one.is_made & ~one.is_trial).label("made"),
        _count(one.is_failed & ~one.is_trial).label("failed"),
        _count(one.is_blocked & ~one.is_trial).label("blocked"),
        func.sum(one.cost).filter(~one.is_trial).label("cost"),
        func.sum(one.cost).filter(one.is_trial).label("lab_cost"),
        func.count(one.kept).filter(one.is_made).label("sold"),
        func.sum(one.kept).filter(one.is_made).label("income"),
    ).group_by(one.kind)


def _count(what: ColumnElement[bool]) -> Any:
    return func.count().filter(what)


def _not_wished() -> ColumnElement[bool]:
    return Transformation.failure_reason.is_(None) | Transformation.failure_reason.not_in(_THEIR_WISH)


def _p90(since: datetime) -> Any:
    """Of each style the seconds that nine of ten of its pictures stayed below."""
    job, seconds = Transformation, _seconds()
    kind = job.transformation_type_id
    ranked = (
        select(
            kind.label("kind"),
            seconds.label("seconds"),
            func.row_number().over(partition_by=kind, order_by=seconds).label("place"),
            func.count().over(partition_by=kind).label("of"),
        )
        .where(
            job.created_at >= since,
            job.status == Status.COMPLETED,
            job.started_at.is_not(None),
            job.finished_at.is_not(None),
            job.lab_run_id.is_(None),
        )
        .subquery()
    )
    is_ninth = ranked.c.place == (ranked.c.of * 9 + 9) // 10
    return select(ranked.c.kind, ranked.c.seconds).where(is_ninth)


def _is_sqlite() -> bool:
    return db.engine.dialect.name == "sqlite"


def _seconds() -> ColumnElement[Any]:
    start, end = Transformation.started_at, Transformation.finished_at
    if _is_sqlite():
        return (func.julianday(end) - func.julianday(start)) * 86400
    return func.extract("epoch", end - start)
