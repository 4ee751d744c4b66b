"""The worker's side of a transformation: make the picture of a claimed job and finish it, or hand it back.

Everything written here is conditional on the job's lease, so a worker that was stopped, killed or overtaken changes
nothing. No transaction is open while the model or the storage is asked.
"""

import logging
import random
from contextlib import suppress
from datetime import timedelta
from functools import partial

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import SQLAlchemyError

from pixshift.domain import images, lifecycle, retention
from pixshift.domain.circuits import LAST_CHANCE
from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Stage, Status
from pixshift.errors import InvalidInput, NotFound, PixShiftError, TransformationFailed
from pixshift.extensions import db
from pixshift.gateways.ports import EditedImage, EditRequest, Usage, VerifiedImage
from pixshift.models import Attempt, Transformation
from pixshift.models.base import change
from pixshift.services import attempts, billing, circuits, leases, settlements
from pixshift.services.leases import ClaimedJob
from pixshift.services.lifecycle import commit, move_to
from pixshift.services.patience import outlast
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
LEASE_LOST = "LEASE_LOST"  # how an attempt ends whose job somebody else has by then


def make(toolbox: Toolbox, job: ClaimedJob) -> None:
    """Make the picture of a claimed job and finish it, well or badly; raises only what the database raises.

    A fault that nobody thought of ends the job: left to its lease it would come back, and be paid for, twice more.
    """
    picture = None
    try:
        picture = _edit(toolbox, job)
        verified = _verify(toolbox, job, picture)
        key = images.result_key(job.user_id, job.id, job.attempt_id, verified.media_type)
        if not outlast(toolbox, partial(_is_checking, toolbox, job, key, picture.usage)):
            return
        outlast(toolbox, partial(toolbox.gateways.storage.put, key, picture.data, verified.media_type))
    except SQLAlchemyError:
        raise  # nothing can be written for long: the lease runs out and the sweeper takes the job back
    except Exception as error:
        failure = _as_failure(error, picture)
        if outlast(toolbox, partial(_fail, toolbox, job, failure)):
            _note_health(toolbox, job, failure)
            settlements.finish_job(toolbox, job.id)
        return
    if outlast(toolbox, partial(_complete, toolbox, job, key, picture, verified)):
        _note_health(toolbox, job)
        settlements.finish_job(toolbox, job.id)
    else:
        with suppress(PixShiftError):  # the attempt remembers its object: a later sweep removes it
            toolbox.gateways.storage.delete(key)


def _as_failure(error: Exception, picture: EditedImage | None) -> TransformationFailed:
    """What went wrong as one of our reasons, with what the model had already taken for its answer."""
    if isinstance(error, TransformationFailed):
        return error
    usage = picture.usage if picture else None
    if isinstance(error, PixShiftError):  # the storage is away: our own trouble, worth another try
        return TransformationFailed(reason=FailureReason.STORAGE_DOWN, retryable=True, usage=usage)
    log.error("job met a fault of our own", exc_info=error)
    return TransformationFailed(reason=FailureReason.UNKNOWN, usage=usage)


def _edit(toolbox: Toolbox, job: ClaimedJob) -> EditedImage:
    try:
        photo = outlast(toolbox, partial(toolbox.gateways.storage.get, job.photo_key))
    except NotFound:
        raise TransformationFailed(reason=FailureReason.PHOTO_GONE) from None
    return toolbox.gateways.editor.edit(
        EditRequest(
            photo=photo,
            prompt=job.prompt,
            style=job.style,
            width=job.width,
            height=job.height,
            model=job.model,
            aspect_ratio=job.aspect_ratio,
        )
    )


def _verify(toolbox: Toolbox, job: ClaimedJob, picture: EditedImage) -> VerifiedImage:
    """Decode the answer in full before anybody sees it: what is broken was never a picture."""
    try:
        return toolbox.gateways.decoder.verify(picture.data)
    except InvalidInput:
        reason = FailureReason.RESULT_BROKEN
    except PixShiftError:  # no helper came free, or none starts: that says nothing about the picture
        reason = FailureReason.DECODER_DOWN
    raise TransformationFailed(reason=reason, retryable=True, usage=picture.usage)


