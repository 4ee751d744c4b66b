"""What a gateway says of a plan, written down: one transaction under a lock on the plan.

Its paid invoices are ``plan_months``'. News that is older than what is known changes nothing.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update

from pixshift.domain.lifecycle import SubscriptionStatus, subscription_may_become
from pixshift.domain.pricing import Money
from pixshift.extensions import db
from pixshift.gateways.ports import SubscriptionState
from pixshift.models import Subscription
from pixshift.models.base import change
from pixshift.services import plan_months
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
MISMATCH = "mismatch"
MISSING = "missing"
MISSING_AFTER = timedelta(minutes=10)  # what a gateway does not know by then never reached it
SOON = timedelta(minutes=5)
_LOOK_AGAIN = {SubscriptionStatus.ACTIVE: timedelta(days=1), SubscriptionStatus.PAST_DUE: timedelta(hours=1)}
_PAGE_LEFT_OPEN = timedelta(hours=1)  # after the end: it cannot be closed, and may still be paid on


def is_theirs(plan: Subscription, state: SubscriptionState) -> bool:
    """Whether it is this very plan of this very person; nothing else is touched at the gateway."""
    return (state.subscription_id, state.user_id) == (plan.id, plan.user_id)


def apply(
    toolbox: Toolbox, subscription_id: UUID, state: SubscriptionState | None, *, is_given_up: bool = False
) -> None:
    """Write down how a plan stands at its gateway; None: it knows of no such plan.

    ``is_given_up``: it ends here even if the gateway cannot close the page that waits. What is paid there all the same
    is noticed, as the plan is still looked at.
    """
    now = toolbox.now()
    plan = _lock(subscription_id)
    if state is None or not is_theirs(plan, state):
        _miss(plan, MISSING if state is None else MISMATCH, now)
    else:
        _follow(toolbox, plan, state, now)
        if is_given_up and state.status is plan.status is SubscriptionStatus.INCOMPLETE:
            _end(plan)
    _plan_next_look(plan, state, now)
    db.session.commit()


def give_up(toolbox: Toolbox, subscription_id: UUID) -> None:
    """End a plan that was never paid, and whose gateway cannot be asked; it is looked at when it can be again."""
    waits = (Subscription.id == subscription_id) & (Subscription.status == SubscriptionStatus.INCOMPLETE)
    over = {"status": SubscriptionStatus.ENDED, "next_look_at": toolbox.now() + SOON}
    change(update(Subscription).where(waits).values(over))
    db.session.commit()


def put_off(toolbox: Toolbox, subscription_id: UUID) -> None:
    """Look again soon: the gateway did not answer, or is not configured."""
    waits = update(Subscription).where(Subscription.id == subscription_id, Subscription.next_look_at.is_not(None))
    change(waits.values(next_look_at=toolbox.now() + SOON))
    db.session.commit()


def _follow(toolbox: Toolbox, plan: Subscription, state: SubscriptionState, now: datetime) -> None:
    """What is as agreed moves on. Anything else only ends: it is ended at the gateway by whoever looked."""
    is_agreed = (state.money, state.is_live) == (Money(plan.amount, plan.currency), plan.is_live)
    _name(plan, state)
    plan.method_label = state.method_label or plan.method_label
    plan.cancels_at_period_end = state.cancels_at_period_end
    paid = sorted((each for each in state.invoices if each.is_paid), key=lambda each: each.starts_at)
    taken = [plan_months.take(toolbox, plan, each, now, is_agreed=is_agreed) for each in paid]
    is_right = is_agreed and all(taken)
    _note(plan, None if is_right else MISMATCH)
    is_allowed = is_right or state.status is SubscriptionStatus.ENDED
    if is_allowed and subscription_may_become(plan.status, state.status):
        _move(toolbox, plan, state.status, now)
    if plan.status is SubscriptionStatus.ACTIVE:
        plan.period_end = state.period_end or plan.period_end


def _move(toolbox: Toolbox, plan: Subscription, new: SubscriptionStatus, now: datetime) -> None:
    log.info("plan moved", extra={"plan": str(plan.id), "old": plan.status.value, "new": new.value})
    plan.status = new
    is_late = new is SubscriptionStatus.PAST_DUE
    plan.past_due_at = now if is_late else None
    plan.grace_ends_at = now + timedelta(days=toolbox.settings.billing.grace_days) if is_late else None


def _end(plan: Subscription) -> None:
    """It stays ended; months that are paid stay until they are over."""
    plan.status = SubscriptionStatus.ENDED


def _miss(plan: Subscription, failure: str, now: datetime) -> None:
    """Nothing there is ours. One that was never paid ends, when its page is over or was never made; others stay."""
    if plan.status is SubscriptionStatus.ENDED:
        return  # gateways forget
    is_young = plan.created_at > now - MISSING_AFTER
    if plan.status is SubscriptionStatus.INCOMPLETE and failure == MISSING:
        if not is_young and (plan.session_id is None or plan.expires_at <= now):
            _end(plan)
        return
    _note(plan, failure)
    if plan.status is SubscriptionStatus.INCOMPLETE and plan.expires_at <= now:
        _end(plan)


def _note(plan: Subscription, failure: str | None) -> None:
    """Told once, until it is as agreed again (None)."""
    if failure is not None and plan.failure != failure:
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
        is_page = state is not None and state.status is SubscriptionStatus.INCOMPLETE
        plan.next_look_at = now + (_PAGE_LEFT_OPEN if is_page else SOON) if runs_on else None
        return
    ends = plan.grace_ends_at if plan.status is SubscriptionStatus.PAST_DUE else plan.period_end
    usual = now + _LOOK_AGAIN.get(plan.status, SOON)
    plan.next_look_at = usual if ends is None else min(usual, max(ends, now + SOON))


def _lock(subscription_id: UUID) -> Subscription:
    """The plan as it is now, held until the transaction ends."""
    mine = select(Subscription).where(Subscription.id == subscription_id).with_for_update()
    return db.session.scalars(mine, execution_options={"populate_existing": True}).one()
