"""How payments stand, and how they end: captured when the picture is there, let go when there will be none.

The gateway is asked outside any transaction; what it answers is applied under a lock on the billing record, and only
when it is newer than what is known. So webhook, return page and reconcile may all come, in any order, any number of
times.
"""

import logging
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, Reservation, Status
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, PaymentFailed
from pixshift.gateways.ports import PaymentGateway, PaymentState
from pixshift.models import BillingRecord, PaymentAttempt, Transformation
from pixshift.models.base import read_rows
from pixshift.services import payment_rows, payment_states, refunds
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
MISSING_AFTER = timedelta(minutes=10)  # what a gateway does not know by then never reached it


def look(toolbox: Toolbox, record_id: UUID) -> None:
    """Ask how a record's payments stand, and write down what is new. Raises NotFound, ExternalServiceError.

    Of those that are over, only what was captured is asked for: a refund or a dispute may come late.
    """
    payment_rows.find(record_id)
    for attempt in payment_rows.attempts(record_id, payment_rows.NOT_DEAD):
        ask(toolbox, _gateway(toolbox, attempt.gateway), attempt)


def ask(toolbox: Toolbox, gateway: PaymentGateway, attempt: PaymentAttempt) -> None:
    """The same for one try; one whose payer agreed is held now. Raises ExternalServiceError."""
    reference = payment_rows.reference(attempt)
    state = gateway.look(reference)
    if state is not None and state.status is PaymentStatus.APPROVED and _may_hold(attempt, state):
        try:
            state = gateway.authorize(reference)
        except PaymentFailed as refused:
            payment_states.note_decline(toolbox, attempt.id, str(refused.details.get("reason", "card_declined")))
            return
    if state is not None:
        payment_states.apply(toolbox, attempt.id, state)
    elif attempt.created_at < toolbox.now() - MISSING_AFTER:
        payment_states.bury(toolbox, attempt.id, None)


def finish(toolbox: Toolbox, record_id: UUID) -> None:
    """Capture, let go or give back what a picture's end asks for; nothing while it is made. Again changes nothing.

    Raises ExternalServiceError when the outcome is unknown: a later call goes on.
    """
    record, attempt = payment_rows.find(record_id), payment_rows.live_attempt(record_id)
    end = payment_rows.reservation_end(record)
    if attempt is not None and attempt.failure == payment_states.MISMATCH:
        _let_go(toolbox, attempt)
    elif end is Reservation.RELEASED and record.captured > record.refunded and not record.disputed_at:
        refunds.refund(toolbox, record_id, refunds.NOT_MADE)
    elif end is None or record.status is not BillingStatus.PENDING:
        return
    elif attempt is None:
        payment_states.close(toolbox, record_id, end)
    elif end is Reservation.RELEASED:
        _let_go(toolbox, attempt)
    else:  # also what is not held: then nothing is taken, and its page is closed
        _capture(toolbox, record, attempt)


def finish_job(toolbox: Toolbox, transformation_id: UUID) -> None:
    """The same for a job's record, if it has one; a gateway that is away is left to the sweeper."""
    record = payment_rows.record_of_job(transformation_id)
    if record is None:
        return
    try:
        finish(toolbox, record.id)
    except ExternalServiceError as error:
        log.warning("payment is ended later", extra={"record": str(record.id), "error": error.message})


def _let_go(toolbox: Toolbox, attempt: PaymentAttempt) -> None:
    gateway, reference = _gateway(toolbox, attempt.gateway), payment_rows.reference(attempt)
    state = gateway.void(reference)
    payment_states.apply(toolbox, attempt.id, state)
    if attempt.failure == payment_states.MISMATCH and state.captured > 0 and state.capture_id:
        # Never ours to keep, and not in our books: it goes back as it came.
        gateway.refund(reference, state.capture_id, Money(state.captured, state.money.currency), attempt.failure)
    record_id = attempt.billing_record_id
    end = payment_rows.reservation_end(payment_rows.find(record_id))
    live = payment_rows.live_attempt(record_id)
    if end is not None and (live is None or live.failure == payment_states.MISMATCH):
        payment_states.close(toolbox, record_id, end)


def _capture(toolbox: Toolbox, record: BillingRecord, attempt: PaymentAttempt) -> None:
    gateway, reference = _gateway(toolbox, attempt.gateway), payment_rows.reference(attempt)
    try:
        state = gateway.capture(reference, Money(record.amount, record.currency))
    except PaymentFailed:
        log.error("capture failed for good: the picture stays", extra={"record": str(record.id)})
        state = gateway.void(reference)  # nobody may be charged later for what was written off
    payment_states.apply(toolbox, attempt.id, state)


def _may_hold(attempt: PaymentAttempt, state: PaymentState) -> bool:
    """Whether the payer's yes still counts: for the right sum, and for a picture that still waits."""
    record = payment_rows.find(attempt.billing_record_id)
    waits = (Transformation.id == record.transformation_id) & (Transformation.status == Status.PENDING)
    return bool(read_rows(select(Transformation.id).where(waits))) and payment_states.is_ours(attempt, record, state)


def _gateway(toolbox: Toolbox, name: str) -> PaymentGateway:
    """Kept with each payment. Raises ExternalServiceError when it is not configured any more."""
    gateway = toolbox.gateways.payments.get(name)
    if gateway is None:
        raise ExternalServiceError(f"Payments by {name} need its keys: set them again until all of them have ended.")
    return gateway
