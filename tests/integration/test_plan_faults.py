"""Premium when something is wrong: plans that are not as agreed, gateways that are away, and people who are quick."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from pixshift.domain.lifecycle import BillingStatus, RefundStatus, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import (
    ExternalServiceError,
    FreeTierExhausted,
    InvalidInput,
    NotFound,
    PaymentFailed,
    PaymentRequired,
)
from pixshift.extensions import db
from pixshift.gateways.ports import SubscriptionState
from pixshift.models import BillingRecord, GatewayCustomer, QuotaPeriod, Refund, Subscription, User
from pixshift.services import billing, customers, ledger, plans, receipts, reconciliation, refunds, subscriptions, tiers
from pixshift.services.audit import Actor
from tests import money
from tests.money import Ledger, Shop

CENTS = Money(Decimal("0.99"), "USD")
ACTIVE, ENDED, INCOMPLETE, PAST_DUE = (
    SubscriptionStatus.ACTIVE,
    SubscriptionStatus.ENDED,
    SubscriptionStatus.INCOMPLETE,
    SubscriptionStatus.PAST_DUE,
)


@pytest.fixture
def vendor(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path) -> Iterator[Shop]:
    with money.shop(sqlite_url, tmp_path, request.param) as made:
        yield made


class Odd:
    """A gateway whose answers about plans are changed, and which does something before it is asked."""

    def __init__(self, gateway: Any, twist: Callable[[SubscriptionState], SubscriptionState | None]) -> None:
        self._gateway = gateway
        self._twist = twist
        self.before: dict[str, Callable[[], None]] = {}

    def __getattr__(self, name: str) -> Any:
        self.before.pop(name, lambda: None)()
        found = getattr(self._gateway, name)
        if name not in ("look_subscription", "cancel_subscription", "resume_subscription"):
            return found
        return lambda *args, **kwargs: self._answer(found(*args, **kwargs))

    def _answer(self, state: SubscriptionState | None) -> SubscriptionState | None:
        return self._twist(state) if state else None


@contextmanager
def odd(
    shop: Shop, twist: Callable[[SubscriptionState], SubscriptionState | None] = lambda state: state
) -> Iterator[Odd]:
    """The shop's gateway is odd for a while."""
    real = shop.gateway.gateway
    changed = Odd(real, twist)
    shop.gateway.gateway = changed
    yield changed
    shop.gateway.gateway = real


def with_invoice(**values: Any) -> Callable[[SubscriptionState], SubscriptionState]:
    """Every invoice is another than it is."""
    return lambda state: replace(state, invoices=tuple(replace(invoice, **values) for invoice in state.invoices))


def rows(shop: Shop, model: Any, person: UUID) -> list[Any]:
    mine = select(model).where(model.user_id == person).order_by(model.created_at)
    with shop.jobs.app.app_context():
        return list(db.session.scalars(mine))


def plan_of(shop: Shop, person: UUID) -> Subscription:
    """The newest one."""
    return rows(shop, Subscription, person)[-1]  # type: ignore[no-any-return]


def months(shop: Shop, person: UUID) -> list[QuotaPeriod]:
    return rows(shop, QuotaPeriod, person)


def given_back(shop: Shop) -> list[tuple[str, str, Decimal]]:
    with shop.jobs.app.app_context():
        return [(each.cause, each.status, each.amount) for each in db.session.scalars(select(Refund))]


def set_plan(shop: Shop, plan_id: UUID, **values: Any) -> None:
    with shop.jobs.app.app_context():
        db.session.execute(update(Subscription).where(Subscription.id == plan_id).values(**values))
        db.session.commit()


def look(shop: Shop, person: UUID) -> None:
    shop.call(subscriptions.look, plan_of(shop, person).id)


def started(shop: Shop) -> UUID:
    person = shop.person()
    shop.call(subscriptions.start, person)
    return person


def pay(shop: Shop, person: UUID) -> None:
    shop.world.decide(str(plan_of(shop, person).session_id), "pay")


def subscribed(shop: Shop) -> UUID:
    person = started(shop)
    pay(shop, person)
    look(shop, person)
    shop.jobs.clock.forward(seconds=10)  # a gateway's clock is its own
    return person


def current(shop: Shop, person: UUID) -> plans.Plan | None:
    with shop.jobs.app.app_context():
        return plans.current(person, shop.jobs.clock())


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "ERROR"]


# ---- what is not as agreed


