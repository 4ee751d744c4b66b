"""What a gateway says of a plan, written down: one transaction under a lock on the plan.

A month of pictures is granted once per paid invoice. News that is older than what is known changes nothing.
"""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update

from pixshift.domain.lifecycle import BillingStatus, Purse, SubscriptionStatus, subscription_may_become
from pixshift.domain.pricing import Money
from pixshift.extensions import db
from pixshift.gateways.ports import InvoiceState, SubscriptionState
from pixshift.models import BillingRecord, QuotaPeriod, Subscription, User
from pixshift.models.base import change
from pixshift.services import billing
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
MISMATCH = "mismatch"
MISSING = "missing"
MISSING_AFTER = timedelta(minutes=10)  # what a gateway does not know by then never reached it
SOON = timedelta(minutes=5)
_LOOK_AGAIN = {SubscriptionStatus.ACTIVE: timedelta(days=1), SubscriptionStatus.PAST_DUE: timedelta(hours=1)}


def is_theirs(plan: Subscription, state: SubscriptionState) -> bool:
    """Whether it is this very plan of this very person; nothing else is touched at the gateway."""
    return (state.subscription_id, state.user_id) == (plan.id, plan.user_id)


def apply(toolbox: Toolbox, subscription_id: UUID, state: SubscriptionState | None) -> None:
    """Write down how a plan stands at its gateway; None: it knows of no such plan."""
    now = toolbox.now()
    plan = _lock(subscription_id)
    if state is None or not is_theirs(plan, state):
        _miss(plan, MISSING if state is None else MISMATCH, now)
    elif _is_as_agreed(plan, state):
        _follow(toolbox, plan, state, now)
    else:
        _note(plan, MISMATCH)
        _name(plan, state)
        if state.status is SubscriptionStatus.ENDED:
            _end(plan)
    _plan_next_look(plan, state, now)
    db.session.commit()


def put_off(toolbox: Toolbox, subscription_id: UUID) -> None:
    """Look again soon: the gateway did not answer, or is not configured."""
    waits = update(Subscription).where(Subscription.id == subscription_id, Subscription.next_look_at.is_not(None))
    change(waits.values(next_look_at=toolbox.now() + SOON))
    db.session.commit()


def _is_as_agreed(plan: Subscription, state: SubscriptionState) -> bool:
    return (state.money, state.is_live) == (Money(plan.amount, plan.currency), plan.is_live)


def _follow(toolbox: Toolbox, plan: Subscription, state: SubscriptionState, now: datetime) -> None:
    _name(plan, state)
    plan.method_label = state.method_label or plan.method_label
    plan.cancels_at_period_end = state.cancels_at_period_end
    for invoice in sorted(state.invoices, key=lambda each: each.starts_at):
        if invoice.is_paid:
            _grant(toolbox, plan, invoice, now)
    if subscription_may_become(plan.status, state.status):
        _move(toolbox, plan, state.status, now)
    if plan.status is SubscriptionStatus.ACTIVE:
        plan.period_end = state.period_end or plan.period_end


def _move(toolbox: Toolbox, plan: Subscription, new: SubscriptionStatus, now: datetime) -> None:
    log.info("plan moved", extra={"plan": str(plan.id), "old": plan.status.value, "new": new.value})
    if new is SubscriptionStatus.ENDED:
        _end(plan)
        return
    plan.status = new
    is_late = new is SubscriptionStatus.PAST_DUE
    plan.past_due_at = now if is_late else None
    plan.grace_ends_at = now + timedelta(days=toolbox.settings.billing.grace_days) if is_late else None


def _end(plan: Subscription) -> None:
    """It stays ended; months that are paid stay until they are over."""
    plan.status = SubscriptionStatus.ENDED
    premium = (User.id == plan.user_id) & (User.pricing_tier == Purse.PREMIUM.value)
    change(update(User).where(premium).values(pricing_tier=None))


