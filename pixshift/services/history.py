"""One's own pictures, a page at a time."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select

from pixshift.domain.lifecycle import Status
from pixshift.models import Transformation
from pixshift.models.base import read_all, read_rows
from pixshift.services.transformations import WITH_PARTS

# Trials of the lab are an admin's work, none of their own pictures.
_NOT_THE_LAB = Transformation.lab_run_id.is_(None)
FILTERS = {
    "ready": (Transformation.status == Status.COMPLETED) & Transformation.deleted_at.is_(None),
    "working": Transformation.status.in_([Status.PENDING, Status.PROCESSING]),
    "failed": Transformation.status == Status.FAILED,
    "deleted": Transformation.deleted_at.is_not(None),
}


@dataclass(frozen=True, slots=True)
class Page:
    jobs: list[Transformation]
    page: int
    limit: int
    total: int


def index(user_id: UUID, *, page: int, limit: int, status: Status | None = None, shown: str | None = None) -> Page:
    """One's own jobs, newest first. ``shown`` is a filter of the history page: ready, working, failed or deleted."""
    mine = _filtered(select(Transformation.id), user_id, status, shown)
    total = int(read_rows(select(func.count()).select_from(mine.subquery()))[0][0])
    jobs = read_all(
        _filtered(WITH_PARTS, user_id, status, shown)
        .order_by(Transformation.created_at.desc(), Transformation.id.desc())
        .limit(limit)
        .offset((page - 1) * limit)
    )
    return Page(jobs, page, limit, total)


def counts(user_id: UUID) -> dict[str, int]:
    """How many jobs each filter of the history shows, and all of them."""
    columns = [func.count().label("all"), *(func.count().filter(shown).label(name) for name, shown in FILTERS.items())]
    return dict(read_rows(select(*columns).where(Transformation.user_id == user_id, _NOT_THE_LAB))[0]._mapping)


def _filtered(query: Select[Any], user_id: UUID, status: Status | None, shown: str | None) -> Select[Any]:
    query = query.where(Transformation.user_id == user_id, _NOT_THE_LAB)
    if status is not None:
        query = query.where(Transformation.status == status)
    return query.where(FILTERS[shown]) if shown else query
