"""Jobs as those see them who run PixShift: every fact of them, and never a picture."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, select

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Purse, Stage, Status
from pixshift.domain.pricing import Money
from pixshift.errors import NotFound
from pixshift.models import Attempt, BillingRecord, Transformation, TransformationType, Upload
from pixshift.models.base import read_all, read_rows

_KNOWN = [reason.value for reason in FailureReason if reason is not FailureReason.UNKNOWN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which jobs to show; None: any. ``days`` counts back from now, ``since`` and ``until`` are days that are shown."""

    status: Status | None = None
    style: UUID | None = None
    reason: FailureReason | None = None
    purse: Purse | None = None
    days: int | None = None
    since: date | None = None
    until: date | None = None
    user: UUID | None = None
    job: UUID | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One job, without anything that shows what is in its picture. ``cost`` is what its model took, in US dollars."""

    id: UUID
    user_id: UUID
    style_id: UUID
    style: str
    status: Status
    stage: Stage
    reason: FailureReason | None
    error_code: str | None
    error_message: str | None
    purse: Purse
    price: Money | None
    is_given_back: bool
    is_free_again: bool
    is_unpaid: bool
    lab_run_id: UUID | None
    prompt_version: int | None
    attempts: int
    seconds: float | None
    cost: Decimal | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    downloaded_at: datetime | None
    delete_due_at: datetime | None
    deleted_at: datetime | None
    deletion_record: str | None
    record_id: UUID | None
    is_photo_gone: bool


@dataclass(frozen=True, slots=True)
class Jobs:
    jobs: list[Job]
    total: int


_NEVER = ("thumbnail", "original_image_url", "transformed_image_url")  # nobody but their owner sees these
_COST = (
    select(func.sum(Attempt.cost))
    .where(Attempt.transformation_id == Transformation.id)
    .correlate(Transformation)
    .scalar_subquery()
)
_FACTS = (
    select(
        *(column for column in Transformation.__table__.columns if column.name not in _NEVER),
        TransformationType.name.label("style"),
        BillingRecord.id.label("record_id"),
        BillingRecord.amount,
        BillingRecord.currency,
        BillingRecord.refunded,
        Upload.id.label("photo_id"),
        Upload.deleted_at.label("photo_deleted_at"),
        _COST.label("cost"),
    )
    .join(TransformationType, TransformationType.id == Transformation.transformation_type_id)
    .outerjoin(BillingRecord, BillingRecord.transformation_id == Transformation.id)
    .outerjoin(Upload, Upload.id == Transformation.upload_id)
)


def index(asked: Asked, now: datetime, *, page: int, limit: int) -> Jobs:
    """Newest first: two queries, however many there are."""
    which = _which(asked, now)
    total = read_rows(select(func.count()).select_from(Transformation).where(*which))[0][0]
    newest = Transformation.created_at.desc(), Transformation.id.desc()
    ids = select(Transformation.id).where(*which).order_by(*newest).limit(limit).offset((page - 1) * limit)
    rows = read_rows(_FACTS.where(Transformation.id.in_(ids.correlate(None))).order_by(*newest))
    return Jobs([_job(row) for row in rows], int(total))


def find(job_id: UUID) -> Job:
    """Raises NotFound."""
    rows = read_rows(_FACTS.where(Transformation.id == job_id))
    if not rows:
        raise NotFound("There is no job with this id.")
    return _job(rows[0])


def attempts(job_id: UUID) -> list[Attempt]:
    """Its tries at the model, in their order."""
    return read_all(select(Attempt).where(Attempt.transformation_id == job_id).order_by(Attempt.number))


def styles() -> list[tuple[UUID, str]]:
    """All that may have jobs, by name."""
    rows = read_rows(select(TransformationType.id, TransformationType.name).order_by(TransformationType.name))
    return [(row.id, row.name) for row in rows]


def within(
    column: Any, now: datetime, days: int | None, since: date | None, until: date | None
) -> list[ColumnElement[bool]]:
    """The span of days that a list of the desk shows, of a column with moments."""
    bounds: list[ColumnElement[bool]] = []
    if days is not None:
        bounds.append(column >= now - timedelta(days=days))
    if since is not None:
        bounds.append(column >= datetime.combine(since, time.min, UTC))
    if until is not None:
        bounds.append(column < datetime.combine(until, time.min, UTC) + timedelta(days=1))
    return bounds


def with_reason(reason: FailureReason) -> ColumnElement[bool]:
    """Jobs that failed for it; words that this version does not know read as UNKNOWN."""
    if reason is FailureReason.UNKNOWN:
        return Transformation.failure_reason.is_not(None) & Transformation.failure_reason.not_in(_KNOWN)
    return Transformation.failure_reason == reason.value


def _which(asked: Asked, now: datetime) -> list[ColumnElement[bool]]:
    equals = {
        Transformation.status: asked.status,
        Transformation.transformation_type_id: asked.style,
        Transformation.pricing_tier_locked: asked.purse,
        Transformation.user_id: asked.user,
        Transformation.id: asked.job,
    }
    which: list[ColumnElement[bool]] = [column == value for column, value in equals.items() if value is not None]
    if asked.reason is not None:
        which.append(with_reason(asked.reason))
    return [*which, *within(Transformation.created_at, now, asked.days, asked.since, asked.until)]


def _job(row: Row[*tuple[Any, ...]]) -> Job:
    ended = row.finished_at - row.started_at if row.started_at and row.finished_at else None
    return Job(
        id=row.id,
        user_id=row.user_id,
        style_id=row.transformation_type_id,
        style=row.style,
        status=row.status,
        stage=row.stage,
        reason=FailureReason(row.failure_reason) if row.failure_reason else None,
        error_code=row.error_code,
        error_message=row.error_message,
        purse=Purse(row.pricing_tier_locked or Purse.FREE),
        price=Money(row.amount, row.currency) if row.record_id else None,
        is_given_back=bool(row.refunded),
        is_free_again=row.reroll_of is not None,
        is_unpaid=row.status is Status.PENDING and row.due_at is None,
        lab_run_id=row.lab_run_id,
        prompt_version=row.prompt_version,
        attempts=row.attempts,
        seconds=ended.total_seconds() if ended else None,
        cost=row.cost,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        downloaded_at=row.downloaded_at,
        delete_due_at=row.delete_due_at,
        deleted_at=row.deleted_at,
        deletion_record=row.deletion_record,
        record_id=row.record_id,
        is_photo_gone=row.photo_id is None or row.photo_deleted_at is not None,
    )
