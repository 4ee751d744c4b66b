"""What was held, charged, let go and given back, for the person who paid: every movement, and receipts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, literal, select, union_all

from pixshift.domain import movements
from pixshift.domain.lifecycle import BillingStatus
from pixshift.domain.movements import Movement
from pixshift.domain.pricing import Money
from pixshift.models import BillingRecord, QuotaPeriod, Transformation, TransformationType
from pixshift.models.base import read_all, read_rows


@dataclass(frozen=True, slots=True)
class Records:
    """A page of billing records, newest first."""

    records: list[BillingRecord]
    page: int
    limit: int
    total: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that cost money or a picture of a paid month, with its movements, newest first."""

    title: str
    at: datetime
    ends_at: datetime | None
    job_id: UUID | None
    receipt_id: UUID | None
    movements: tuple[Movement, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    entries: list[Entry]
    page: int
    limit: int
    total: int


def index(user_id: UUID, *, page: int, limit: int) -> Records:
    """One's own billing records, newest first."""
    mine = BillingRecord.user_id == user_id
    total = int(read_rows(select(func.count()).select_from(BillingRecord).where(mine))[0][0])
    newest = select(BillingRecord).where(mine).order_by(BillingRecord.created_at.desc(), BillingRecord.id)
    return Records(read_all(newest.limit(limit).offset((page - 1) * limit)), page, limit, total)


def prices(job_ids: list[UUID]) -> dict[UUID, str]:
    """What pictures that were paid for by themselves cost, as people read it; what was given back says so."""
    if not job_ids:
        return {}
    columns = BillingRecord.transformation_id, BillingRecord.amount, BillingRecord.currency, BillingRecord.status
    rows = read_rows(select(*columns).where(BillingRecord.transformation_id.in_(job_ids)))
    return {
        row.transformation_id: Money(row.amount, row.currency).text
        + (", refunded" if row.status is BillingStatus.REFUNDED else "")
        for row in rows
    }


def entries(user_id: UUID, *, page: int, limit: int) -> Entries:
    """Every movement: pictures that cost money, paid months, and the pictures of paid months; newest first."""
    records = select(BillingRecord.id, BillingRecord.created_at, literal(0).label("kind"))
    months = select(Transformation.id, Transformation.created_at, literal(1).label("kind"))
    from_month = (Transformation.user_id == user_id) & Transformation.quota_period_id.is_not(None)
    both = union_all(records.where(BillingRecord.user_id == user_id), months.where(from_month)).subquery()
    total = int(read_rows(select(func.count()).select_from(both))[0][0])
    newest = select(both).order_by(both.c.created_at.desc(), both.c.id).limit(limit).offset((page - 1) * limit)
    found = read_rows(newest)
    paid = _paid([row.id for row in found if row.kind == 0])
    counted = _counted([row.id for row in found if row.kind == 1])
    return Entries([(paid if row.kind == 0 else counted)[row.id] for row in found], page, limit, total)


_JOB = (
    Transformation.id.label("job_id"),
    Transformation.error_code,
    Transformation.started_at,
    Transformation.finished_at,
    Transformation.reservation,
    Transformation.created_at,
)


def _paid(ids: list[UUID]) -> dict[UUID, Entry]:
    """Entries of billing records, by their ids."""
    if not ids:
        return {}
    month = (QuotaPeriod.subscription_id == BillingRecord.subscription_id) & (
        QuotaPeriod.invoice_id == BillingRecord.invoice_id
    )
    columns = select(*BillingRecord.__table__.columns, *_JOB[:-1], QuotaPeriod.starts_at, QuotaPeriod.ends_at)
    rows = read_rows(
        columns.outerjoin(Transformation, Transformation.id == BillingRecord.transformation_id)
        .outerjoin(QuotaPeriod, month)
        .where(BillingRecord.id.in_(ids))
    )
    return {row.id: _paid_entry(row) for row in rows}


def _paid_entry(row: Row[*tuple[Any, ...]]) -> Entry:
    is_month = row.subscription_id is not None
    facts = movements.PaidFacts(
        price=Money(row.amount, row.currency),
        captured=Money(row.captured, row.currency),
        refunded=Money(row.refunded, row.currency),
        status=row.status,
        was_held=row.authorized_at is not None and not is_month,
        is_released=row.released_at is not None,
        is_disputed=row.disputed_at is not None,
        failure=row.failure,
        method=row.method_label,
        was_cancelled=row.error_code == "CANCELLED",
        seconds=_seconds(row),
    )
    return Entry(
        title="Premium" if is_month else row.description or "Picture",
        at=row.starts_at or row.created_at,
        ends_at=row.ends_at,
        job_id=row.job_id,
        receipt_id=row.id if row.receipt_number is not None else None,
        movements=movements.of_payment(facts),
    )


def _counted(ids: list[UUID]) -> dict[UUID, Entry]:
    """Entries of pictures that a paid month gave, by their jobs' ids."""
    if not ids:
        return {}
    columns = select(*_JOB, TransformationType.name, QuotaPeriod.granted)
    rows = read_rows(
        columns.join(TransformationType, TransformationType.id == Transformation.transformation_type_id)
        .join(QuotaPeriod, QuotaPeriod.id == Transformation.quota_period_id)
        .where(Transformation.id.in_(ids))
    )
    return {
        row.job_id: Entry(
            title=row.name,
            at=row.created_at,
            ends_at=None,
            job_id=row.job_id,
            receipt_id=None,
            movements=movements.of_month(row.reservation, row.granted, _seconds(row), row.error_code == "CANCELLED"),
        )
        for row in rows
    }


def _seconds(row: Row[*tuple[Any, ...]]) -> float | None:
    """How long the picture took."""
    if row.started_at is None or row.finished_at is None:
        return None
    return float((row.finished_at - row.started_at).total_seconds())
