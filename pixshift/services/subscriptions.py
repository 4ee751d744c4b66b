"""Premium: begin a plan, learn how it stands, and end it.

The gateway is asked outside any transaction. What it answers is written down by ``subscription_states``, under a lock
on the plan, so that webhook, return page and sweeper may all come, in any order, any number of times.
"""

import logging
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from pixshift.domain.lifecycle import Purse, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound, PixShiftError
from pixshift.extensions import db
from pixshift.gateways.ports import PaymentGateway, SubscriptionOrder, SubscriptionState
from pixshift.models import QuotaPeriod, Subscription, User
from pixshift.models.base import change, read_rows
from pixshift.services import customers, payment_rules, subscription_states
from pixshift.services.plans import NOT_ENDED, Plan, current, find, live, reference, session_owner
from pixshift.services.toolbox import Toolbox

__all__ = [
    "Plan", "cancel", "current", "end_now", "look", "look_due", "portal_url", "resume", "session_owner", "start",
]  # fmt: skip

log = logging.getLogger(__name__)
PAGE_LIFE = timedelta(minutes=45)  # Stripe's shortest is 30, counted when the request arrives
BATCH = 100
_INCOMPLETE, _ENDED = SubscriptionStatus.INCOMPLETE, SubscriptionStatus.ENDED


def start(toolbox: Toolbox, user_id: UUID, gateway_name: str | None = None) -> str:
    """The address of the gateway's page on which a month is paid for; the same one while it is open.

    Raises InvalidInput (a plan runs already, an unknown gateway), PaymentFailed (spending is blocked), or
    ExternalServiceError: the next call goes on with the same plan.
    """
    gateway = payment_rules.chosen(toolbox, gateway_name)
    payment_rules.require_unblocked(user_id)
    plan = _unpaid(user_id)
    if plan is not None and not _is_open(toolbox, plan, gateway):
        _close(toolbox, plan)
        plan = None
    plan = plan or _begin(toolbox, user_id, gateway)
    if plan.url:
        return plan.url
    page = gateway.open_subscription(_order(toolbox, plan))
    waiting = update(Subscription).where(Subscription.id == plan.id, Subscription.status == _INCOMPLETE)
    change(waiting.values(session_id=page.session_id, url=page.url, expires_at=page.expires_at))
    db.session.commit()
    return page.url


def look(toolbox: Toolbox, subscription_id: UUID) -> None:
    """Ask the gateway how a plan stands, and write down what is new.

    Raises NotFound or ExternalServiceError.
    """
    _look(toolbox, find(subscription_id))


def cancel(toolbox: Toolbox, user_id: UUID) -> None:
    """At the end of what is paid; at once when nothing is, and the page that waits is closed.

    Raises NotFound or ExternalServiceError.
    """
    plan = _of(user_id)
    if plan.status is not SubscriptionStatus.ACTIVE:
        _look(toolbox, plan, must_end=True)
        return
    _apply(toolbox, plan, _gateway(toolbox, plan).cancel_subscription(reference(plan), at_period_end=True))


def resume(toolbox: Toolbox, user_id: UUID) -> None:
    """Take back a cancellation. Raises NotFound, InvalidInput (too late, or not at this gateway), or
    ExternalServiceError."""
    plan = _of(user_id)
    if not plan.cancels_at_period_end:
        return
    _apply(toolbox, plan, _gateway(toolbox, plan).resume_subscription(reference(plan)))
    if find(plan.id).status is _ENDED:
        raise InvalidInput("Premium has ended. You can start it again.")


def portal_url(toolbox: Toolbox, user_id: UUID, return_url: str) -> str | None:
    """The gateway's page for the card and the invoices; None where there is none. Raises ExternalServiceError."""
    plan = live(user_id)
    gateway = toolbox.gateways.payments.get(plan.gateway) if plan else None
    if plan is None or gateway is None or plan.status is _INCOMPLETE:
        return None
    return gateway.portal_url(reference(plan), return_url)


def end_now(toolbox: Toolbox, user_id: UUID) -> None:
    """Stop charging somebody who leaves. A gateway that is away is asked again by ``look_due``."""
    plan = live(user_id)
    if plan is not None:
        _look_safely(toolbox, plan.id, must_end=True)


def look_due(toolbox: Toolbox, *, everything: bool = False) -> int:
    """Look at the plans whose time has come, or at all that have not ended; answers how many it was able to look at."""
    is_due = Subscription.next_look_at <= toolbox.now()
    which = or_(NOT_ENDED, Subscription.next_look_at.is_not(None)) if everything else is_due
    found = select(Subscription.id).where(which).order_by(Subscription.next_look_at)
    due = [row.id for row in read_rows(found if everything else found.limit(BATCH))]
    return sum(_look_safely(toolbox, subscription_id) for subscription_id in due)


def _look_safely(toolbox: Toolbox, subscription_id: UUID, *, must_end: bool = False) -> bool:
    try:
        _look(toolbox, find(subscription_id), must_end=must_end)
    except Exception as error:  # whatever one plan does, the others must not wait for it
        db.session.rollback()
        is_expected = isinstance(error, PixShiftError)
        log.warning(
            "plan could not be looked at, it is tried again",
            extra={"plan": str(subscription_id)},
            exc_info=not is_expected,
        )
        subscription_states.put_off(toolbox, subscription_id)
        return False
    return True