def _owned(job: ClaimedJob) -> ColumnElement[bool]:
    return Transformation.lease_token == job.lease


def _is_checking(toolbox: Toolbox, job: ClaimedJob, key: str, usage: Usage) -> bool:
    """Show the next stage and write down where the picture will be, so that a killed worker leaves no unknown object.

    False when the lease was lost: then there will be no object.
    """
    shown = change(update(Transformation).where(Transformation.id == job.id, _owned(job)).values(stage=Stage.CHECKING))
    if shown == 1:
        change(update(Attempt).where(Attempt.id == job.attempt_id).values(storage_key=key))
    else:
        attempts.end(toolbox, job.attempt_id, LEASE_LOST, usage)
    commit(toolbox, job.id)
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
        thumbnail=verified.thumbnail or None,
        is_preview=toolbox.gateways.editor.is_twin,
        finished_at=now,
        delete_due_at=retention.due_unused(now),
        lease_token=None,
        lease_expires_at=None,
    )
    if done:
        billing.settle(job.id)
    else:  # lost to somebody else, or done before: by this very call, if the answer to its commit was lost
        names_it = Transformation.transformed_image_url == key
        done = db.session.scalar(select(Transformation.id).where(Transformation.id == job.id, names_it)) is not None
    attempts.end(toolbox, job.attempt_id, Status.COMPLETED.value if done else LEASE_LOST, picture.usage)
    commit(toolbox, job.id)
    log.info("job done" if done else "job finished too late", extra={"job": str(job.id), "attempt": job.attempt})
    return done


def _fail(toolbox: Toolbox, job: ClaimedJob, failure: TransformationFailed) -> bool:
    """Try again later when that can help, else end the job and give back what it took. False when it was too late."""
    now, reason, retry = toolbox.now(), FailureReason(failure.reason), toolbox.settings.gemini.retry
    is_last_chance = reason.is_vendor_fault and job.attempt == retry.max_attempts and circuits.is_open(job.model)
    attempts.end(toolbox, job.attempt_id, reason.value, failure.usage)
    is_soon = (failure.retry_after or 0.0) <= lifecycle.LONGEST_WAIT_SECONDS
    again = failure.retryable and is_soon and reason.allows_another(job.attempt, retry.max_attempts)
    delay = _delay(toolbox, job, failure) if again else 0.0
    if is_last_chance:  # its attempts went into a model that is known to fail: it waits whether that ends soon
        again, delay = True, LAST_CHANCE.total_seconds()
    if again:
        ended = move_to(
            job.id,
            Status.PENDING,
            _owned(job),
            stage=Stage.WAITING,
            due_at=now + timedelta(seconds=delay),
            lease_token=None,
            lease_expires_at=None,
        )
    else:
        ended = leases.end_badly(job.id, reason, now, _owned(job))
    commit(toolbox, job.id)
    log.warning(
        "job failed" if ended else "job failed too late",
        extra={"job": str(job.id), "attempt": job.attempt, "reason": reason.value, "again": again},
    )
    if again and ended:
        toolbox.gateways.queue.nudge(delay)
    return ended


def _note_health(toolbox: Toolbox, job: ClaimedJob, failure: TransformationFailed | None = None) -> None:
    """What this end says of the model. Not asked of a job that ended too late: a worker that was frozen finds its
    deadlines passed, which is no fault of the vendor's."""
    reason = FailureReason(failure.reason) if failure else None
    if reason is None or reason.is_answer:
        if circuits.answered(job.model):
            leases.nudge_waiting(toolbox)  # their nudges found a closed door
    elif failure and reason.is_vendor_fault:
        circuits.failed(toolbox, job.model, failure.retry_after)


def _delay(toolbox: Toolbox, job: ClaimedJob, failure: TransformationFailed) -> float:
    retry = toolbox.settings.gemini.retry
    jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
    return lifecycle.retry_delay(
        job.attempt, retry.initial_delay / 1000, retry.backoff_multiplier, jitter, failure.retry_after
    )
