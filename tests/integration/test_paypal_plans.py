"""PayPal's subscriptions: one plan for each price, found again by whoever comes next, and an honest cancellation."""

from collections.abc import Iterator
from decimal import Decimal
from uuid import uuid4

import pytest

from pixshift.domain.lifecycle import SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound
from pixshift.gateways import paypal_client
from pixshift.gateways.paypal import PayPalGateway
from pixshift.gateways.ports import SubscriptionRef
from tests.paypal_steps import Desk, subscription
from tests.stand_ins.paypal import PayPalStandIn


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(paypal_client, "_PAUSE_SECONDS", 0.01)
    with PayPalStandIn(contracts=False) as stand_in:
        gateway = PayPalGateway(stand_in.settings())
        yield Desk(gateway, stand_in)
        gateway.close()


def running(desk: Desk) -> SubscriptionRef:
    _, ref = desk.subscribed()
    desk.stand_in.decide(str(ref.session_id), "approve")
    return ref


def test_a_plan_is_made_once_for_its_price_whoever_asks(desk: Desk) -> None:
    for cents in range(1, 23):  # more than PayPal lists at once
        desk.subscribed(money=Money.from_minor(cents, "USD"))
    assert len(desk.stand_in.plans.plans) == 22
    again = Desk(PayPalGateway(desk.stand_in.settings()), desk.stand_in)
    for cents in (1, 22, 22):
        again.subscribed(money=Money.from_minor(cents, "USD"))
    assert len(desk.stand_in.plans.plans) == 22
    assert len(desk.stand_in.plans.products) == 1
    again.subscribed(money=Money(Decimal(150), "JPY"))
    assert [plan["name"] for plan in desk.stand_in.plans.plans.values()][-1].endswith("150 JPY a month")


def test_a_plan_that_was_closed_is_not_used(desk: Desk) -> None:
    desk.subscribed()
    (plan,) = desk.stand_in.plans.plans.values()
    plan["status"] = "INACTIVE"
    desk.stand_in._kept.clear()
    again = Desk(PayPalGateway(desk.stand_in.settings()), desk.stand_in)
    again.subscribed()
    assert len(desk.stand_in.plans.plans) == 2


@pytest.mark.parametrize("ending", ["/plans", "/products", "/subscriptions"])
def test_a_lost_answer_on_the_way_makes_nothing_twice(desk: Desk, ending: str) -> None:
    moods = ["lost"]
    desk.stand_in.choose = lambda path: moods.pop() if moods and path.endswith(ending) else "ok"
    asked = subscription()
    page = desk.gateway.open_subscription(asked)
    assert moods == []
    assert desk.gateway.open_subscription(asked).session_id == page.session_id
    made = desk.stand_in.plans
    assert (len(made.products), len(made.plans), len(made.subscriptions)) == (1, 1, 1)


@pytest.mark.parametrize("ending", ["/plans", "/subscriptions"])
def test_an_answer_that_says_nothing_is_no_answer(desk: Desk, ending: str) -> None:
    desk.gateway.check()
    desk.stand_in.choose = lambda path: "empty" if path.endswith(ending) else "ok"
    asked = subscription()
    with pytest.raises(ExternalServiceError) as unknown:
        desk.gateway.open_subscription(asked)
    assert unknown.value.retryable
    desk.stand_in.choose = None
    desk.gateway.open_subscription(asked)
    assert (len(desk.stand_in.plans.plans), len(desk.stand_in.plans.subscriptions)) == (1, 1)


def test_a_product_that_cannot_be_asked_for_is_not_made_anew(desk: Desk) -> None:
    desk.stand_in.push("403:PERMISSION_DENIED")
    with pytest.raises(ExternalServiceError):
        desk.subscribed()
    assert desk.stand_in.plans.products == {}


def test_one_that_is_cancelled_twice_has_ended_once(desk: Desk) -> None:
    ref = running(desk)
    for _ in range(2):
        state = desk.gateway.cancel_subscription(ref, at_period_end=True)
        assert (state.status, len(state.invoices)) == (SubscriptionStatus.ENDED, 1)


def test_a_page_that_waits_is_not_closed_and_says_so(desk: Desk) -> None:
    _, ref = desk.subscribed()
    state = desk.gateway.cancel_subscription(ref, at_period_end=False)
    assert state.status is SubscriptionStatus.INCOMPLETE


@pytest.mark.parametrize("mood", ["422:SUBSCRIPTION_CANNOT_BE_CANCELLED", "403:PERMISSION_DENIED", "429"])
def test_one_that_goes_on_is_not_called_cancelled(desk: Desk, mood: str) -> None:
    ref = running(desk)
    desk.stand_in.push(mood)
    with pytest.raises(ExternalServiceError):
        desk.gateway.cancel_subscription(ref, at_period_end=True)
    state = desk.gateway.look_subscription(ref)
    assert state is not None
    assert state.status is SubscriptionStatus.ACTIVE


def test_one_that_nobody_knows(desk: Desk) -> None:
    for known in ({"session_id": "I-404"}, {}):
        with pytest.raises(NotFound):
            desk.gateway.cancel_subscription(SubscriptionRef(uuid4(), **known), at_period_end=True)
    assert desk.gateway.look_subscription(SubscriptionRef(uuid4())) is None
    assert desk.gateway.look_subscription(SubscriptionRef(uuid4(), remote_id="I-404")) is None


def test_what_paypal_cannot_do_is_told(desk: Desk) -> None:
    ref = running(desk)
    with pytest.raises(InvalidInput, match="Start a new plan"):
        desk.gateway.resume_subscription(ref)
    assert desk.gateway.portal_url(ref, "http://localhost/billing") is None
