"""Paying for a picture: on the gateway's own page, or with a method at once. How it then stands is ``settlements``'."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from pixshift.domain.lifecycle import (
    BillingStatus,
    PaymentStatus,
    Status,
)
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound, PaymentFailed
from pixshift.extensions import db
from pixshift.gateways.ports import Order, PaymentGateway
from pixshift.models import BillingRecord, PaymentAttempt, Transformation
from pixshift.models.base import change, read_rows
from pixshift.services import customers, payment_rows, payment_states, settlements
from pixshift.services.payment_rules import chosen, require_patience, require_price, require_unblocked
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
PAGE_LIFE = timedelta(minutes=40)  # Stripe's shortest is 30, counted when the request arrives


@dataclass(frozen=True, slots=True)
class Paid:
    """How a payment stands after somebody tried: ``url`` is where the payer goes on, ``client_secret`` what their own
    program needs to confirm."""

    record: BillingRecord
    status: PaymentStatus
    url: str | None = None
    client_secret: str | None = None


def open_page(toolbox: Toolbox, user_id: UUID, transformation_id: UUID, gateway_name: str | None = None) -> Paid:
    """The gateway's page on which the payer lets the price be held; the same one while it is open.

    Raises NotFound, InvalidInput (nothing is to be paid any more), PaymentFailed (spending is blocked),
    RateLimitExceeded, or ExternalServiceError.
    """
    gateway = chosen(toolbox, gateway_name)
    record, attempt = _payable(user_id, transformation_id)
    if attempt and (attempt.gateway != gateway.name or attempt.method_id or attempt.expires_at <= toolbox.now()):
        record, attempt = _give_up(toolbox, user_id, transformation_id, attempt)
    attempt = attempt or _begin(toolbox, record, gateway, None)
    if attempt.url and attempt.status is PaymentStatus.OPEN:
        return Paid(record, attempt.status, attempt.url)
    page = gateway.open_checkout(_order(toolbox, record, attempt))
    known = update(PaymentAttempt).where(
        PaymentAttempt.id == attempt.id, PaymentAttempt.status == PaymentStatus.CREATED
    )
    change(known.values(session_id=page.session_id, url=page.url, status=PaymentStatus.OPEN, updated_at=toolbox.now()))
    db.session.commit()
    return Paid(record, PaymentStatus.OPEN, page.url)


def pay_with(
    toolbox: Toolbox,
    user_id: UUID,
    transformation_id: UUID,
    method_id: str,
    *,
    amount: Decimal | None = None,
    currency: str | None = None,
) -> Paid:
    """Hold the price with a payment method at once. HELD, or ACTION when the payer's bank wants a confirmation.

    ``amount`` and ``currency`` are only compared with the price. Raises as ``open_page`` does, and PaymentFailed with
    ``details.reason`` when it is declined.
    """
    gateway = next((known for known in toolbox.gateways.payments.values() if known.takes_methods), None)
    if gateway is None:
        raise InvalidInput("Pay on the hosted page: saved methods are not taken here.", field="paymentMethodId")
    record, attempt = _payable(user_id, transformation_id)
    require_price(record, amount, currency)
    if attempt and (attempt.gateway != gateway.name or attempt.method_id != method_id):
        record, attempt = _give_up(toolbox, user_id, transformation_id, attempt)
    attempt = attempt or _begin(toolbox, record, gateway, method_id)
    try:
        state = gateway.pay(_order(toolbox, record, attempt))
    except PaymentFailed as refused:
        _decline(toolbox, attempt, str(refused.details.get("reason", "card_declined")))
        raise
    payment_states.apply(toolbox, attempt.id, state)
    if state.status is PaymentStatus.HELD:
        toolbox.gateways.queue.nudge()
    return Paid(payment_rows.find(record.id), state.status, state.url, state.client_secret)


def _payable(user_id: UUID, transformation_id: UUID) -> tuple[BillingRecord, PaymentAttempt | None]:
    """What is still to be paid for one's own job, with the try that is under way."""
    require_unblocked(user_id)
    record = payment_rows.record_of_job(transformation_id)
    if record is None or record.user_id != user_id:
        raise NotFound("We know no payment for this picture.")
    job = read_rows(select(Transformation.status, Transformation.due_at).where(Transformation.id == transformation_id))[
        0
    ]
    if record.status is not BillingStatus.PENDING or record.authorized_at is not None:
        raise InvalidInput("This picture is paid for, or was let go. Nothing is to be paid.", field="transformationId")
    if job.status is not Status.PENDING:
        raise InvalidInput("This picture has ended. Nothing is to be paid.", field="transformationId")
    return record, payment_rows.live_attempt(record.id)


def _begin(toolbox: Toolbox, record: BillingRecord, gateway: PaymentGateway, method_id: str | None) -> PaymentAttempt:
    """Write a try down before the gateway hears of it. Of many at once one is written, and all go on with that one."""
    require_patience(toolbox, record.user_id)
    customer, now = customers.customer_id(record.user_id, gateway), toolbox.now()
    values = {
        "id": uuid4(),
        "billing_record_id": record.id,
        "user_id": record.user_id,
        "gateway": gateway.name,
        "is_live": gateway.is_live,
        "customer_id": customer,
        "method_id": method_id,
        "expires_at": now + PAGE_LIFE,
        "created_at": now,
        "updated_at": now,
    }
    try:
        change(insert(PaymentAttempt).values(**values))
        change(update(BillingRecord).where(BillingRecord.id == record.id).values(failure=None, next_look_at=None))
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
    live = payment_rows.live_attempt(record.id)
    if live is None or (live.gateway, live.method_id) != (gateway.name, method_id):
        raise InvalidInput("This picture is being paid for in another window.", field="transformationId")
    return live


def _give_up(
    toolbox: Toolbox, user_id: UUID, transformation_id: UUID, attempt: PaymentAttempt
) -> tuple[BillingRecord, PaymentAttempt | None]:
    """End a try that another one replaces; one that was paid in the meantime stands, and nothing more is to be paid."""
    gateway = toolbox.gateways.payments.get(attempt.gateway)
    if gateway is None:
        raise InvalidInput("This picture is being paid for elsewhere.", field="gateway")
    settlements.ask(toolbox, gateway, attempt)
    record, live = _payable(user_id, transformation_id)
    if live is not None:
        payment_states.apply(toolbox, live.id, gateway.void(payment_rows.reference(live)))
        record, live = _payable(user_id, transformation_id)
    if live is not None:
        raise ExternalServiceError("Your first try to pay has not ended yet. Please try again in a minute.")
    return record, None


def _decline(toolbox: Toolbox, attempt: PaymentAttempt, reason: str) -> None:
    payment_states.bury(toolbox, attempt.id, reason)
    if attempt.method_id and reason == "unknown_method":
        customers.forget_method(attempt.user_id, attempt.gateway, attempt.method_id)
        db.session.commit()


def _order(toolbox: Toolbox, record: BillingRecord, attempt: PaymentAttempt) -> Order:
    site = toolbox.settings.app_url
    return Order(
        attempt_id=attempt.id,
        record_id=record.id,
        user_id=record.user_id,
        money=Money(record.amount, record.currency),
        description=record.description,
        return_url=f"{site}/billing/return/{attempt.gateway}",
        cancel_url=f"{site}/transformations/{record.transformation_id}",
        expires_at=attempt.expires_at,
        customer_id=attempt.customer_id,
        method_id=attempt.method_id,
    )
