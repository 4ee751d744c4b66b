"""What operators do with jobs."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Status
from pixshift.errors import InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import Transformation
from pixshift.services import audit, leases
from pixshift.services.audit import Actor
from pixshift.services.lifecycle import commit
from pixshift.services.toolbox import Toolbox


def jobs(status: Status | None, limit: int) -> list[Transformation]:
    query = (
        select(Transformation)
        .options(joinedload(Transformation.type, innerjoin=True))
        .order_by(Transformation.created_at.desc())
        .limit(limit)
    )
    return list(db.session.scalars(query.where(Transformation.status == status) if status else query))


def requeue(toolbox: Toolbox, job_id: UUID, actor: Actor) -> None:
    """Raises NotFound, or InvalidInput for a job that has not failed or whose photo is gone."""
    job = _find(job_id)
    if job.upload is None or job.upload.deleted_at is not None:
        raise InvalidInput("The photo of this job is deleted, so it cannot be made.")
    if not leases.requeue(toolbox, job_id):
        db.session.rollback()
        raise InvalidInput(f"Only a failed job can be requeued; this one is {job.status.value}.")
    audit.record(actor, "REQUEUE", "TRANSFORMATION", job_id)
    commit(toolbox, job_id)
    toolbox.gateways.queue.nudge()


def fail(toolbox: Toolbox, job_id: UUID, actor: Actor) -> None:
    """Raises NotFound, or InvalidInput for a job that has ended already."""
    job = _find(job_id)
    if not leases.end_badly(job_id, FailureReason.STOPPED, toolbox.now()):
        db.session.rollback()
        raise InvalidInput(f"This job has already ended: it is {job.status.value}.")
    audit.record(actor, "FAIL", "TRANSFORMATION", job_id)
    commit(toolbox, job_id)


def _find(job_id: UUID) -> Transformation:
    job = db.session.get(Transformation, job_id)
    if job is None:
        raise NotFound("There is no job with this id. `flask transformations list` shows what there is.")
    return job
