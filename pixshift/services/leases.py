"""Who works on what: the claim of the fairest due row, and the lease that proves it.

The row is the truth, the queue's message only a nudge. A worker owns a row while its lease runs; the heartbeat prolongs
it, and the sweeper takes back what a lost worker held. Every write here is one conditional UPDATE.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, Select, case, func, insert, or_, select, update

from pixshift.domain import lifecycle
from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Reservation, Stage, Status
from pixshift.errors import TransformationFailed
from pixshift.extensions import db
from pixshift.models import Attempt, ModelCircuit, PromptVersion, Transformation, TransformationType, Upload, User
from pixshift.models.base import change, read_rows
from pixshift.services import billing, circuits
from pixshift.services.lifecycle import commit, move_to
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
_CLOSED = ModelCircuit.opened_at.is_(None)
_LOOKS = 20  # each finds a job, leaves a model alone, or has lost a race
_NO_LEASE: dict[str, Any] = {"lease_token": None, "lease_expires_at": None}


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """What a worker needs to make one picture; ``lease`` proves that the row is its own."""

    id: UUID
    user_id: UUID
    lease: UUID
    attempt: int
    attempt_id: UUID
    photo_key: str
    width: int
    height: int
    prompt: str
    style: str
    model: str
    aspect_ratio: str | None


def claim(toolbox: Toolbox) -> ClaimedJob | None:
    """Take the fairest due row: the oldest of the person whose turn it has been for longest.

    None when nothing is due, or all that is due waits for a model that is left alone. Claims of one model queue at its
    circuit and look again when their turn comes: so each sees whom the one before it has served.
    """
    now, default = toolbox.now(), toolbox.settings.gemini.model
    may_be_asked = or_(ModelCircuit.wait_until.is_(None), ModelCircuit.wait_until <= now)
    may_try = or_(Transformation.attempts < toolbox.settings.gemini.retry.max_attempts, _CLOSED)
    for _ in range(_LOOKS):
        first = read_rows(_fairest(now, default).where(may_be_asked, may_try))
        if not first:
            return None
        model, is_known = first[0].model, first[0].is_known
        if not is_known:
            circuits.begin(model)
        elif circuits.admit(toolbox, model, now):
            mine = _fairest(now, default).where(_asked(default) == model, may_try)
            row = db.session.execute(mine.with_for_update(of=Transformation, skip_locked=True)).first()
            if row is not None:
                return _take(toolbox, row, now)
            db.session.rollback()  # somebody was quicker: there may be another one, of another model
        else:
            db.session.commit()  # until when its model waits is written down: the next look passes it by
    return None


def _take(toolbox: Toolbox, row: Row[Any], now: datetime) -> ClaimedJob | None:
    """Write the claim of a row that was found; None when somebody else was quicker."""
    lease, attempt_id, attempt = uuid4(), uuid4(), row.attempts + 1
    taken = move_to(
        row.id,
        Status.PROCESSING,
        stage=Stage.MAKING,
        attempts=attempt,
        lease_token=lease,
        lease_expires_at=lifecycle.lease_until(now),
        started_at=now,
        prompt_version=row.version,
    )
    if not taken:
        db.session.rollback()
        return None
    change(update(User).where(User.id == row.user_id).values(last_claimed_at=now))
    tries = select(func.count() + 1).where(Attempt.transformation_id == row.id).scalar_subquery()
    values = {"id": attempt_id, "transformation_id": row.id, "number": tries, "model": row.model, "started_at": now}
    change(insert(Attempt).values(**values))
    commit(toolbox, row.id)
    return ClaimedJob(
        id=row.id,
        user_id=row.user_id,
        lease=lease,
        attempt=attempt,
        attempt_id=attempt_id,
        photo_key=row.original_image_url,
        width=row.width,
        height=row.height,
        prompt=row.prompt,
        style=row.slug,
        model=row.model,
        aspect_ratio=row.aspect_ratio,
    )


def _asked(default_model: str) -> ColumnElement[str]:
    return func.coalesce(TransformationType.model, default_model)


def _pinned() -> ColumnElement[bool]:
    """The wording that a job was given: by the lab, or when it was first begun, whatever was published since."""
    is_its_number = PromptVersion.number == Transformation.prompt_version
    return (PromptVersion.transformation_type_id == Transformation.transformation_type_id) & is_its_number


def _turn() -> ColumnElement[datetime]:
    """Since when it is a job's turn: since it was asked for, or since its owner was served last.

    Who was never served is as old as their job, so that newcomers cannot starve those who were.
    """
    served, asked = User.last_claimed_at, Transformation.created_at
    return case((served > asked, served), else_=asked)


def _fairest(now: datetime, default_model: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Transformation.id,
            Transformation.user_id,
            Transformation.attempts,
            Transformation.original_image_url,
            Upload.width,
            Upload.height,
            func.coalesce(PromptVersion.prompt_template, TransformationType.prompt_template).label("prompt"),
            func.coalesce(PromptVersion.number, TransformationType.prompt_version).label("version"),
            TransformationType.slug,
            TransformationType.aspect_ratio,
            _asked(default_model).label("model"),
            ModelCircuit.model.is_not(None).label("is_known"),
        )
        .join(User, User.id == Transformation.user_id)
        .join(TransformationType, TransformationType.id == Transformation.transformation_type_id)
        .join(Upload, Upload.id == Transformation.upload_id)
        .outerjoin(PromptVersion, _pinned())
        .outerjoin(ModelCircuit, ModelCircuit.model == _asked(default_model))
        .where(Transformation.status == Status.PENDING, Transformation.due_at <= now)
        .order_by(_turn(), User.last_claimed_at.asc().nulls_first(), Transformation.created_at, Transformation.id)
        .limit(1)
    )


def end_badly(transformation_id: UUID, reason: FailureReason, now: datetime, *only_if: ColumnElement[bool]) -> bool:
    """FAILED, with its sentence, and what was reserved given back: in the current transaction, once."""
    ended = move_to(
        transformation_id,
        Status.FAILED,
        *only_if,
        stage=Stage.WAITING,
        error_code="CANCELLED" if reason is FailureReason.CANCELLED else TransformationFailed.code,
        failure_reason=reason.value,
        error_message=reason.sentence,
        finished_at=now,
        due_at=None,
        **_NO_LEASE,
    )
    if ended:
        billing.release(transformation_id)
    return ended


def renew(toolbox: Toolbox, leases: list[UUID]) -> None:
    """The heartbeat: prolong the leases of the jobs in hand."""
    change(
        update(Transformation)
        .where(Transformation.lease_token.in_(leases), Transformation.status == Status.PROCESSING)
        .values(lease_expires_at=lifecycle.lease_until(toolbox.now()))
    )
    db.session.commit()


def hand_back(toolbox: Toolbox, lease: UUID) -> None:
    """A worker that must stop gives its job to the next one at once."""
    held = select(Transformation.id).where(
        Transformation.lease_token == lease, Transformation.status == Status.PROCESSING
    )
    job = db.session.scalar(held)
    if job is None:
        db.session.rollback()
        return
    _take_back(toolbox, job, toolbox.now(), Transformation.lease_token == lease)
    commit(toolbox, job)
    toolbox.gateways.queue.nudge()


def take_back_lost(toolbox: Toolbox) -> int:
    """Jobs whose worker is gone: again while attempts are left, else failed and given back. Answers how many.

    Each in a transaction of its own: two sweepers that held several rows could wait for each other forever.
    """
    now = toolbox.now()
    lost = select(Transformation.id).where(
        Transformation.status == Status.PROCESSING, Transformation.lease_expires_at < now
    )
    taken = 0
    for (job_id,) in read_rows(lost):
        taken += _take_back(toolbox, job_id, now, Transformation.lease_expires_at < now)
        commit(toolbox, job_id)
    if taken:
        log.warning("jobs of lost workers taken back", extra={"count": taken})
    return taken


def _take_back(toolbox: Toolbox, job_id: UUID, now: datetime, still: ColumnElement[bool]) -> bool:
    attempts_left = Transformation.attempts < toolbox.settings.gemini.retry.max_attempts
    back = move_to(
        job_id,
        Status.PENDING,
        still,
        attempts_left,
        stage=Stage.WAITING,
        due_at=now,
        **_NO_LEASE,
    )
    return back or end_badly(job_id, FailureReason.WORKER_LOST, now, still)


def waiting(toolbox: Toolbox) -> int:
    """How many jobs are due and unclaimed; a thousand is many enough."""
    due = select(Transformation.id).where(
        Transformation.status == Status.PENDING, Transformation.due_at <= toolbox.now()
    )
    return len(read_rows(due.limit(1000)))


def nudge_waiting(toolbox: Toolbox) -> None:
    """As many nudges as there are waiting rows without one."""
    queue = toolbox.gateways.queue
    for _ in range(waiting(toolbox) - queue.pending()):
        queue.nudge()


def end_hopeless(toolbox: Toolbox) -> int:
    """Jobs that wait in vain end and are given back. Answers how many.

    Those whose photo is gone, and those that had their attempts while the model failed, and it still does.
    """
    now, gemini = toolbox.now(), toolbox.settings.gemini
    waiting_jobs = select(Transformation.id).where(Transformation.status == Status.PENDING).limit(1000)
    gone = waiting_jobs.join(Upload, Upload.id == Transformation.upload_id).where(Upload.deleted_at.is_not(None))
    spent = (
        waiting_jobs.join(TransformationType, TransformationType.id == Transformation.transformation_type_id)
        .join(ModelCircuit, ModelCircuit.model == _asked(gemini.model))
        .where(~_CLOSED, Transformation.attempts >= gemini.retry.max_attempts, Transformation.due_at <= now)
    )
    ended = 0
    for reason, query in ((FailureReason.PHOTO_GONE, gone), (FailureReason.VENDOR_DOWN, spent)):
        for (job_id,) in read_rows(query):
            ended += end_badly(job_id, reason, now, Transformation.status == Status.PENDING)
            commit(toolbox, job_id)
    return ended


def requeue(toolbox: Toolbox, transformation_id: UUID) -> bool:
    """An operator's second chance for a failed job; it is free for its owner."""
    return move_to(
        transformation_id,
        Status.PENDING,
        Transformation.status == Status.FAILED,
        stage=Stage.WAITING,
        attempts=0,
        due_at=toolbox.now(),
        reservation=Reservation.RELEASED,
        error_code=None,
        error_message=None,
        failure_reason=None,
        finished_at=None,
    )
