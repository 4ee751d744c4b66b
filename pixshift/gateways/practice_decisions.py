"""What a payer can do on the practice page, and what becomes of a payment or subscription by it."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pixshift.domain.lifecycle import PaymentStatus, RefundStatus, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import PaymentFailed
from pixshift.gateways.ports import Decline, RefundState
from pixshift.gateways.practice_books import Entry, Given, Payment, Plan

HOLD_LIFE = timedelta(days=7)  # as long as a card's hold usually lasts


class Decision(StrEnum):
    """What a payer, or their bank, does."""

    PAY = "pay"
    PAY_AND_SAVE = "pay_and_save"
    DECLINE = "decline"
    NO_FUNDS = "no_funds"
    NEED_BANK = "need_bank"
    CONFIRM = "confirm"
    REFUSE_BANK = "refuse_bank"
    CANCEL = "cancel"
    EXPIRE = "expire"  # nobody comes until the page closes
    NEXT_MONTH_PAID = "next_month_paid"
    NEXT_MONTH_UNPAID = "next_month_unpaid"


@dataclass(frozen=True, slots=True)
class PracticePage:
    """What the practice page shows. ``decline`` is why the last try did not go through."""

    session_id: str
    user_id: UUID
    money: Money
    description: str
    is_subscription: bool
    status: PaymentStatus | SubscriptionStatus
    choices: frozenset[Decision]
    decline: Decline | None
    return_url: str
    cancel_url: str
    paid_until: datetime | None = None


_FIRST = frozenset(
    {
        Decision.PAY,
        Decision.PAY_AND_SAVE,
        Decision.DECLINE,
        Decision.NO_FUNDS,
        Decision.NEED_BANK,
        Decision.CANCEL,
        Decision.EXPIRE,
    }
)
_AT_BANK = frozenset({Decision.CONFIRM, Decision.REFUSE_BANK, Decision.CANCEL, Decision.EXPIRE})
_MONTHS = frozenset({Decision.NEXT_MONTH_PAID, Decision.NEXT_MONTH_UNPAID})
_DECLINES = {
    Decision.DECLINE: Decline.CARD_DECLINED,
    Decision.NO_FUNDS: Decline.NO_FUNDS,
    Decision.REFUSE_BANK: Decline.NOT_CONFIRMED,
}


def settle_by_clock(entry: Entry, now: datetime) -> None:
    """What ended by itself: a page nobody used, a hold nobody took."""
    is_late = datetime.fromisoformat(entry.expires_at) <= now
    if isinstance(entry, Plan):
        if entry.status == SubscriptionStatus.INCOMPLETE and is_late:
            entry.status = SubscriptionStatus.ENDED
        return
    if entry.status in (PaymentStatus.OPEN, PaymentStatus.ACTION) and is_late:
        entry.status = PaymentStatus.FAILED
    held_at = datetime.fromisoformat(entry.held_at) if entry.held_at else now
    if entry.status == PaymentStatus.HELD and held_at + HOLD_LIFE <= now:
        entry.status = PaymentStatus.VOIDED


def choices(entry: Entry) -> frozenset[Decision]:
    """What the payer can do now; nothing once it is decided."""
    if isinstance(entry, Payment):
        by_status = {PaymentStatus.OPEN.value: _FIRST, PaymentStatus.ACTION.value: _AT_BANK}
        return by_status.get(entry.status, frozenset())
    if entry.status == SubscriptionStatus.INCOMPLETE:
        return _AT_BANK if entry.waits_for_bank else _FIRST - {Decision.PAY_AND_SAVE}
    return _MONTHS if entry.status != SubscriptionStatus.ENDED else frozenset()


def decide(entry: Entry, what: Decision, now: datetime) -> None:
    """Do it; what is not to be chosen now changes nothing, like a button pressed twice."""
    if what not in choices(entry):
        return
    if what is Decision.EXPIRE:
        entry.expires_at = now.isoformat()
        settle_by_clock(entry, now)
    elif isinstance(entry, Payment):
        _decide_payment(entry, what, now)
    else:
        _decide_plan(entry, what, now)


def _decide_payment(payment: Payment, what: Decision, now: datetime) -> None:
    if what in (Decision.PAY, Decision.PAY_AND_SAVE, Decision.CONFIRM):
        hold(payment, now)
        if what is Decision.PAY_AND_SAVE:
            payment.method_id = f"pm_practice_kept_{payment.key}"
    elif what is Decision.NEED_BANK:
        payment.status, payment.decline = PaymentStatus.ACTION, None
    elif what in _DECLINES:
        payment.decline = _DECLINES[what]
        # On the page another card can be tried; without one the try is over.
        payment.status = PaymentStatus.OPEN if payment.has_page else PaymentStatus.FAILED


def hold(payment: Payment, now: datetime) -> None:
    payment.status, payment.decline, payment.held_at = PaymentStatus.HELD, None, now.isoformat()


def _decide_plan(plan: Plan, what: Decision, now: datetime) -> None:
    if what in (Decision.PAY, Decision.CONFIRM):
        plan.waits_for_bank, plan.decline, plan.status = False, None, SubscriptionStatus.ACTIVE
        _invoice(plan, now, is_paid=True)
    elif what is Decision.NEED_BANK:
        plan.waits_for_bank, plan.decline = True, None
    elif what in _DECLINES:
        plan.waits_for_bank, plan.decline = False, _DECLINES[what]
    elif what in _MONTHS:
        next_month(plan, now, is_paid=what is Decision.NEXT_MONTH_PAID)


def next_month(plan: Plan, now: datetime, *, is_paid: bool) -> None:
    """The month is over already now: it ends, is paid for again, or is not. An invoice that is owed comes first."""
    owed = plan.invoices and not plan.invoices[-1]["is_paid"]
    if plan.cancels_at_period_end:
        plan.status = SubscriptionStatus.ENDED
        return
    if not owed:
        _invoice(plan, now, is_paid=is_paid)
    elif is_paid:
        plan.invoices[-1]["is_paid"] = True
    plan.status = SubscriptionStatus.ACTIVE if is_paid else SubscriptionStatus.PAST_DUE


def _invoice(plan: Plan, now: datetime, *, is_paid: bool) -> None:
    number = len(plan.invoices) + 1
    plan.invoices.append(
        {
            "id": f"pin_{plan.key}_{number}",
            "is_paid": is_paid,
            "starts_at": now.isoformat(),
            "ends_at": month_after(now).isoformat(),
        }
    )


def month_after(moment: datetime) -> datetime:
    """The same day of the next month, or its last one."""
    year, month = moment.year + moment.month // 12, moment.month % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def give_back(refunds: list[Given], name: str, paid: Money, money: Money, cause: str | None) -> RefundState:
    """One more refund of what was paid under this name. Raises PaymentFailed for more than is left of it."""
    left = paid.minor - sum(int(refund["minor"] or 0) for refund in refunds)
    if money.currency != paid.currency or not 0 < money.minor <= left:
        raise PaymentFailed(f"Only {Money.from_minor(left, paid.currency).text} can still be given back.")
    refunds.append({"id": f"pr_{name}_{len(refunds) + 1}", "minor": money.minor, "cause": cause})
    return given(refunds, paid.currency)[-1]


def given(refunds: Sequence[Given], currency: str) -> tuple[RefundState, ...]:
    """The refunds that were made, each done at once."""
    return tuple(
        RefundState(
            refund_id=str(refund["id"]),
            status=RefundStatus.SUCCEEDED,
            amount=Money.from_minor(int(refund["minor"] or 0), currency),
            cause=None if refund["cause"] is None else str(refund["cause"]),
        )
        for refund in refunds
    )
