"""How a job stands, for whoever asks every two seconds: from the mirror while it runs, else from its row."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, bindparam, func, or_, select

from pixshift.domain.job_facts import JobFacts, PhotoFacts, StyleFacts
from pixshift.domain.lifecycle import FINAL, Status
from pixshift.domain.roles import UserRole
from pixshift.errors import NotFound
from pixshift.extensions import db
from pixshift.models import Transformation, TransformationType, Upload
from pixshift.models.base import read_rows
from pixshift.services import circuits, transformation_types
from pixshift.services.sessions import Caller
from pixshift.services.toolbox import Toolbox

USUAL_LIFE = timedelta(seconds=30)
PAUSED_LIFE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """A job and what its watcher wants to know: jobs that come first, this type's usual seconds, and whether its model
    fails so that it waits."""

    job: JobFacts
    ahead: int
    typical_seconds: float
    now: datetime
    is_paused: bool = False


def look(toolbox: Toolbox, caller: Caller, transformation_id: UUID, *, admins_too: bool = False) -> JobFacts:
    """One's own job as it stands, or anybody's for an admin where the caller of this allows it.

    Somebody else's is NotFound: that it exists is not revealed.
    """
    may_see_all = admins_too and caller.role is UserRole.ADMIN
    seen = caller.sees
    job = seen if seen and seen.id == transformation_id else _read(toolbox, transformation_id)
    if job is None or (job.user_id != caller.user_id and not may_see_all):
        raise NotFound("We do not know this picture.")
    return job


def watch(toolbox: Toolbox, caller: Caller, transformation_id: UUID) -> Watch:
    """The same, with how long it will take. Raises as ``look`` does."""
    job, now = look(toolbox, caller, transformation_id), toolbox.now()
    if job.status in FINAL:
        return Watch(job, 0, 0.0, now)
    ahead = _ahead(job.id, now) if job.status is Status.PENDING else 0
    return Watch(job, ahead, usual_seconds(job.type.id, now), now, is_paused(toolbox, job))


def is_paused(toolbox: Toolbox, job: JobFacts | Transformation) -> bool:
    """Whether a job waits because its model fails."""
    return job.status is Status.PENDING and has_paused(toolbox, job.transformation_type_id)


def has_paused(toolbox: Toolbox, type_id: UUID) -> bool:
    """Whether jobs of this style wait for their model; looked up at most once a second, because every watcher asks."""
    until, styles = _paused.get(db.engine, (0.0, frozenset()))
    if time.monotonic() >= until:
        styles = circuits.paused_styles(toolbox)
        _paused[db.engine] = time.monotonic() + PAUSED_LIFE_SECONDS, styles
    return type_id in styles


def _read(toolbox: Toolbox, transformation_id: UUID) -> JobFacts | None:
    """The row, kept in the mirror while the job runs; what has ended is seldom asked for, and changes in more ways."""
    mirror = toolbox.gateways.statuses
    ticket = mirror.expect(transformation_id)
    rows = read_rows(_ROW, {"transformation_id": transformation_id})
    if not rows:
        return None
    values = tuple(rows[0])
    own, kind, photo = values[:_OWN], values[_OWN : _OWN + _KIND], values[_OWN + _KIND :]
    job = JobFacts._make([*own, StyleFacts(*kind), PhotoFacts(*photo) if photo[0] else None])
    if job.status not in FINAL:
        mirror.fill(ticket, job)
    return job


def usual_seconds(type_id: UUID, now: datetime) -> float:
    """What this type usually takes, counted anew at most every half minute: watchers and pages ask all the time."""
    usual = _usual.setdefault(db.engine, {})
    until, seconds = usual.get(type_id, (now, 0.0))
    if not now < until <= now + USUAL_LIFE:
        seconds = transformation_types.typical_seconds(type_id)
        usual[type_id] = now + USUAL_LIFE, seconds
    return seconds


def _ahead(transformation_id: UUID, now: datetime) -> int:
    """Jobs that a worker takes before this one: people take turns, so of each other no more than of one's own."""
    return int(read_rows(_BEFORE, {"transformation_id": transformation_id, "now": now})[0][0])


# By database (tests and commands may use several in one process) and type: until when it holds, and seconds.
_usual: WeakKeyDictionary[Engine, dict[UUID, tuple[datetime, float]]] = WeakKeyDictionary()
# Likewise the styles whose model fails; until when it holds is in ticks.
_paused: WeakKeyDictionary[Engine, tuple[float, frozenset[UUID]]] = WeakKeyDictionary()
_OWN, _KIND = len(JobFacts._fields) - 2, len(StyleFacts._fields)
_ROW = (
    select(
        *(getattr(Transformation, name) for name in JobFacts._fields[:_OWN]),
        *(getattr(TransformationType, name) for name in StyleFacts._fields),
        *(getattr(Upload, name) for name in PhotoFacts._fields),
    )
    .join(TransformationType, TransformationType.id == Transformation.transformation_type_id)
    .outerjoin(Upload, Upload.id == Transformation.upload_id)
    .where(Transformation.id == bindparam("transformation_id"), Transformation.lab_run_id.is_(None))
)
_turn = func.row_number().over(partition_by=Transformation.user_id, order_by=Transformation.created_at).label("turn")
_waiting = (
    select(Transformation.id, Transformation.created_at, _turn)
    .where(Transformation.status == Status.PENDING, Transformation.due_at <= bindparam("now"))
    .cte("waiting")
)
_mine = select(_waiting).where(_waiting.c.id == bindparam("transformation_id")).cte("mine")
_sooner = or_(
    _waiting.c.turn < _mine.c.turn, (_waiting.c.turn == _mine.c.turn) & (_waiting.c.created_at < _mine.c.created_at)
)
_BEFORE = select(func.count()).select_from(_waiting).join(_mine, _sooner)