def _look(toolbox: Toolbox, plan: Subscription, *, must_end: bool = False, is_replaced: bool = False) -> None:
    gateway = _gateway(toolbox, plan)
    state = gateway.look_subscription(reference(plan))
    _apply(toolbox, plan, state)
    if state is None or state.status is _ENDED or not subscription_states.is_theirs(plan, state):
        return
    plan = find(plan.id)
    if must_end or _should_end(toolbox, plan):
        state = gateway.cancel_subscription(reference(plan), at_period_end=False)
        subscription_states.apply(toolbox, plan.id, state, is_given_up=True)
    elif plan.status is _INCOMPLETE and (is_replaced or plan.expires_at <= toolbox.now()):
        _withdraw(toolbox, plan, gateway)


def _withdraw(toolbox: Toolbox, plan: Subscription, gateway: PaymentGateway) -> None:
    """Close a page; at the period's end, as it may be paid in this very moment: that can be taken back, and is."""
    state = gateway.cancel_subscription(reference(plan), at_period_end=True)
    subscription_states.apply(toolbox, plan.id, state, is_given_up=True)
    if state.cancels_at_period_end:
        _apply(toolbox, plan, gateway.resume_subscription(reference(find(plan.id))))


def _gateway(toolbox: Toolbox, plan: Subscription) -> PaymentGateway:
    """Raises ExternalServiceError: a plan may be older than the settings."""
    gateway = toolbox.gateways.payments.get(plan.gateway)
    if gateway is None:
        raise ExternalServiceError(f"Payments by {plan.gateway} are not set up here any more.")
    return gateway


def _apply(toolbox: Toolbox, plan: Subscription, state: SubscriptionState | None) -> None:
    subscription_states.apply(toolbox, plan.id, state)


def _should_end(toolbox: Toolbox, plan: Subscription) -> bool:
    """Whether a plan that goes on at the gateway must not: it is not as agreed, it ended here, its grace is over, its
    owner left."""
    is_over = plan.status is _ENDED or plan.failure == subscription_states.MISMATCH
    is_late = plan.grace_ends_at is not None and plan.grace_ends_at <= toolbox.now()
    left = select(User.id).where(User.id == plan.user_id, User.erased_at.is_not(None))
    return is_over or is_late or bool(read_rows(left))


def _of(user_id: UUID) -> Subscription:
    plan = live(user_id)
    if plan is None:
        raise NotFound("You have no plan.")
    return plan


def _unpaid(user_id: UUID) -> Subscription | None:
    """The plan whose page waits. Raises InvalidInput when one runs."""
    plan = live(user_id)
    if plan is not None and plan.status is not _INCOMPLETE:
        raise InvalidInput("You have Premium already. Nothing was charged.")
    return plan


def _is_open(toolbox: Toolbox, plan: Subscription, gateway: PaymentGateway) -> bool:
    """Whether a plan's page can be gone on with, also one that nobody knows to be made."""
    now = toolbox.now()
    is_known = plan.url is not None or plan.created_at > now - subscription_states.MISSING_AFTER
    is_right = plan.gateway == gateway.name and plan.failure is None
    return is_right and plan.expires_at > now and is_known


def _close(toolbox: Toolbox, plan: Subscription) -> None:
    """End a plan that another one replaces; one that was paid in the meantime stands. Raises InvalidInput then."""
    if plan.gateway not in toolbox.gateways.payments and plan.expires_at <= toolbox.now():
        subscription_states.give_up(toolbox, plan.id)
        return
    _look(toolbox, plan, is_replaced=True)
    _unpaid(plan.user_id)
    if find(plan.id).status is _INCOMPLETE:
        raise ExternalServiceError("Your first try has not ended yet. Please try again in a minute.", retryable=True)
    if read_rows(select(QuotaPeriod.id).where(QuotaPeriod.subscription_id == plan.id)):
        raise InvalidInput("Your month is paid already. Nothing more was charged.")


def _begin(toolbox: Toolbox, user_id: UUID, gateway: PaymentGateway) -> Subscription:
    """Write a plan down before the gateway hears of it. Of many at once one is written, and all go on with that one."""
    customer, now = customers.customer_id(user_id, gateway), toolbox.now()
    tier = toolbox.settings.tier(Purse.PREMIUM.value)
    values = {
        "id": uuid4(),
        "user_id": user_id,
        "gateway": gateway.name,
        "is_live": gateway.is_live,
        "amount": tier.cost_per_month,
        "currency": tier.currency,
        "monthly_limit": tier.monthly_limit,
        "customer_id": customer,
        "expires_at": now + PAGE_LIFE,
        "next_look_at": now + subscription_states.SOON,
        "created_at": now,
        "updated_at": now,
    }
    try:
        change(insert(Subscription).values(**values))
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
    plan = _unpaid(user_id)
    if plan is None or plan.gateway != gateway.name:
        raise InvalidInput("Premium is being paid for in another window.")
    return plan


def _order(toolbox: Toolbox, plan: Subscription) -> SubscriptionOrder:
    site = toolbox.settings.app_url
    return SubscriptionOrder(
        subscription_id=plan.id,
        user_id=plan.user_id,
        money=Money(plan.amount, plan.currency),
        name=toolbox.settings.tier(Purse.PREMIUM.value).name,
        return_url=f"{site}/billing/return/{plan.gateway}",
        cancel_url=f"{site}/billing",
        expires_at=plan.expires_at,
        customer_id=plan.customer_id,
    )
