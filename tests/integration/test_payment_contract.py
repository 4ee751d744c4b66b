"""What every payment gateway keeps, each in its own world: holding, taking, giving back, subscriptions, events."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from pixshift.domain.lifecycle import DEAD_PAYMENTS, PaymentStatus, RefundStatus, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import InvalidInput, NotFound, PaymentFailed
from pixshift.gateways.ports import (
    Decline,
    Hosted,
    Order,
    PaymentRef,
    PaymentState,
    SubscriptionOrder,
    SubscriptionRef,
    SubscriptionState,
)
from tests.payment_worlds import Ledger, PaymentWorld, make_world, worlds_that

SITE = "http://localhost:8000"
PRICE = Money(Decimal("0.99"), "USD")
MONTHLY = Money(Decimal("9.99"), "USD")


def worlds(*abilities: str) -> Any:
    """Run the test in every world that can do this."""
    return pytest.mark.parametrize("world", worlds_that(*abilities), indirect=True)


@pytest.fixture(params=worlds_that())
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PaymentWorld]:
    made = make_world(request.param, tmp_path)
    yield made
    made.close()


def order(world: PaymentWorld, **changes: Any) -> Order:
    user_id = changes.pop("user_id", None) or uuid4()
    made = Order(
        attempt_id=uuid4(),
        record_id=uuid4(),
        user_id=user_id,
        money=PRICE,
        description="One picture: Pencil sketch",
        return_url=f"{SITE}/billing/return/{world.gateway.name}",
        cancel_url=f"{SITE}/transformations/{uuid4()}",
        expires_at=datetime.now(UTC) + timedelta(minutes=40),
        customer_id=world.gateway.customer(user_id, None),
    )
    return replace(made, **changes)


def page_ref(asked: Order, page: Hosted) -> PaymentRef:
    return PaymentRef(asked.attempt_id, session_id=page.session_id, customer_id=asked.customer_id)


def seen(world: PaymentWorld, ref: PaymentRef) -> PaymentState:
    state = world.gateway.look(ref)
    assert state is not None
    return state


def opened(world: PaymentWorld, asked: Order | None = None) -> tuple[Order, PaymentRef]:
    asked = asked or order(world)
    return asked, page_ref(asked, world.gateway.open_checkout(asked))


def agree(world: PaymentWorld, ref: PaymentRef, what: str = "pay") -> PaymentState:
    """The payer pays on the page, and what is only approved is held: as our own code does it."""
    world.decide(str(ref.session_id), what)
    state = seen(world, ref)
    return world.gateway.authorize(known(ref, state)) if state.status is PaymentStatus.APPROVED else state


def known(ref: PaymentRef, state: PaymentState) -> PaymentRef:
    return replace(ref, session_id=state.session_id or ref.session_id, payment_id=state.payment_id)


def held(world: PaymentWorld, asked: Order | None = None) -> tuple[Order, PaymentRef]:
    asked, ref = opened(world, asked)
    state = agree(world, ref)
    assert state.status is PaymentStatus.HELD
    return asked, known(ref, state)


def captured(world: PaymentWorld) -> tuple[PaymentRef, str]:
    _, ref = held(world)
    state = world.gateway.capture(ref, PRICE)
    assert state.capture_id
    return known(ref, state), state.capture_id


# --- the page ---------------------------------------------------------------------------------------------------------


def test_a_page_waits_for_its_payer(world: PaymentWorld) -> None:
    asked, ref = opened(world)

    state = seen(world, ref)

    assert state.status is PaymentStatus.OPEN
    assert state.money == asked.money
    assert state.url
    assert state.captured == 0
    assert world.ledger() == Ledger()


def test_the_same_order_is_the_same_page(world: PaymentWorld) -> None:
    asked = order(world)
    first, second = world.gateway.open_checkout(asked), world.gateway.open_checkout(asked)

    assert (first.session_id, first.url) == (second.session_id, second.url)
    assert world.gateway.open_checkout(order(world)).session_id != first.session_id


def test_paying_holds_the_price_and_takes_nothing(world: PaymentWorld) -> None:
    _, ref = opened(world)

    state = agree(world, ref)

    assert (state.status, state.captured) == (PaymentStatus.HELD, 0)
    assert world.ledger() == Ledger(held=99)


def test_a_state_tells_whose_payment_it_is(world: PaymentWorld) -> None:
    asked, ref = held(world)

    state = seen(world, ref)

    assert (state.attempt_id, state.record_id, state.user_id) == (asked.attempt_id, asked.record_id, asked.user_id)
    assert (state.money, state.is_live) == (asked.money, world.gateway.is_live)
    assert state.session_id == ref.session_id
    assert state.payment_id


def test_a_payer_who_leaves_changes_nothing(world: PaymentWorld) -> None:
    _, ref = opened(world)
    before = seen(world, ref)

    world.decide(str(ref.session_id), "cancel")

    assert seen(world, ref) == before
    assert agree(world, ref).status is PaymentStatus.HELD


def test_a_declined_card_can_be_followed_by_a_good_one_on_the_same_page(world: PaymentWorld) -> None:
    _, ref = opened(world)
    world.decide(str(ref.session_id), "decline")
    assert seen(world, ref).status is PaymentStatus.OPEN
    assert world.ledger() == Ledger()

    assert agree(world, ref).status is PaymentStatus.HELD
    assert world.ledger() == Ledger(held=99)


@worlds("declines")
def test_a_declined_card_is_told(world: PaymentWorld) -> None:
    _, ref = opened(world)
    world.decide(str(ref.session_id), "decline")

    assert seen(world, ref).decline is Decline.CARD_DECLINED
    assert agree(world, ref).decline is None


def test_a_page_that_expired_takes_no_money(world: PaymentWorld) -> None:
    _, ref = opened(world)
    world.decide(str(ref.session_id), "expire")

    state = world.gateway.look(ref)

    assert state is None or (state.status, state.url) == (PaymentStatus.FAILED, None)
    world.decide(str(ref.session_id), "pay")
    assert world.ledger() == Ledger()


@worlds("bank")
def test_a_bank_that_asks_is_waited_for(world: PaymentWorld) -> None:
    _, ref = opened(world)
    world.decide(str(ref.session_id), "need_bank")
    assert seen(world, ref).status in (PaymentStatus.ACTION, PaymentStatus.OPEN)
    assert world.ledger() == Ledger()

    world.decide(str(ref.session_id), "confirm")

    assert seen(world, ref).status is PaymentStatus.HELD
    assert world.ledger() == Ledger(held=99)


@worlds("bank")
def test_a_bank_that_is_refused_leaves_the_page_open(world: PaymentWorld) -> None:
    _, ref = opened(world)
    world.decide(str(ref.session_id), "need_bank")
    world.decide(str(ref.session_id), "refuse_bank")

    state = seen(world, ref)

    assert (state.status, state.decline) == (PaymentStatus.OPEN, Decline.NOT_CONFIRMED)
    assert world.ledger() == Ledger()
    assert agree(world, ref).status is PaymentStatus.HELD


# --- looking ----------------------------------------------------------------------------------------------------------


@worlds("find")
def test_a_payment_is_found_by_our_id_alone(world: PaymentWorld) -> None:
    asked, ref = held(world)

    state = seen(world, PaymentRef(asked.attempt_id, customer_id=asked.customer_id))

    assert (state.status, state.payment_id) == (PaymentStatus.HELD, seen(world, ref).payment_id)


def test_a_payment_nobody_began_is_none(world: PaymentWorld) -> None:
    held(world)

    assert world.gateway.look(PaymentRef(uuid4())) is None


def test_payments_do_not_touch_each_other(world: PaymentWorld) -> None:
    _, first = held(world)
    _, second = held(world)
    world.gateway.capture(first, PRICE)

    assert seen(world, second).status is PaymentStatus.HELD
    assert world.ledger() == Ledger(held=99, captured=99)


def test_payments_since_are_all_of_ours_and_none_before(world: PaymentWorld) -> None:
    began = datetime.now(UTC) - timedelta(minutes=5)
    (paid, _), (waiting, _) = held(world), held(world)

    states = {state.attempt_id: state for state in world.gateway.payments_since(began)}

    assert {paid.attempt_id, waiting.attempt_id} <= states.keys()
    assert states[paid.attempt_id].record_id == paid.record_id
    assert list(world.gateway.payments_since(datetime.now(UTC) + timedelta(minutes=5))) == []


def test_a_gateway_says_that_it_is_well(world: PaymentWorld) -> None:
    assert "\n" not in world.gateway.check().strip()
    assert world.gateway.name in world.gateway.check().lower()


# --- taking and letting go --------------------------------------------------------------------------------------------


def test_what_is_held_is_taken_once(world: PaymentWorld) -> None:
    _, ref = held(world)

    first, second = world.gateway.capture(ref, PRICE), world.gateway.capture(ref, PRICE)

    for state in (first, second, seen(world, ref)):
        assert (state.status, state.captured) == (PaymentStatus.CAPTURED, PRICE.amount)
        assert state.capture_id == first.capture_id
    assert world.ledger() == Ledger(captured=99)


def test_what_is_let_go_cannot_be_taken(world: PaymentWorld) -> None:
    _, ref = held(world)

    assert world.gateway.void(ref).status is PaymentStatus.VOIDED
    assert world.gateway.void(ref).status is PaymentStatus.VOIDED
    with pytest.raises(PaymentFailed):
        world.gateway.capture(ref, PRICE)

    assert seen(world, ref).status is PaymentStatus.VOIDED
    assert world.ledger() == Ledger()


def test_what_is_taken_cannot_be_let_go(world: PaymentWorld) -> None:
    ref, _ = captured(world)

    assert world.gateway.void(ref).status is PaymentStatus.CAPTURED
    assert world.ledger() == Ledger(captured=99)


@worlds("void_page")
def test_a_page_that_is_closed_takes_no_money(world: PaymentWorld) -> None:
    _, ref = opened(world)

    assert world.gateway.void(ref).status in DEAD_PAYMENTS
    world.decide(str(ref.session_id), "pay")

    assert seen(world, ref).status in DEAD_PAYMENTS
    assert world.ledger() == Ledger()


def test_nothing_is_taken_of_a_page_that_waits(world: PaymentWorld) -> None:
    _, ref = opened(world)

    with pytest.raises((PaymentFailed, InvalidInput)):
        world.gateway.capture(ref, PRICE)

    assert world.ledger() == Ledger()


# --- giving back ------------------------------------------------------------------------------------------------------


def test_a_refund_is_made_once_for_its_cause(world: PaymentWorld) -> None:
    ref, capture_id = captured(world)

    first = world.gateway.refund(ref, capture_id, PRICE, "not_good")
    second = world.gateway.refund(ref, capture_id, PRICE, "not_good")

    assert first.refund_id == second.refund_id
    assert (first.amount, first.cause) == (PRICE, "not_good")
    assert first.status in (RefundStatus.SUCCEEDED, RefundStatus.PENDING)
    state = seen(world, ref)
    assert [(refund.refund_id, refund.cause) for refund in state.refunds] == [(first.refund_id, "not_good")]
    assert state.status is PaymentStatus.CAPTURED
    assert world.ledger() == Ledger(captured=99, refunded=99)


def test_parts_are_given_back_up_to_what_was_taken(world: PaymentWorld) -> None:
    ref, capture_id = captured(world)
    world.gateway.refund(ref, capture_id, Money(Decimal("0.40"), "USD"), "one")
    world.gateway.refund(ref, capture_id, Money(Decimal("0.59"), "USD"), "two")

    with pytest.raises(PaymentFailed):
        world.gateway.refund(ref, capture_id, Money(Decimal("0.01"), "USD"), "three")

    assert sorted(refund.amount.minor for refund in seen(world, ref).refunds) == [40, 59]
    assert world.ledger() == Ledger(captured=99, refunded=99)


def test_more_than_was_taken_is_not_given_back(world: PaymentWorld) -> None:
    ref, capture_id = captured(world)

    with pytest.raises(PaymentFailed):
        world.gateway.refund(ref, capture_id, Money(Decimal("1.00"), "USD"), "too much")

    assert world.ledger() == Ledger(captured=99)


def test_a_refund_made_elsewhere_is_seen(world: PaymentWorld) -> None:
    ref, _ = captured(world)
    world.refund_elsewhere(str(seen(world, ref).payment_id), 30)

    refunds = seen(world, ref).refunds

    assert [(refund.amount.minor, refund.cause) for refund in refunds] == [(30, None)]
    assert world.ledger() == Ledger(captured=99, refunded=30)


@worlds("disputes")
def test_a_dispute_is_seen(world: PaymentWorld) -> None:
    ref, _ = captured(world)
    assert not seen(world, ref).is_disputed

    world.dispute(str(seen(world, ref).payment_id))

    assert seen(world, ref).is_disputed


@worlds("disputes")
def test_what_is_disputed_is_not_also_given_back(world: PaymentWorld) -> None:
    ref, capture_id = captured(world)
    world.dispute(str(seen(world, ref).payment_id))

    with pytest.raises(PaymentFailed):
        world.gateway.refund(ref, capture_id, PRICE, "not_good")

    assert world.ledger().refunded == 0


# --- methods ----------------------------------------------------------------------------------------------------------


@worlds("methods")
def test_a_good_method_holds_at_once_and_once(world: PaymentWorld) -> None:
    asked = order(world, method_id=world.methods["good"])

    first, second = world.gateway.pay(asked), world.gateway.pay(asked)

    assert first.status is second.status is PaymentStatus.HELD
    assert first.payment_id == second.payment_id
    assert (first.attempt_id, first.record_id, first.user_id) == (asked.attempt_id, asked.record_id, asked.user_id)
    assert world.ledger() == Ledger(held=99)
    ref = PaymentRef(asked.attempt_id, payment_id=first.payment_id, customer_id=asked.customer_id)
    assert world.gateway.capture(ref, PRICE).status is PaymentStatus.CAPTURED
    assert world.ledger() == Ledger(captured=99)


@worlds("methods")
@pytest.mark.parametrize(
    ("method", "reason"), [("declined", Decline.CARD_DECLINED), ("no_funds", Decline.NO_FUNDS)], ids=str
)
def test_a_bad_method_is_refused_with_its_reason(world: PaymentWorld, method: str, reason: Decline) -> None:
    asked = order(world, method_id=world.methods[method])

    for _ in range(2):
        with pytest.raises(PaymentFailed) as caught:
            world.gateway.pay(asked)
        assert caught.value.details["reason"] == reason

    state = world.gateway.look(PaymentRef(asked.attempt_id, customer_id=asked.customer_id))
    assert state is None or state.status is PaymentStatus.FAILED
    assert world.ledger() == Ledger()


@worlds("methods")
@pytest.mark.parametrize("method", ["pm_nobody_has_this", "pm_practice_kept_" + "0" * 32, ""])
def test_a_method_that_does_not_exist_is_refused(world: PaymentWorld, method: str) -> None:
    with pytest.raises((PaymentFailed, InvalidInput)) as caught:
        world.gateway.pay(order(world, method_id=method))

    assert method == "" or caught.value.details["reason"] == Decline.UNKNOWN_METHOD
    assert world.ledger() == Ledger()


@worlds("methods", "bank")
def test_a_method_whose_bank_asks_is_held_when_confirmed(world: PaymentWorld) -> None:
    asked = order(world, method_id=world.methods["needs_bank"])

    state = world.gateway.pay(asked)

    assert state.status is PaymentStatus.ACTION
    assert state.client_secret
    assert world.ledger() == Ledger()
    ref = PaymentRef(asked.attempt_id, payment_id=state.payment_id, customer_id=asked.customer_id)
    world.decide(str(state.payment_id), "confirm")
    assert seen(world, ref).status is PaymentStatus.HELD
    assert world.ledger() == Ledger(held=99)


@worlds("methods", "bank")
def test_a_method_whose_bank_is_refused_holds_nothing(world: PaymentWorld) -> None:
    asked = order(world, method_id=world.methods["needs_bank"])
    state = world.gateway.pay(asked)
    world.decide(str(state.payment_id), "refuse_bank")

    after = seen(world, PaymentRef(asked.attempt_id, payment_id=state.payment_id, customer_id=asked.customer_id))

    assert after.status in (PaymentStatus.FAILED, PaymentStatus.OPEN)
    assert after.decline is Decline.NOT_CONFIRMED
    assert world.ledger() == Ledger()


@worlds("methods", "keep")
def test_a_kept_card_pays_again_for_its_owner_alone(world: PaymentWorld) -> None:
    asked, ref = opened(world)
    state = agree(world, ref, "pay_and_save")
    assert state.method_id
    assert state.method_label
    assert state.customer_id == asked.customer_id

    again = order(world, user_id=asked.user_id, method_id=state.method_id)
    assert world.gateway.pay(again).status is PaymentStatus.HELD
    with pytest.raises(PaymentFailed) as caught:
        world.gateway.pay(order(world, method_id=state.method_id))
    assert caught.value.details["reason"] == Decline.UNKNOWN_METHOD
    assert world.ledger() == Ledger(held=198)


@worlds("keep")
def test_a_card_is_kept_only_when_the_payer_says_so(world: PaymentWorld) -> None:
    _, ref = held(world)

    assert seen(world, ref).method_id is None


# --- subscriptions ----------------------------------------------------------------------------------------------------


def subscribe(world: PaymentWorld) -> tuple[SubscriptionOrder, SubscriptionRef]:
    user_id = uuid4()
    asked = SubscriptionOrder(
        subscription_id=uuid4(),
        user_id=user_id,
        money=MONTHLY,
        name="PixShift Premium",
        return_url=f"{SITE}/billing/return/{world.gateway.name}",
        cancel_url=f"{SITE}/billing",
        expires_at=datetime.now(UTC) + timedelta(minutes=40),
        customer_id=world.gateway.customer(user_id, None),
    )
    page = world.gateway.open_subscription(asked)
    assert world.gateway.open_subscription(asked).session_id == page.session_id
    return asked, SubscriptionRef(asked.subscription_id, page.session_id, customer_id=asked.customer_id)


def plan_of(world: PaymentWorld, ref: SubscriptionRef) -> SubscriptionState:
    state = world.gateway.look_subscription(ref)
    assert state is not None
    return state


def running(world: PaymentWorld) -> tuple[SubscriptionOrder, SubscriptionRef]:
    asked, ref = subscribe(world)
    world.decide(str(ref.session_id), "pay")
    state = plan_of(world, ref)
    assert state.status is SubscriptionStatus.ACTIVE
    return asked, replace(ref, remote_id=state.remote_id)


def test_a_subscription_begins_when_it_is_paid(world: PaymentWorld) -> None:
    asked, ref = subscribe(world)
    before = plan_of(world, ref)
    assert (before.status, [month.is_paid for month in before.invoices if month.is_paid]) == (
        SubscriptionStatus.INCOMPLETE,
        [],
    )

    world.decide(str(ref.session_id), "pay")
    state = plan_of(world, ref)

    assert (state.status, state.money, state.is_live) == (SubscriptionStatus.ACTIVE, MONTHLY, world.gateway.is_live)
    assert (state.subscription_id, state.user_id) == (asked.subscription_id, asked.user_id)
    (month,) = state.invoices
    assert (month.is_paid, month.money) == (True, MONTHLY)
    assert timedelta(days=27) < month.ends_at - month.starts_at < timedelta(days=32)
    assert state.period_end == month.ends_at
    assert not state.cancels_at_period_end


def test_a_subscription_nobody_began_is_none(world: PaymentWorld) -> None:
    assert world.gateway.look_subscription(SubscriptionRef(uuid4())) is None


def test_a_subscription_that_is_declined_has_no_paid_month(world: PaymentWorld) -> None:
    _, ref = subscribe(world)
    world.decide(str(ref.session_id), "decline")

    state = plan_of(world, ref)

    assert state.status in (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.ENDED)
    assert not any(month.is_paid for month in state.invoices)


def test_the_next_month_is_another_invoice(world: PaymentWorld) -> None:
    _, ref = running(world)
    first = plan_of(world, ref).invoices[0]

    world.next_month(str(ref.remote_id), paid=True)
    state = plan_of(world, ref)

    months = sorted(state.invoices, key=lambda month: month.starts_at)
    assert state.status is SubscriptionStatus.ACTIVE
    assert [month.is_paid for month in months] == [True, True]
    assert months[0].invoice_id == first.invoice_id != months[1].invoice_id
    assert state.period_end == months[1].ends_at > first.ends_at


def test_a_month_that_is_not_paid_is_owed_until_it_is(world: PaymentWorld) -> None:
    _, ref = running(world)
    world.next_month(str(ref.remote_id), paid=False)
    owed = plan_of(world, ref)
    assert owed.status is SubscriptionStatus.PAST_DUE
    assert sum(month.is_paid for month in owed.invoices) == 1

    world.next_month(str(ref.remote_id), paid=True)
    state = plan_of(world, ref)

    assert state.status is SubscriptionStatus.ACTIVE
    assert [month.is_paid for month in state.invoices] == [True, True]


def test_a_paid_month_is_given_back_once_for_its_cause(world: PaymentWorld) -> None:
    _, ref = running(world)
    world.next_month(str(ref.remote_id), paid=True)
    first, second = plan_of(world, ref).invoices
    assert first.payment_id
    assert second.payment_id
    paid = PaymentRef(uuid4(), payment_id=second.payment_id)  # a month has no try of ours

    made = world.gateway.refund(paid, second.payment_id, MONTHLY, "not_good")

    assert (made.status, made.amount, made.cause) == (RefundStatus.SUCCEEDED, MONTHLY, "not_good")
    assert world.gateway.refund(paid, second.payment_id, MONTHLY, "not_good") == made
    with pytest.raises(PaymentFailed):
        world.gateway.refund(paid, second.payment_id, MONTHLY, "operator")
    earlier = world.gateway.refund(PaymentRef(uuid4(), payment_id=first.payment_id), first.payment_id, MONTHLY, "x")
    assert earlier.refund_id != made.refund_id
    assert [month.is_paid for month in plan_of(world, ref).invoices] == [True, True]


def test_nothing_is_given_back_of_a_month_that_is_owed(world: PaymentWorld) -> None:
    _, ref = running(world)
    world.next_month(str(ref.remote_id), paid=False)
    state = plan_of(world, ref)
    assert [month.payment_id for month in state.invoices if not month.is_paid] in ([], [None])
    nobodys = str(state.invoices[0].payment_id)[:-1] + "9"
    with pytest.raises((NotFound, PaymentFailed)):
        world.gateway.refund(PaymentRef(uuid4(), payment_id=nobodys), nobodys, MONTHLY, "not_good")


@worlds("resume")
def test_a_cancellation_waits_for_the_months_end_and_can_be_taken_back(world: PaymentWorld) -> None:
    _, ref = running(world)

    state = world.gateway.cancel_subscription(ref, at_period_end=True)
    assert (state.status, state.cancels_at_period_end) == (SubscriptionStatus.ACTIVE, True)
    assert plan_of(world, ref).cancels_at_period_end
    assert not world.gateway.resume_subscription(ref).cancels_at_period_end

    world.next_month(str(ref.remote_id), paid=True)
    assert plan_of(world, ref).status is SubscriptionStatus.ACTIVE


@worlds("resume")
def test_a_cancelled_subscription_ends_with_its_month(world: PaymentWorld) -> None:
    _, ref = running(world)
    world.gateway.cancel_subscription(ref, at_period_end=True)

    world.next_month(str(ref.remote_id), paid=True)

    state = plan_of(world, ref)
    assert (state.status, len(state.invoices)) == (SubscriptionStatus.ENDED, 1)


def test_a_subscription_ends_at_once_when_told(world: PaymentWorld) -> None:
    _, ref = running(world)

    assert world.gateway.cancel_subscription(ref, at_period_end=False).status is SubscriptionStatus.ENDED
    assert world.gateway.cancel_subscription(ref, at_period_end=False).status is SubscriptionStatus.ENDED
    assert plan_of(world, ref).status is SubscriptionStatus.ENDED
    with pytest.raises(InvalidInput):
        world.gateway.resume_subscription(ref)


@worlds("void_page")
def test_a_subscriptions_page_can_be_closed(world: PaymentWorld) -> None:
    _, ref = subscribe(world)

    assert world.gateway.cancel_subscription(ref, at_period_end=False).status is SubscriptionStatus.ENDED
    world.decide(str(ref.session_id), "pay")

    assert plan_of(world, ref).status is SubscriptionStatus.ENDED


@worlds("portal")
def test_a_running_subscription_has_a_page_of_its_own(world: PaymentWorld) -> None:
    _, ref = running(world)

    assert str(world.gateway.portal_url(ref, f"{SITE}/billing")).startswith("http")


# --- events -----------------------------------------------------------------------------------------------------------


@worlds("events")
@pytest.mark.parametrize("kind", ["payment", "subscription", "other"])
def test_a_signed_event_is_read(world: PaymentWorld, kind: str) -> None:
    _, payment = held(world)
    _, plan = running(world)
    ids = {"subscription": {"remote_id": str(plan.remote_id)}, "payment": {"payment_id": str(payment.payment_id)}}

    body, headers = world.event(kind, **ids.get(kind, {}))
    event = world.gateway.read_event(body, headers)

    assert (event.kind, event.is_live) == (kind, world.gateway.is_live)
    assert event.event_id
    assert event.type
    for name, value in ids.get(kind, {}).items():
        assert getattr(event, name) == value


@worlds("events")
def test_a_forged_event_is_refused(world: PaymentWorld) -> None:
    _, ref = held(world)
    body, headers = world.event("payment", payment_id=str(ref.payment_id))

    for forged in ((body.replace(b":", b": ", 1), headers), (body, {}), (b"", headers), (b"\xff{", headers)):
        with pytest.raises(InvalidInput):
            world.gateway.read_event(*forged)


def test_what_nobody_signed_is_no_event(world: PaymentWorld) -> None:
    with pytest.raises(InvalidInput):
        world.gateway.read_event(b'{"id": "evt_1", "type": "payment"}', {})


def test_a_customer_is_the_same_at_every_call(world: PaymentWorld) -> None:
    somebody, other = UUID(int=1), UUID(int=2)
    first = world.gateway.customer(somebody, "a@example.com")

    assert world.gateway.customer(somebody, "a@example.com") == first
    assert first is None or world.gateway.customer(other, None) != first