@pytest.mark.parametrize(
    "twist",
    [
        lambda state: with_invoice(money=CENTS)(replace(state, money=CENTS)),
        lambda state: replace(state, money=Money(Decimal("9.99"), "EUR")),
        lambda state: replace(state, is_live=True),
        with_invoice(money=CENTS),
        lambda state: replace(
            state,
            invoices=tuple(replace(each, ends_at=each.starts_at - timedelta(days=1)) for each in state.invoices),
        ),
    ],
    ids=["price", "currency", "mode", "sum", "period"],
)
@pytest.mark.parametrize("vendor", ["stripe", "paypal"], indirect=True)
def test_what_was_paid_but_is_not_as_agreed_ends_at_once_and_is_given_back(
    vendor: Shop, twist: Any, caplog: pytest.LogCaptureFixture
) -> None:
    person = started(vendor)
    pay(vendor, person)
    with odd(vendor, twist):
        look(vendor, person)
        look(vendor, person)
    plan = plan_of(vendor, person)
    assert (plan.status, plan.failure) == (ENDED, "mismatch")
    state = vendor.world.gateway.look_subscription(plans.reference(plan))
    assert state is not None
    assert state.status is ENDED
    assert months(vendor, person) == []
    assert len(errors(caplog)) == 2  # the plan, and its invoice; each once
    (record,) = rows(vendor, BillingRecord, person)
    assert given_back(vendor) == [("not_as_agreed", "PENDING", record.amount)]
    vendor.call(reconciliation.tend)
    vendor.call(reconciliation.tend)
    (record,) = rows(vendor, BillingRecord, person)
    assert (record.status, record.captured - record.refunded) == (BillingStatus.REFUNDED, Decimal(0))
    assert given_back(vendor) == [("not_as_agreed", "SUCCEEDED", record.amount)]
    assert vendor.world.ledger().refunded == record.amount * 100


