"""What pages about a picture show and do when it is paid for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Response, url_for

from pixshift.blueprints.helpers import toolbox, user_id
from pixshift.blueprints.rendering import leave_for, on_error, see
from pixshift.domain.job_facts import JobFacts
from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, Purse, Status
from pixshift.domain.movements import decline_sentence
from pixshift.domain.pricing import Money
from pixshift.errors import NotFound, PixShiftError
from pixshift.services import billing, customers, payment_rows, payment_rules, payments, plans, refunds, transformations


@dataclass(frozen=True, slots=True)
class PaymentView:
    """How a picture's payment stands. ``goodwill``: "not good?" refunds that are left, None: none is offered."""

    record_id: UUID | None
    price: str | None
    was_held: bool
    is_charged: bool
    is_refunded: bool
    declined: str | None
    waits_for: str | None
    may_reroll: bool
    goodwill: int | None


def has_paid_month() -> bool:
    """Whether a month's pictures pay for the next one."""
    quota = billing.quota(user_id(), toolbox().now())
    return quota is not None and quota.remaining > 0


def context() -> dict[str, Any]:
    """The ways to pay, the one on offer first, and what is known of the payer."""
    gateways = toolbox().gateways.payments
    return {
        "ways": [{"name": name, "title": gateway.title} for name, gateway in gateways.items()],
        "card": customers.saved_method(user_id(), next(iter(gateways))),
        "plan": plans.current(user_id(), toolbox().now()),
    }


def view(job: JobFacts) -> PaymentView | None:
    """None for a picture that is free, and for one of a month while it is made."""
    is_made = job.status is Status.COMPLETED
    if job.reroll_of is not None or job.pricing_tier_locked == Purse.FREE:
        return None
    if job.pricing_tier_locked == Purse.PREMIUM:
        again = is_made and _may_reroll(job.id)
        return PaymentView(None, None, True, False, False, None, None, again, None) if is_made else None
    record = payment_rows.record_of_job(job.id)
    if record is None:
        return None
    is_refunded = record.status is BillingStatus.REFUNDED
    is_charged = record.status is BillingStatus.COMPLETED
    waits_for, declined = _under_way(record.id, record.failure) if job.due_at is None else (None, None)
    return PaymentView(
        record_id=record.id,
        price=Money(record.amount, record.currency).text,
        was_held=record.authorized_at is not None,
        is_charged=is_charged,
        is_refunded=is_refunded,
        declined=declined,
        waits_for=waits_for,
        may_reroll=is_made and _may_reroll(job.id),
        goodwill=refunds.goodwill_left(toolbox(), user_id()) or None if is_made and is_charged else None,
    )


def go_on(transformation_id: UUID, way: str, again: Callable[[PixShiftError], Response]) -> Response:
    """Pay for a job: with the card that is kept, or on a page. ``way`` is a gateway's name, new, or nothing."""
    on_error(again)
    card = customers.saved_method(user_id(), payment_rules.chosen(toolbox()).name) if not way else None
    if card is not None and card.method_id:
        paid = payments.pay_with(toolbox(), user_id(), transformation_id, card.method_id)
        if paid.status is not PaymentStatus.ACTION:
            return see(url_for("transformations.show", transformation_id=transformation_id))
    name = way if way not in ("", "new") else None
    page = payments.open_page(toolbox(), user_id(), transformation_id, name)
    return leave_for(page.url or url_for("transformations.show", transformation_id=transformation_id))


def check(transformation_id: UUID) -> None:
    """Ask the gateway now. Raises NotFound, ExternalServiceError."""
    record = payment_rows.record_of_job(transformation_id)
    if record is None or record.user_id != user_id():
        raise NotFound("We know no payment for this picture.")
    transformations.payment_changed(toolbox(), record.id)


def _under_way(record_id: UUID, failure: str | None) -> tuple[str | None, str | None]:
    """For whom we wait, and why the last try did not go through."""
    attempt = payment_rows.last_attempt(record_id)
    if attempt is None:
        return None, None
    gateway = toolbox().gateways.payments.get(attempt.gateway)
    is_open = attempt.status in (PaymentStatus.OPEN, PaymentStatus.ACTION, PaymentStatus.APPROVED)
    declined = decline_sentence(attempt.failure or failure)
    return (gateway.title if gateway and is_open else None), declined


def _may_reroll(transformation_id: UUID) -> bool:
    return transformations.may_reroll(transformations.find(user_id(), transformation_id))
