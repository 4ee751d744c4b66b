"""The worker's side of a transformation: make the picture of a claimed job and finish it, or hand it back.

Everything written here is conditional on the job's lease, so a worker that was stopped, killed or overtaken changes
nothing. No transaction is open while the model or the storage is asked.
"""

import logging
import random
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, update

from pixshift.domain import images, lifecycle, retention
from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import MAX_ATTEMPTS, Stage, Status
from pixshift.errors import InvalidInput, NotFound, PixShiftError, TransformationFailed
from pixshift.extensions import db
from pixshift.gateways.ports import EditedImage, EditRequest, Usage, VerifiedImage
from pixshift.models import Attempt, Transformation
from pixshift.models.base import change
from pixshift.services import billing, leases
from pixshift.services.leases import ClaimedJob
from pixshift.services.lifecycle import move_to
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)


def make(toolbox: Toolbox, job: ClaimedJob) -> None:
    """Make the picture of a claimed job and finish it, well or badly; never raises for what the outside world did."""
    try:
        picture = _edit(toolbox, job)
        verified = _verify(toolbox, job, picture)
        key = images.result_key(job.user_id, job.id, job.attempt_id, verified.media_type)
        if not _is_checking(toolbox, job, key):
            return
        toolbox.gateways.storage.put(key, picture.data, verified.media_type)
    except TransformationFailed as failure:
        _fail(toolbox, job, failure)
        return
    except PixShiftError as error:  # the storage is away: our own trouble, worth another try
        _fail(
            toolbox,
            job,
            TransformationFailed(reason=FailureReason.STORAGE_DOWN, retryable=True, usage=None, details=error.details),
        )
        return
    if not _complete(toolbox, job, key, picture, verified):
        toolbox.gateways.storage.delete(key)  # the lease was lost meanwhile: another worker has the job


def _edit(toolbox: Toolbox, job: ClaimedJob) -> EditedImage:
    try:
        photo = toolbox.gateways.storage.get(job.photo_key)
    except NotFound:
        raise TransformationFailed(reason=FailureReason.PHOTO_GONE) from None
    return toolbox.gateways.editor.edit(
        EditRequest(
            photo=photo, prompt=job.prompt, style=job.style, width=job.width, height=job.height, model=job.model
        )
    )


def _verify(toolbox: Toolbox, job: ClaimedJob, picture: EditedImage) -> VerifiedImage:
    """Decode the answer in full before anybody sees it: what is broken was never a picture."""
    try:
        return toolbox.gateways.decoder.verify(picture.data)
    except InvalidInput:
        raise TransformationFailed(reason=FailureReason.RESULT_BROKEN, retryable=True, usage=picture.usage) from None


def _owned(job: ClaimedJob) -> ColumnElement[bool]:
    return Transformation.lease_token == job.lease


def _is_checking(toolbox: Toolbox, job: ClaimedJob, key: str) -> bool:
    """Show the next stage, and write down where the picture will be: a killed worker leaves no unknown object."""
    shown = change(update(Transformation).where(Transformation.id == job.id, _owned(job)).values(stage=Stage.CHECKING))
    change(update(Attempt).where(Attempt.id == job.attempt_id).values(storage_key=key))
    db.session.commit()
    return shown == 1


def _complete(toolbox: Toolbox, job: ClaimedJob, key: str, picture: EditedImage, verified: VerifiedImage) -> bool:
    now = toolbox.now()
    done = move_to(
        job.id,
        Status.COMPLETED,
        _owned(job),
        stage=Stage.READY,
        transformed_image_url=key,
        result_media_type=verified.media_type,
        result_bytes=len(picture.data),
        result_width=verified.width,
        result_height=verified.height,
        is_preview=toolbox.gateways.editor.is_twin,
        finished_at=now,
        delete_due_at=retention.due_unused(now),
        lease_token=None,
        lease_expires_at=None,
    )
    _end_attempt(job.attempt_id, "COMPLETED" if done else "LEASE_LOST", picture.usage, now)
    if done:
        billing.settle(job.id)
    db.session.commit()
    log.info("job done" if done else "job finished too late", extra={"job": str(job.id), "attempt": job.attempt})
    return done


def _fail(toolbox: Toolbox, job: ClaimedJob, failure: TransformationFailed) -> None:
    """Try again later when that can help, else end the job and give back what it took."""
    now, reason = toolbox.now(), FailureReason(failure.reason)
    _end_attempt(job.attempt_id, reason.value, failure.usage, now)
    again = failure.retryable and reason.allows_another(job.attempt, MAX_ATTEMPTS)
    delay = _delay(toolbox, job, failure) if again else 0.0
    if again:
        move_to(
            job.id,
            Status.PENDING,
            _owned(job),
            stage=Stage.WAITING,
            due_at=now + timedelta(seconds=delay),
            lease_token=None,
            lease_expires_at=None,
        )
    else:
        leases.end_badly(job.id, reason, now, _owned(job))
    db.session.commit()
    log.warning(
        "job failed", extra={"job": str(job.id), "attempt": job.attempt, "reason": reason.value, "again": again}
    )
    if again:
        toolbox.gateways.queue.nudge(delay)


def _delay(toolbox: Toolbox, job: ClaimedJob, failure: TransformationFailed) -> float:
    retry = toolbox.settings.gemini.retry
    jitter = random.random()
    return lifecycle.retry_delay(
        job.attempt, retry.initial_delay / 1000, retry.backoff_multiplier, jitter, failure.retry_after
    )


def _end_attempt(attempt_id: UUID, outcome: str, usage: Usage | None, now: datetime) -> None:
    spent = usage or Usage()
    change(
        update(Attempt)
        .where(Attempt.id == attempt_id)
        .values(
            outcome=outcome,
            finished_at=now,
            model_version=spent.model_version,
            response_id=spent.response_id,
            prompt_tokens=spent.prompt_tokens,
            output_tokens=spent.output_tokens,
            total_tokens=spent.total_tokens,
        )
    )