def test_what_a_gateway_cannot_give_back_is_told_to_the_operator(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    person = started(shop)
    pay(shop, person)
    with odd(shop, with_invoice(money=CENTS, payment_id=None)):
        look(shop, person)
    assert "a month is not as agreed: its money must be given back by hand" in errors(caplog)
    assert [vars(record)["plan"] for record in caplog.records if "by hand" in record.message] == [
        str(plan_of(shop, person).id)
    ]
    assert given_back(shop) == []
    assert months(shop, person) == []


def test_a_month_that_cost_nothing_grants_nothing(shop: Shop) -> None:
    person = started(shop)
    pay(shop, person)
    with odd(shop, with_invoice(money=Money(Decimal(0), "USD"))):
        look(shop, person)
    assert plan_of(shop, person).status is ENDED
    assert months(shop, person) == rows(shop, BillingRecord, person) == []


def test_an_odd_plan_is_ended_even_if_the_gateway_was_away_at_first(stripe: Shop) -> None:
    person = started(stripe)
    pay(stripe, person)
    with odd(stripe, lambda state: replace(state, money=CENTS)):
        stripe.gateway.plan.append(("cancel_subscription", "before"))
        with pytest.raises(ExternalServiceError):
            look(stripe, person)
        assert plan_of(stripe, person).status is INCOMPLETE
        stripe.gateway.plan.append(("cancel_subscription", "after"))
        with pytest.raises(ExternalServiceError):
            stripe.call(subscriptions.start, person)
        stripe.jobs.clock.forward(minutes=6)
        stripe.call(subscriptions.look_due)
    assert plan_of(stripe, person).status is ENDED
    stripe.call(reconciliation.tend)
    assert stripe.world.ledger() == Ledger(0, 999, 999)


def test_two_plans_that_claim_one_invoice_are_not_both_granted_it(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    first, second = subscribed(shop), started(shop)
    pay(shop, second)
    same = months(shop, first)[0].invoice_id
    with odd(shop, with_invoice(invoice_id=same)):
        look(shop, second)
    assert months(shop, second) == rows(shop, BillingRecord, second) == []
    assert (plan_of(shop, second).status, plan_of(shop, second).failure) == (ENDED, "mismatch")
    assert plan_of(shop, first).status is ACTIVE
    assert given_back(shop) == []  # it was paid once, and its first owner has it
    assert "a month is claimed by two plans: whose money it is must be looked at by hand" in errors(caplog)


def test_a_mismatch_is_told_again_after_it_was_mended(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    person = subscribed(shop)
    for _ in range(2):
        with odd(shop, lambda state: replace(state, subscription_id=uuid4())):
            look(shop, person)
            look(shop, person)
        assert plan_of(shop, person).failure == "mismatch"
        look(shop, person)
        assert plan_of(shop, person).failure is None
    assert len(errors(caplog)) == 2
    assert plan_of(shop, person).status is ACTIVE  # what is somebody else's is not ended for it


# ---- what is paid for is there


def test_a_paid_month_is_usable_although_the_next_one_is_owed_for_long(shop: Shop) -> None:
    person = subscribed(shop)
    set_plan(shop, plan_of(shop, person).id, status=PAST_DUE, grace_ends_at=shop.jobs.clock() - timedelta(days=1))
    plan = current(shop, person)
    assert plan is not None
    assert plan.is_usable
    shop.job(person, "premium")
    assert months(shop, person)[0].used == 1


def test_the_tier_stays_while_the_month_runs_and_falls_back_by_itself(stripe: Shop) -> None:
    person = subscribed(stripe)
    with stripe.jobs.app.app_context():
        db.session.execute(update(QuotaPeriod).values(used=99))
        db.session.commit()
    set_plan(stripe, plan_of(stripe, person).id, expires_at=stripe.jobs.clock())
    stripe.call(subscriptions.end_now, person)
    assert plan_of(stripe, person).status is ENDED
    assert tier_of(stripe, person) == "premium"
    assert stripe.jobs.read(stripe.job(person, None)).pricing_tier_locked == "premium"  # type: ignore[arg-type]
    with pytest.raises(PaymentRequired):  # the month runs, and is used
        stripe.job(person, None)  # type: ignore[arg-type]
    stripe.jobs.clock.now = months(stripe, person)[0].ends_at
    with pytest.raises(FreeTierExhausted, match="free pictures are used"):  # a price is named before it is charged
        stripe.job(person, None)  # type: ignore[arg-type]
    with pytest.raises(PaymentRequired):
        stripe.job(person, "premium")
    assert stripe.jobs.read(stripe.job(person, "basic")).pricing_tier_locked == "basic"
    stripe.call(subscriptions.start, person)
    with pytest.raises(PaymentRequired, match="not paid"):  # they are on their way to pay for a month
        stripe.job(person, None)  # type: ignore[arg-type]


def tier_of(shop: Shop, person: UUID) -> str | None:
    with shop.jobs.app.app_context():
        return db.session.scalar(select(User.pricing_tier).where(User.id == person))


def test_a_chosen_tier_is_not_changed_by_another_month(shop: Shop) -> None:
    person = subscribed(shop)
    with shop.jobs.app.app_context():
        tiers.choose(person, "basic")
    shop.world.next_month(str(plan_of(shop, person).remote_id), paid=True)
    look(shop, person)
    assert tier_of(shop, person) == "basic"


def test_a_refund_before_our_clock_reaches_the_month_ends_it_where_it_starts(stripe: Shop) -> None:
    person = started(stripe)
    pay(stripe, person)
    look(stripe, person)
    stripe.jobs.clock.now = months(stripe, person)[0].starts_at - timedelta(seconds=5)
    (record,) = rows(stripe, BillingRecord, person)
    stripe.call(refunds.refund, record.id, refunds.BY_OPERATOR, actor=Actor("cli"))
    (month,) = months(stripe, person)
    assert month.ends_at == month.starts_at


def test_a_months_refund_that_takes_its_time_ends_the_month_when_it_has_arrived(stripe: Shop) -> None:
    person = started(stripe)
    pay(stripe, person)
    look(stripe, person)
    stripe.jobs.clock.forward(seconds=10)
    (record,) = rows(stripe, BillingRecord, person)
    stripe.gateway.twist = lambda answer: replace(answer, status=RefundStatus.PENDING)  # type: ignore[type-var]
    asked = stripe.call(refunds.refund, record.id, refunds.BY_OPERATOR, actor=Actor("cli"))
    stripe.gateway.twist = None
    assert asked.status is RefundStatus.PENDING
    assert months(stripe, person)[0].ends_at > stripe.jobs.clock()
    stripe.jobs.clock.forward(hours=2)
    stripe.call(reconciliation.tend)
    (record,) = rows(stripe, BillingRecord, person)
    assert (record.status, record.refunded) == (BillingStatus.REFUNDED, record.captured)
    assert months(stripe, person)[0].ends_at == stripe.jobs.clock()
    assert stripe.world.ledger().refunded == 999


def test_the_plan_that_is_shown_is_that_of_the_month_that_runs(shop: Shop) -> None:
    person = subscribed(shop)
    paid = plan_of(shop, person).id
    shop.call(subscriptions.end_now, person)
    shop.call(subscriptions.start, person)
    shop.call(subscriptions.cancel, person)
    assert plan_of(shop, person).id != paid
    plan = current(shop, person)
    assert plan is not None
    assert (plan.id, plan.status, plan.remaining) == (paid, ENDED, 100)


# ---- plans that another one replaces


def other_gateway(shop: Shop, person: UUID, **values: Any) -> UUID:
    """The person's plan is at a gateway that is not configured any more."""
    plan_id = plan_of(shop, person).id
    set_plan(shop, plan_id, gateway="gone", **values)
    return plan_id


@pytest.mark.parametrize("call", ["cancel_subscription", "look_subscription"])
@pytest.mark.parametrize("vendor", ["practice", "stripe", "paypal"], indirect=True)
def test_what_is_paid_while_it_is_closed_stands_and_is_not_paid_again(vendor: Shop, call: str) -> None:
    person = started(vendor)
    set_plan(vendor, plan_of(vendor, person).id, expires_at=vendor.jobs.clock())
    with odd(vendor) as gateway:
        gateway.before[call] = lambda: pay(vendor, person)
        with pytest.raises(InvalidInput):
            vendor.call(subscriptions.start, person)
    assert len(rows(vendor, Subscription, person)) == 1
    assert [month.granted for month in months(vendor, person)] == [100]
    plan = plan_of(vendor, person)
    can_resume = vendor.gateway.name != "paypal"
    assert (plan.status, plan.cancels_at_period_end) == (ACTIVE if can_resume or call[0] == "l" else ENDED, False)
    vendor.jobs.clock.forward(seconds=10)
    with vendor.jobs.app.app_context():
        assert billing.quota(person, vendor.jobs.clock()) is not None


def test_a_page_that_cannot_be_closed_keeps_nobody_from_starting_again(paypal: Shop) -> None:
    person = started(paypal)
    paypal.call(subscriptions.cancel, person)
    first = plan_of(paypal, person)
    assert first.status is ENDED
    assert first.next_look_at == paypal.jobs.clock() + timedelta(hours=1)
    set_plan(paypal, first.id, expires_at=paypal.jobs.clock())
    paypal.call(subscriptions.start, person)
    second = plan_of(paypal, person)
    assert second.status is INCOMPLETE
    paypal.jobs.clock.forward(minutes=50)
    paypal.call(subscriptions.start, person)
    assert len(rows(paypal, Subscription, person)) == 3
    paypal.jobs.clock.forward(minutes=20)
    assert paypal.call(subscriptions.look_due) == 2


def test_a_plan_that_is_paid_while_it_is_given_up_is_kept(paypal: Shop) -> None:
    person = started(paypal)
    set_plan(paypal, plan_of(paypal, person).id, expires_at=paypal.jobs.clock())
    answers = []

    def late(state: SubscriptionState) -> SubscriptionState:
        answers.append(state)
        if len(answers) == 2:  # what the gateway said when it was asked to close the page
            pay(paypal, person)
            with odd(paypal, lambda other: other):
                look(paypal, person)
        return state

    with odd(paypal, late), pytest.raises(InvalidInput):
        paypal.call(subscriptions.start, person)
    assert [state.status for state in answers[:2]] == [INCOMPLETE, INCOMPLETE]
    assert (plan_of(paypal, person).status, len(months(paypal, person))) == (ACTIVE, 1)


def test_who_pays_on_a_page_that_was_given_up_has_a_month_and_no_plan(paypal: Shop) -> None:
    person = started(paypal)
    paypal.call(subscriptions.cancel, person)
    pay(paypal, person)
    paypal.jobs.clock.forward(hours=1)
    assert paypal.call(subscriptions.look_due) == 1
    plan = current(paypal, person)
    assert plan is not None
    assert (plan.status, plan.remaining, plan.is_usable) == (ENDED, 100, True)
    assert paypal.world.gateway.look_subscription(plans.reference(plan_of(paypal, person))).status is ENDED  # type: ignore[union-attr]


def test_who_pays_for_two_plans_gets_the_money_for_one_of_them_back(
    paypal: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    person = started(paypal)
    paypal.call(subscriptions.cancel, person)
    first = plan_of(paypal, person)
    paypal.call(subscriptions.start, person)
    pay(paypal, person)
    look(paypal, person)
    paypal.world.decide(str(first.session_id), "pay")
    paypal.call(subscriptions.look, first.id)
    assert len(months(paypal, person)) == 1
    assert given_back(paypal) == [("paid_twice", "PENDING", Decimal("9.99"))]
    assert "a month is not as agreed: its money is given back" in errors(caplog)
    assert [plan.status for plan in rows(paypal, Subscription, person)] == [ENDED, ACTIVE]
    paypal.call(subscriptions.look, first.id)
    assert len(given_back(paypal)) == 1


def test_a_first_try_that_cannot_be_ended_yet_is_not_replaced(shop: Shop) -> None:
    person = started(shop)
    set_plan(shop, plan_of(shop, person).id, expires_at=shop.jobs.clock())
    with odd(shop, lambda state: None), pytest.raises(ExternalServiceError, match="not ended yet"):
        shop.call(subscriptions.start, person)  # it was made a second ago: its gateway may not know it yet
    assert len(rows(shop, Subscription, person)) == 1


def test_a_page_that_is_not_ours_is_neither_shown_again_nor_touched(shop: Shop) -> None:
    person = started(shop)
    with odd(shop, lambda state: replace(state, user_id=uuid4())):
        look(shop, person)
        shop.gateway.calls.clear()
        with pytest.raises(ExternalServiceError, match="not ended yet"):
            shop.call(subscriptions.start, person)
        assert set(shop.gateway.calls) == {"look_subscription"}
        shop.jobs.clock.forward(hours=1)
        shop.call(subscriptions.start, person)
    assert [plan.status for plan in rows(shop, Subscription, person)] == [ENDED, INCOMPLETE]


def test_a_plan_whose_gateway_is_not_configured_any_more(shop: Shop) -> None:
    person = subscribed(shop)
    plan_id = other_gateway(shop, person)
    for act in (subscriptions.cancel, lambda tools, who: subscriptions.look(tools, plan_id)):
        with pytest.raises(ExternalServiceError, match="not set up here any more"):
            shop.call(act, person)
    set_plan(shop, plan_id, cancels_at_period_end=True)
    with pytest.raises(ExternalServiceError, match="not set up here any more"):
        shop.call(subscriptions.resume, person)
    assert shop.call(subscriptions.portal_url, person, "http://localhost/billing") is None
    shop.call(subscriptions.end_now, person)
    assert plan_of(shop, person).next_look_at == shop.jobs.clock() + timedelta(minutes=5)
    assert shop.call(subscriptions.look_due, everything=True) == 0
    set_plan(shop, plan_id, gateway=shop.gateway.name)
    shop.jobs.clock.forward(minutes=5)
    assert shop.call(subscriptions.look_due) == 1
    assert plan_of(shop, person).status is ACTIVE


def test_an_unpaid_plan_of_such_a_gateway_is_given_up_when_its_page_is_over(shop: Shop) -> None:
    person = started(shop)
    plan_id = other_gateway(shop, person)
    with pytest.raises(ExternalServiceError, match="not set up here any more"):
        shop.call(subscriptions.start, person)  # its page may be open still
    shop.jobs.clock.forward(minutes=46)
    shop.call(subscriptions.start, person)
    first, second = rows(shop, Subscription, person)
    assert (first.id, first.status, second.gateway) == (plan_id, ENDED, shop.gateway.name)
    assert first.next_look_at is not None  # should the gateway come back


def test_a_plan_that_somebody_else_began_in_the_same_moment(shop: Shop) -> None:
    person = shop.person()

    def begin(gateway: str, status: SubscriptionStatus) -> None:
        values = {"user_id": person, "gateway": gateway, "amount": Decimal("9.99"), "currency": "USD"}
        plan = Subscription(**values, monthly_limit=100, status=status, expires_at=shop.jobs.clock())
        with shop.jobs.app.app_context():
            db.session.add(plan)
            db.session.commit()

    with odd(shop) as gateway:
        gateway.before["customer"] = lambda: begin("gone", INCOMPLETE)
        with pytest.raises(InvalidInput, match="another window"):
            shop.call(subscriptions.start, person)
    with shop.jobs.app.app_context():
        db.session.execute(update(Subscription).values(status=ENDED))
        db.session.execute(db.delete(db.metadata.tables["gateway_customers"]))
        db.session.commit()
    with odd(shop) as gateway:
        gateway.before["customer"] = lambda: begin(shop.gateway.name, ACTIVE)
        with pytest.raises(InvalidInput, match="Premium already"):
            shop.call(subscriptions.start, person)


def test_two_who_start_at_once_open_one_page(both: Shop) -> None:
    person, barrier = both.person(), threading.Barrier(2)
    answers: list[str] = []

    def start() -> None:
        barrier.wait(20)
        answers.append(both.call(subscriptions.start, person))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
    assert len(set(answers)) == 1
    assert len(rows(both, Subscription, person)) == 1


def test_of_many_who_replace_a_page_at_once_one_plan_is_left(both: Shop) -> None:
    person = started(both)
    set_plan(both, plan_of(both, person).id, expires_at=both.jobs.clock())
    barrier, answers = threading.Barrier(4), []

    def start() -> None:
        barrier.wait(20)
        answers.append(both.call(subscriptions.start, person))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert [plan.status for plan in rows(both, Subscription, person)] == [ENDED, INCOMPLETE]


# ---- gateways that are away, and banks that say no


def test_a_card_that_is_declined_begins_nothing_and_another_one_may_be_tried(shop: Shop) -> None:
    person = started(shop)
    session = str(plan_of(shop, person).session_id)
    shop.world.decide(session, "decline")
    look(shop, person)
    assert (plan_of(shop, person).status, months(shop, person)) == (INCOMPLETE, [])
    shop.world.decide(session, "pay")
    look(shop, person)
    assert plan_of(shop, person).status is ACTIVE


def test_who_disputes_a_payment_begins_no_plan(shop: Shop) -> None:
    person = shop.person()
    with shop.jobs.app.app_context():
        db.session.execute(update(User).where(User.id == person).values(spending_blocked_at=shop.jobs.clock()))
        db.session.commit()
    with pytest.raises(PaymentFailed) as refused:
        shop.call(subscriptions.start, person)
    assert refused.value.details["reason"] == "disputed"
    assert rows(shop, Subscription, person) == []
    assert shop.gateway.calls == []


def test_a_way_to_pay_that_is_not_offered(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="not offered"):
        shop.call(subscriptions.start, shop.person(), "gone")


def test_who_has_no_plan_has_nothing_to_end_or_to_keep(shop: Shop) -> None:
    person = shop.person()
    for act in (subscriptions.cancel, subscriptions.resume):
        with pytest.raises(NotFound):
            shop.call(act, person)
    shop.call(subscriptions.end_now, person)
    assert shop.call(subscriptions.portal_url, person, "http://localhost/billing") is None
    assert current(shop, person) is None
    shop.call(subscriptions.start, person)
    assert shop.call(subscriptions.portal_url, person, "http://localhost/billing") is None  # nothing is kept yet
    plan = current(shop, person)
    assert plan is not None
    assert (plan.status, plan.used, plan.remaining, plan.is_usable) == (INCOMPLETE, 0, 0, False)


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize(
    ("call", "act"), [("cancel_subscription", subscriptions.cancel), ("resume_subscription", subscriptions.resume)]
)
def test_an_answer_that_is_lost_when_a_plan_is_cancelled_or_kept(
    stripe: Shop, call: str, act: Callable[..., Any], fault: str
) -> None:
    person = subscribed(stripe)
    is_kept = act is subscriptions.resume
    if is_kept:
        stripe.call(subscriptions.cancel, person)
    stripe.gateway.plan.append((call, fault))
    with pytest.raises(ExternalServiceError):
        stripe.call(act, person)
    assert plan_of(stripe, person).cancels_at_period_end is is_kept  # as far as we know
    if fault == "after":
        look(stripe, person)
    else:
        stripe.call(act, person)
    assert plan_of(stripe, person).cancels_at_period_end is not is_kept
    stripe.call(act, person)
    assert plan_of(stripe, person).cancels_at_period_end is not is_kept


def test_a_cancellation_that_is_over_cannot_be_taken_back(shop: Shop) -> None:
    person = subscribed(shop)
    shop.call(subscriptions.cancel, person)
    shop.world.next_month(str(plan_of(shop, person).remote_id), paid=True)
    with pytest.raises(InvalidInput):  # the gateway says so
        shop.call(subscriptions.resume, person)
    shop.gateway.gateway = AsItIs(shop.world.gateway)
    with pytest.raises(InvalidInput, match="Premium has ended"):
        shop.call(subscriptions.resume, person)
    assert plan_of(shop, person).status is ENDED


class AsItIs:
    """A gateway that answers how a plan stands when it is asked to go on with one that has ended."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway
        self.resume_subscription = gateway.look_subscription

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)


def test_a_portal_that_does_not_answer_is_said_so(shop: Shop) -> None:
    person = subscribed(shop)
    shop.gateway.plan.append(("portal_url", "before"))
    with pytest.raises(ExternalServiceError):
        shop.call(subscriptions.portal_url, person, "http://localhost/billing")
    assert shop.call(subscriptions.portal_url, person, "http://localhost/billing")


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_customer_that_could_not_be_made_begins_nothing(shop: Shop, fault: str) -> None:
    person = shop.person()
    shop.gateway.plan.append(("customer", fault))
    with pytest.raises(ExternalServiceError):
        shop.call(subscriptions.start, person)
    assert rows(shop, Subscription, person) == rows(shop, GatewayCustomer, person) == []
    shop.call(subscriptions.start, person)
    assert len(rows(shop, GatewayCustomer, person)) == 1


def test_a_customer_that_is_made_twice_at_once_is_kept_once(shop: Shop) -> None:
    person = shop.person()

    def made() -> None:
        with shop.jobs.app.app_context():
            customers.customer_id(person, shop.world.gateway)

    with odd(shop) as gateway:
        gateway.before["customer"] = made
        shop.call(subscriptions.start, person)
    (customer,) = rows(shop, GatewayCustomer, person)
    assert plan_of(shop, person).customer_id == customer.customer_id


def test_a_gateway_without_customers(paypal: Shop) -> None:
    person = started(paypal)
    assert plan_of(paypal, person).customer_id is None
    assert rows(paypal, GatewayCustomer, person) == []


def test_a_card_is_kept_when_its_owner_says_so_and_forgotten_when_it_is_not_known(shop: Shop) -> None:
    person = shop.person()
    shop.pay(person, shop.job(person))
    name = shop.gateway.name
    with shop.jobs.app.app_context():
        assert customers.saved_method(person, name) is None
    shop.pay(person, shop.job(person), "pay_and_save")
    with shop.jobs.app.app_context():
        card = customers.saved_method(person, name)
        assert card is not None
        customers.forget_method(person, name, "pm_another")
        db.session.commit()
        assert customers.saved_method(person, name) is not None
        customers.forget_method(person, name, str(card.method_id))
        db.session.commit()
        assert customers.saved_method(person, name) is None
        assert customers.saved_method(shop.person(), name) is None


def test_one_plan_that_breaks_does_not_hold_up_the_others(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    people = [subscribed(shop) for _ in range(3)]
    broken = plan_of(shop, people[0]).id

    def twist(state: SubscriptionState) -> SubscriptionState:
        if state.subscription_id == broken:
            raise ValueError("nobody thought of this")
        return state

    shop.jobs.clock.forward(days=2)
    with odd(shop, twist):
        assert shop.call(subscriptions.look_due) == 2
    assert [bool(record.exc_info) for record in caplog.records if record.levelname == "WARNING"] == [True]
    assert plan_of(shop, people[0]).next_look_at == shop.jobs.clock() + timedelta(minutes=5)


# ---- the last second


def test_a_cancelled_plan_is_looked_at_when_it_ends_and_its_month_is_over_then(shop: Shop) -> None:
    person = subscribed(shop)
    shop.call(subscriptions.cancel, person)
    plan, (month,) = plan_of(shop, person), months(shop, person)
    shop.jobs.clock.now = month.ends_at - timedelta(microseconds=1)
    assert current(shop, person).is_usable  # type: ignore[union-attr]
    shop.world.next_month(str(plan.remote_id), paid=True)
    shop.jobs.clock.now = month.ends_at
    assert not current(shop, person).is_usable  # type: ignore[union-attr]
    shop.call(subscriptions.look_due)
    assert plan_of(shop, person).status is ENDED
    assert current(shop, person) is None


@pytest.mark.parametrize(("early", "status"), [(1, PAST_DUE), (0, ENDED)])
def test_the_days_of_grace_end_at_their_moment(shop: Shop, early: int, status: SubscriptionStatus) -> None:
    person = subscribed(shop)
    shop.world.next_month(str(plan_of(shop, person).remote_id), paid=False)
    look(shop, person)
    plan = plan_of(shop, person)
    days = shop.toolbox.settings.billing.grace_days
    assert plan.past_due_at is not None
    assert plan.grace_ends_at == plan.past_due_at + timedelta(days=days)
    shop.jobs.clock.now = plan.grace_ends_at - timedelta(microseconds=early)
    look(shop, person)
    plan = plan_of(shop, person)
    assert plan.status is status
    assert (plan.grace_ends_at is None) is (status is ENDED)


def test_what_is_released_after_its_month_goes_back_there_and_once(both: Shop) -> None:
    person = subscribed(both)
    job = both.job(person, "premium")
    (month,) = months(both, person)
    assert month.used == 1
    both.jobs.clock.now = month.ends_at
    both.world.next_month(str(plan_of(both, person).remote_id), paid=True)
    look(both, person)
    assert both.jobs.cancel(person, job)
    barrier = threading.Barrier(4)

    def release(_: Any) -> None:
        barrier.wait(20)
        billing.release(job)
        db.session.commit()

    threads = [threading.Thread(target=both.call, args=(release,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.used for each in months(both, person)] == [0, 0]


def test_of_many_who_release_one_picture_at_once_one_does(both: Shop) -> None:
    person = subscribed(both)
    job = both.job(person, "premium")
    both.job(person, "premium")
    barrier, done = threading.Barrier(4), []

    def release(_: Any) -> None:
        barrier.wait(20)
        done.append(billing.release(job))
        db.session.commit()

    threads = [threading.Thread(target=both.call, args=(release,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, False, False, True]
    assert months(both, person)[0].used == 1


# ---- what a gateway forgot


def test_a_plan_that_never_reached_its_gateway_ends_after_ten_minutes(shop: Shop) -> None:
    person = shop.person()
    shop.gateway.plan.append(("open_subscription", "before"))
    with pytest.raises(ExternalServiceError):
        shop.call(subscriptions.start, person)
    look(shop, person)
    assert plan_of(shop, person).status is INCOMPLETE
    shop.jobs.clock.forward(minutes=10)
    look(shop, person)
    assert plan_of(shop, person).status is ENDED
    assert plan_of(shop, person).next_look_at is None


def test_a_page_that_its_gateway_forgot_ends_when_it_is_over(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    person = started(shop)
    with odd(shop, lambda state: None):
        shop.jobs.clock.forward(minutes=11)
        look(shop, person)
        assert plan_of(shop, person).status is INCOMPLETE
        shop.jobs.clock.forward(minutes=40)
        look(shop, person)
        assert plan_of(shop, person).status is ENDED
        look(shop, person)
    assert errors(caplog) == []


def test_a_plan_that_runs_and_is_missing_is_told_and_stays(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    person = subscribed(shop)
    with odd(shop, lambda state: None):
        look(shop, person)
        look(shop, person)
    assert (plan_of(shop, person).status, plan_of(shop, person).failure) == (ACTIVE, "missing")
    assert errors(caplog) == ["plan is not as agreed, nothing is granted"]
    look(shop, person)
    assert plan_of(shop, person).failure is None


def test_somebody_elses_page_is_given_up_when_ours_would_be_over(shop: Shop) -> None:
    person = started(shop)
    with odd(shop, lambda state: replace(state, user_id=uuid4())):
        look(shop, person)
        assert plan_of(shop, person).status is INCOMPLETE
        shop.jobs.clock.forward(minutes=46)
        look(shop, person)
    assert plan_of(shop, person).status is ENDED


def test_an_unpaid_invoice_is_no_month(shop: Shop) -> None:
    person = started(shop)
    pay(shop, person)
    with odd(shop, with_invoice(is_paid=False)):
        look(shop, person)
    assert months(shop, person) == rows(shop, BillingRecord, person) == []


def test_a_month_that_is_given_back_is_on_its_owners_pages(stripe: Shop) -> None:
    person = started(stripe)
    pay(stripe, person)
    with odd(stripe, lambda state: replace(state, money=CENTS)):
        look(stripe, person)
    stripe.call(reconciliation.tend)
    with stripe.jobs.app.app_context():
        (entry,) = ledger.entries(person, page=1, limit=10).entries
        assert [(each.what, each.amount) for each in entry.movements] == [("Refunded", "$9.99"), ("Charged", "$9.99")]
        assert entry.title == "Premium"
        assert entry.receipt_id is not None
        receipt = receipts.find(stripe.toolbox, person, entry.receipt_id)
    assert (receipt.total.text, receipt.refunded) == ("$9.99", receipt.total)
