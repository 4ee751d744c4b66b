"""The months of a plan: one of pictures for each invoice that is paid as agreed, the money back for any other.

All of it in the current transaction, under the lock on the plan.
"""

import logging
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update

from pixshift.domain.lifecycle import BillingStatus, Purse, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.extensions import db
from pixshift.gateways.ports import InvoiceState
from pixshift.models import BillingRecord, QuotaPeriod, Refund, Subscription, User
from pixshift.models.base import change
from pixshift.services import billing
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
NOT_AS_AGREED = "not_as_agreed"
TWICE = "paid_twice"
_RUNS = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


def take(toolbox: Toolbox, plan: Subscription, invoice: InvoiceState, now: datetime, *, is_agreed: bool) -> bool:
    """Write down an invoice that is paid, the first time that it is seen. False: it is not as agreed.

    ``is_agreed`` is what the plan itself is. One that is not grants nothing: the sweeper gives back what was paid.
    """
    is_agreed = is_agreed and _is_as_agreed(plan, invoice)
    same = (BillingRecord.gateway == plan.gateway) & (BillingRecord.invoice_id == invoice.invoice_id)
    seen = db.session.execute(select(BillingRecord.subscription_id).where(same)).one_or_none()
    if seen is not None:
        return is_agreed and _is_of(plan, seen.subscription_id)
    if not is_agreed:
        _give_back(toolbox, plan, invoice, now, NOT_AS_AGREED)
    elif _is_replaced(plan):
        _give_back(toolbox, plan, invoice, now, TWICE)
    else:
        _grant(toolbox, plan, invoice, now)
    return is_agreed


def _is_as_agreed(plan: Subscription, invoice: InvoiceState) -> bool:
    return invoice.money == Money(plan.amount, plan.currency) and invoice.starts_at < invoice.ends_at


def _is_of(plan: Subscription, owner: UUID | None) -> bool:
    """Whether an invoice is this plan's. It is paid once: another plan that has it keeps its pictures and its money."""
    if owner != plan.id and plan.failure is None:
        about = {"plan": str(plan.id), "other": str(owner)}
        log.error("a month is claimed by two plans: whose money it is must be looked at by hand", extra=about)
    return owner == plan.id


def _is_replaced(plan: Subscription) -> bool:
    """Whether its owner had given it up, and pays for another one by now."""
    others = (Subscription.user_id == plan.user_id) & (Subscription.id != plan.id) & Subscription.status.in_(_RUNS)
    return plan.status is SubscriptionStatus.ENDED and bool(db.session.scalar(select(Subscription.id).where(others)))


def _grant(toolbox: Toolbox, plan: Subscription, invoice: InvoiceState, now: datetime) -> None:
    is_first = db.session.scalar(select(QuotaPeriod.id).where(QuotaPeriod.subscription_id == plan.id).limit(1)) is None
    month = {
        "user_id": plan.user_id,
        "subscription_id": plan.id,
        "invoice_id": invoice.invoice_id,
        "granted": plan.monthly_limit,
        "starts_at": invoice.starts_at,
        "ends_at": invoice.ends_at,
        "created_at": now,
    }
    change(insert(QuotaPeriod).values(**month))
    _record(toolbox, plan, invoice, now)
    if is_first:
        person = (User.id == plan.user_id) & User.erased_at.is_(None)
        change(update(User).where(person).values(pricing_tier=Purse.PREMIUM.value))


def _give_back(toolbox: Toolbox, plan: Subscription, invoice: InvoiceState, now: datetime, cause: str) -> None:
    """Put what was paid on the books, with a refund that is due at once; ``reconciliation.tend`` sends it."""
    about = {"plan": str(plan.id), "reason": cause, "invoice": invoice.invoice_id}
    amount = invoice.money.amount
    if amount <= 0:
        return
    record_id = _record(toolbox, plan, invoice, now)
    if invoice.payment_id is None:
        log.error("a month is not as agreed: its money must be given back by hand", extra=about)
        return
    log.error("a month is not as agreed: its money is given back", extra=about)
    wanted = {"billing_record_id": record_id, "cause": cause, "amount": amount, "created_at": now, "next_try_at": now}
    change(insert(Refund).values(**wanted))


def _record(toolbox: Toolbox, plan: Subscription, invoice: InvoiceState, now: datetime) -> UUID:
    record_id = uuid4()
    charged = {
        "id": record_id,
        "user_id": plan.user_id,
        "subscription_id": plan.id,
        "invoice_id": invoice.invoice_id,
        "description": _describe(toolbox, invoice),
        "amount": invoice.money.amount,
        "currency": invoice.money.currency,
        "status": BillingStatus.COMPLETED,
        "captured": invoice.money.amount,
        "captured_at": now,
        "gateway": plan.gateway,
        "payment_gateway_transaction_id": invoice.payment_id,
        "method_label": plan.method_label,
        "created_at": now,
    }
    change(insert(BillingRecord).values(**charged))
    billing.give_number(record_id)
    return record_id


def _describe(toolbox: Toolbox, invoice: InvoiceState) -> str:
    """Such as: Premium, 3 Nov to 3 Dec."""
    name = toolbox.settings.tier(Purse.PREMIUM.value).name
    starts, ends = invoice.starts_at, invoice.ends_at
    return f"{name}, {starts.day} {starts:%b} to {ends.day} {ends:%b}"
