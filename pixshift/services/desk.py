"""What operators and admins do with jobs and payments."""

import logging
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Status
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import AdminAction, Transformation
from pixshift.models.base import read_one
from pixshift.services import (
    audit,
    desk_jobs,
    desk_money,
    leases,
    payment_rows,
    reconciliation,
    refunds,
    settlements,
    subscriptions,
    transformations,
)
from pixshift.services.audit import Actor
from pixshift.services.lifecycle import commit
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
MOST_AT_ONCE = 100  # payments that are looked at while somebody waits for the page
_RECONCILED = ("RECONCILE", "BILLING_RECORD")


def jobs(
    status: Status | None, limit: int, reason: FailureReason | None = None, user_id: UUID | None = None
) -> list[Transformation]:
    """Newest first."""
    query = (
        select(Transformation)
        .options(joinedload(Transformation.type, innerjoin=True))
        .order_by(Transformation.created_at.desc(), Transformation.id.desc())
        .limit(limit)
    )
    if status is not None:
        query = query.where(Transformation.status == status)
    if reason is not None:
        query = query.where(desk_jobs.with_reason(reason))
    if user_id is not None:
        query = query.where(Transformation.user_id == user_id)
    return list(db.session.scalars(query))


def requeue(toolbox: Toolbox, job_id: UUID, actor: Actor) -> None:
    """Raises NotFound, or InvalidInput for a job that has not failed, was made again, or whose photo is gone."""
    job = _find(job_id)
    if job.upload is None or job.upload.deleted_at is not None:
        db.session.rollback()
        raise InvalidInput("The photo of this job is deleted, so it cannot be made.")
    before = _facts(job)
    try:
        is_queued = leases.requeue(toolbox, job_id)
    except IntegrityError:  # of one paid picture there is one free remake; another one runs or is done
        db.session.rollback()
        raise InvalidInput("Another job makes this picture again already, free of charge.") from None
    if not is_queued:
        db.session.rollback()
        raise InvalidInput(f"Only a failed job can be requeued; this one is {job.status.value}.")
    after = {"status": Status.PENDING.value, "attempts": 0, "reason": None}
    audit.record(actor, "REQUEUE", "TRANSFORMATION", job_id, before=before, after=after)
    commit(toolbox, job_id)
    toolbox.gateways.queue.nudge()


def fail(toolbox: Toolbox, job_id: UUID, actor: Actor) -> None:
    """End a job, and let go what it holds. Raises NotFound, or InvalidInput for one that has ended already."""
    job = _find(job_id)
    before = _facts(job)
    if not leases.end_badly(job_id, FailureReason.STOPPED, toolbox.now()):
        db.session.rollback()
        raise InvalidInput(f"This job has already ended: it is {job.status.value}.")
    after = before | {"status": Status.FAILED.value, "reason": FailureReason.STOPPED.value}
    audit.record(actor, "FAIL", "TRANSFORMATION", job_id, before=before, after=after)
    commit(toolbox, job_id)
    settlements.finish_job(toolbox, job_id)


def refund(toolbox: Toolbox, record_id: UUID, amount: Decimal, actor: Actor) -> None:
    """Give back what is left of a payment; ``amount`` is what the admin was told that this is.

    Raises NotFound or InvalidInput: nothing is left, or not that much any more. A gateway that is away raises nothing:
    the refund is written down, shows so, and is sent later.
    """
    found = desk_money.find(record_id)
    left = found.left
    if found.record.disputed_at is not None:
        raise InvalidInput("This payment is disputed: the bank decides, and a refund would pay it back twice.")
    if left.amount == 0:
        raise InvalidInput("Nothing is left to give back of this payment.")
    if left.amount != amount:
        raise InvalidInput(f"Meanwhile {left.text} is left of this payment. Look at it again first.", field="amount")
    try:
        refunds.refund(toolbox, record_id, refunds.BY_OPERATOR, actor=actor)
    except ExternalServiceError as error:
        log.warning("refund is sent later", extra={"record": str(record_id), "error": error.message})


def look(toolbox: Toolbox, record_id: UUID, actor: Actor) -> None:
    """Ask the gateway now how one payment stands. Raises NotFound, or ExternalServiceError: then nothing changed."""
    before = _money(record_id)
    record = payment_rows.find(record_id)
    if record.subscription_id is not None:
        subscriptions.look(toolbox, record.subscription_id)
    transformations.payment_changed(toolbox, record_id)
    audit.record(actor, *_RECONCILED, record_id, before=before, after=_money(record_id))
    db.session.commit()


def reconcile(toolbox: Toolbox, actor: Actor) -> None:
    """Ask the gateways now how every open payment and plan stands; what was found is written to the audit log.

    Raises InvalidInput when there are too many to wait for, or ExternalServiceError when a gateway is away.
    """
    if desk_money.open_payments(MOST_AT_ONCE + 1) > MOST_AT_ONCE:
        raise InvalidInput(
            f"More than {MOST_AT_ONCE} payments are open, which takes too long for a page.",
            way_out="Run `flask billing reconcile`; the worker goes on looking at them meanwhile.",
        )
    for gateway in toolbox.gateways.payments.values():
        gateway.check()  # one that is away is found out once, not once for each payment
    report = reconciliation.reconcile(toolbox)
    plans = subscriptions.look_due(toolbox, everything=True)
    found = {"looked": report.looked, "changed": report.changed, "plans": plans, "differences": report.differences[:20]}
    audit.record(actor, *_RECONCILED, details=found)
    db.session.commit()


def last_reconciled() -> AdminAction | None:
    """The last time that an admin had all open payments looked at, with what was found."""
    act, entity = _RECONCILED
    all_of_them = (AdminAction.entity_type == entity) & AdminAction.entity_id.is_(None)
    found = select(AdminAction).where(AdminAction.action_type == act, all_of_them)
    return read_one(found.order_by(AdminAction.timestamp.desc()).limit(1))


def _money(record_id: UUID) -> dict[str, Any]:
    record = payment_rows.find(record_id)
    return {
        "state": desk_money.state(record),
        "captured": str(record.captured),
        "refunded": str(record.refunded),
    }


def _facts(job: Transformation) -> dict[str, Any]:
    return {"status": job.status.value, "attempts": job.attempts, "reason": job.failure_reason}


def _find(job_id: UUID) -> Transformation:
    """Held until the transaction ends, so that the log's ``before`` is what it was."""
    job = db.session.get(Transformation, job_id, with_for_update=True)
    if job is None:
        raise NotFound("There is no job with this id. `flask transformations list` shows what there is.")
    return job