def _grant(toolbox: Toolbox, plan: Subscription, invoice: InvoiceState, now: datetime) -> None:
    """One month of pictures and one billing record for a paid invoice, the first time that it is seen."""
    same = (BillingRecord.gateway == plan.gateway) & (BillingRecord.invoice_id == invoice.invoice_id)
    seen = db.session.scalars(select(BillingRecord.subscription_id).where(same)).one_or_none()
    if seen == plan.id:
        return
    is_right = invoice.money == Money(plan.amount, plan.currency) and invoice.starts_at < invoice.ends_at
    if seen is not None or not is_right:
        _note(plan, MISMATCH)
        return
    is_first = db.session.scalar(select(QuotaPeriod.id).where(QuotaPeriod.subscription_id == plan.id).limit(1)) is None
    period = {"granted": plan.monthly_limit, "starts_at": invoice.starts_at, "ends_at": invoice.ends_at}
    whose = {"user_id": plan.user_id, "subscription_id": plan.id, "invoice_id": invoice.invoice_id, "created_at": now}
    change(insert(QuotaPeriod).values(**whose, **period))
    _record(plan, invoice, whose, _describe(toolbox, invoice), now)
    if is_first:
        person = (User.id == plan.user_id) & User.erased_at.is_(None)
        change(update(User).where(person).values(pricing_tier=Purse.PREMIUM.value))


def _record(plan: Subscription, invoice: InvoiceState, whose: dict[str, Any], description: str, now: datetime) -> None:
    record_id = uuid4()
    charged = {
        "id": record_id,
        "description": description,
        "amount": invoice.money.amount,
        "currency": invoice.money.currency,
        "status": BillingStatus.COMPLETED,
        "captured": invoice.money.amount,
        "captured_at": now,
        "gateway": plan.gateway,
        "payment_gateway_transaction_id": invoice.payment_id,
        "method_label": plan.method_label,
    }
    change(insert(BillingRecord).values(whose | charged))
    billing.give_number(record_id)


def _describe(toolbox: Toolbox, invoice: InvoiceState) -> str:
    """Such as: Premium, 3 Nov to 3 Dec."""
    name = toolbox.settings.tier(Purse.PREMIUM.value).name
    starts, ends = invoice.starts_at, invoice.ends_at
    return f"{name}, {starts.day} {starts:%b} to {ends.day} {ends:%b}"


def _miss(plan: Subscription, failure: str, now: datetime) -> None:
    """Nothing there is ours. One that was never paid ends, when its page is over or was never made; others stay."""
    is_young = plan.created_at > now - MISSING_AFTER
    if plan.status is SubscriptionStatus.INCOMPLETE and failure == MISSING:
        if not is_young and (plan.session_id is None or plan.expires_at <= now):
            _end(plan)
        return
    _note(plan, failure)
    if plan.status is SubscriptionStatus.INCOMPLETE and plan.expires_at <= now:
        _end(plan)


def _note(plan: Subscription, failure: str) -> None:
    """Told once; nothing was granted."""
    if plan.failure != failure:
        log.error("plan is not as agreed, nothing is granted", extra={"plan": str(plan.id), "reason": failure})
        plan.failure = failure


def _name(plan: Subscription, state: SubscriptionState) -> None:
    """What the gateway calls it; a name once known is kept."""
    plan.session_id = plan.session_id or state.session_id
    plan.remote_id = plan.remote_id or state.remote_id
    plan.customer_id = plan.customer_id or state.customer_id
    plan.url = plan.url or state.url


def _plan_next_look(plan: Subscription, state: SubscriptionState | None, now: datetime) -> None:
    plan.updated_at = now
    if plan.status is SubscriptionStatus.ENDED:
        runs_on = state is not None and is_theirs(plan, state) and state.status is not SubscriptionStatus.ENDED
        plan.next_look_at = now + SOON if runs_on else None
        return
    ends = plan.grace_ends_at if plan.status is SubscriptionStatus.PAST_DUE else plan.period_end
    usual = now + _LOOK_AGAIN.get(plan.status, SOON)
    plan.next_look_at = usual if ends is None else min(usual, max(ends, now + SOON))


def _lock(subscription_id: UUID) -> Subscription:
    """The plan as it is now, held until the transaction ends."""
    mine = select(Subscription).where(Subscription.id == subscription_id).with_for_update()
    return db.session.scalars(mine, execution_options={"populate_existing": True}).one()
