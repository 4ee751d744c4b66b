"""One run of the lab as a grid: a row a photo, a column a version, filled as its jobs end."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import FINAL, Status
from pixshift.errors import NotFound
from pixshift.models import Attempt, LabRun, LabVote, Transformation, Upload
from pixshift.models.base import read_all, read_rows
from pixshift.services import lab_samples


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture, or where it will be. ``seconds`` from start to end, ``cost`` in US dollars, None while it runs."""

    job_id: UUID
    status: Status
    stage: str
    why_not: str | None
    seconds: float | None
    cost: Decimal | None
    is_there: bool
    width: int | None
    height: int | None
    ups: int
    downs: int
    mine: int

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Photo:
    """A row's photo; ``is_there`` until it is deleted."""

    id: UUID
    label: str
    width: int
    height: int
    is_there: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A version with the means of its pictures that are done, None before there is one."""

    number: int
    seconds: float | None
    cost: Decimal | None
    ups: int
    downs: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A run; only who asked for it is shown its pictures (``is_mine``), everybody else its figures."""

    run_id: UUID
    created_at: datetime
    is_mine: bool
    photos: list[Photo] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    cells: dict[tuple[UUID, int], Cell] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        return sum(not cell.is_final for cell in self.cells.values())


def read(type_id: UUID, run_id: UUID, user_id: UUID) -> Grid:
    """Raises NotFound."""
    found = read_all(select(LabRun).where(LabRun.id == run_id, LabRun.transformation_type_id == type_id))
    if not found:
        raise NotFound("The lab has no such run.", field="run")
    rows = read_rows(_cells(run_id, user_id))
    photos = {row.upload_id: _photo(row) for row in rows}
    cells = {(row.upload_id, row.prompt_version): _cell(row) for row in rows}
    numbers = sorted({number for _, number in cells})
    columns = [_column(number, [cell for (_, of), cell in cells.items() if of == number]) for number in numbers]
    is_mine = found[0].user_id == user_id
    return Grid(run_id, found[0].created_at, is_mine, list(photos.values()), columns, cells)


def _cells(run_id: UUID, user_id: UUID) -> Any:
    job = Transformation
    cost = select(func.sum(Attempt.cost)).where(Attempt.transformation_id == job.id).scalar_subquery()

    def votes(what: Any) -> Any:
        return select(func.coalesce(func.sum(what), 0)).where(LabVote.transformation_id == job.id).scalar_subquery()

    columns = (job.id, job.prompt_version, job.status, job.stage, job.failure_reason, job.started_at, job.finished_at)
    return (
        select(
            *columns,
            (job.deleted_at.is_(None) & (job.status == Status.COMPLETED)).label("is_there"),
            job.result_width,
            job.result_height,
            Upload.id.label("upload_id"),
            Upload.name,
            Upload.source_width,
            Upload.source_height,
            Upload.deleted_at.is_(None).label("has_photo"),
            cost.label("cost"),
            votes(case((LabVote.value == 1, 1), else_=0)).label("ups"),
            votes(case((LabVote.value == -1, 1), else_=0)).label("downs"),
            votes(case((LabVote.user_id == user_id, LabVote.value), else_=0)).label("mine"),
        )
        .join(Upload, Upload.id == job.upload_id)
        .where(job.lab_run_id == run_id)
        .order_by(job.created_at, job.id)
    )


def _photo(row: Any) -> Photo:
    label = lab_samples.label(row.name)
    return Photo(row.upload_id, label, row.source_width, row.source_height, bool(row.has_photo))


def _cell(row: Any) -> Cell:
    is_done = row.status in FINAL and row.started_at and row.finished_at
    return Cell(
        job_id=row.id,
        status=row.status,
        stage=row.stage.value,
        why_not=FailureReason(row.failure_reason).sentence if row.failure_reason else None,
        seconds=(row.finished_at - row.started_at).total_seconds() if is_done else None,
        cost=Decimal(str(row.cost)) if row.cost is not None else None,
        is_there=bool(row.is_there),
        width=row.result_width,
        height=row.result_height,
        ups=int(row.ups),
        downs=int(row.downs),
        mine=int(row.mine),
    )


def _column(number: int, cells: list[Cell]) -> Column:
    seconds = [cell.seconds for cell in cells if cell.seconds is not None and cell.status is Status.COMPLETED]
    costs = [cell.cost for cell in cells if cell.cost is not None and cell.is_final]
    return Column(
        number,
        sum(seconds) / len(seconds) if seconds else None,
        sum(costs, Decimal(0)) / len(costs) if costs else None,
        sum(cell.ups for cell in cells),
        sum(cell.downs for cell in cells),
    )
