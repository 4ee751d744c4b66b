"""The practice gateway with a clock of its own: what ends by itself, what its page shows, what its books stand."""

import sqlite3
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from pixshift.domain.lifecycle import PaymentStatus, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound, PaymentFailed
from pixshift.gateways.ports import Decline, PaymentRef, SubscriptionRef
from pixshift.gateways.practice_books import Books, Payment
from pixshift.gateways.practice_decisions import HOLD_LIFE, Decision, PracticePage, month_after
from pixshift.gateways.practice_payments import PracticeGateway
from tests.paypal_steps import MONTHLY, PRICE, order, subscription

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
YEN = Money.from_minor(99, "JPY")


@dataclass
class Corner:
    """The gateway, and its clock in ``now``."""

    folder: Path
    now: datetime = START
    gateway: PracticeGateway = field(init=False)

    def __post_init__(self) -> None:
        self.gateway = PracticeGateway(self.folder, "http://localhost:8000/", lambda: self.now)

    def opened(self) -> PaymentRef:
        asked = order(expires_at=self.now + HALF_HOUR)
        return PaymentRef(asked.attempt_id, session_id=self.gateway.open_checkout(asked).session_id)

    def held(self) -> PaymentRef:
        ref = self.opened()
        self.press(ref, "pay")
        return ref

    def subscribed(self, *presses: str) -> SubscriptionRef:
        asked = subscription(expires_at=self.now + HALF_HOUR)
        ref = SubscriptionRef(asked.subscription_id, session_id=self.gateway.open_subscription(asked).session_id)
        for what in presses:
            self.press(ref, what)
        return ref

    def press(self, ref: PaymentRef | SubscriptionRef, what: str) -> None:
        self.gateway.decide(str(ref.session_id), what)

    def page(self, ref: PaymentRef | SubscriptionRef) -> PracticePage:
        shown = self.gateway.page(str(ref.session_id))
        assert shown is not None
        return shown

    def status(self, ref: PaymentRef) -> PaymentStatus:
        state = self.gateway.look(ref)
        assert state is not None
        return state.status


@pytest.fixture
def corner(tmp_path: Path) -> Corner:
    return Corner(tmp_path)


# --- what ends by itself ----------------------------------------------------------------------------------------------


def test_a_page_closes_at_its_second(corner: Corner) -> None:
    ref = corner.opened()
    corner.now += HALF_HOUR - timedelta(seconds=1)
    assert corner.status(ref) is PaymentStatus.OPEN
    corner.now += timedelta(seconds=1)
    assert corner.status(ref) is PaymentStatus.FAILED
    corner.press(ref, "pay")
    assert (corner.status(ref), corner.page(ref).choices) == (PaymentStatus.FAILED, frozenset())


def test_a_bank_that_is_not_answered_ends_the_try(corner: Corner) -> None:
    ref = corner.opened()
    corner.press(ref, "need_bank")
    assert corner.page(ref).choices == {Decision.CONFIRM, Decision.REFUSE_BANK, Decision.CANCEL, Decision.EXPIRE}
    corner.now += HALF_HOUR
    assert corner.status(ref) is PaymentStatus.FAILED


def test_a_hold_that_nobody_takes_is_let_go(corner: Corner) -> None:
    ref = corner.held()
    corner.now += HOLD_LIFE - timedelta(seconds=1)
    assert corner.status(ref) is PaymentStatus.HELD
    corner.now += timedelta(seconds=1)
    assert corner.status(ref) is PaymentStatus.VOIDED
    with pytest.raises(PaymentFailed):
        corner.gateway.capture(ref, PRICE)


def test_what_was_taken_does_not_end(corner: Corner) -> None:
    ref = corner.held()
    corner.gateway.capture(ref, PRICE)
    corner.now += timedelta(days=400)
    assert corner.status(ref) is PaymentStatus.CAPTURED


def test_a_plan_nobody_pays_for_ends_with_its_page(corner: Corner) -> None:
    ref, paid = corner.subscribed(), corner.subscribed("pay")
    corner.now += HALF_HOUR
    states = [corner.gateway.look_subscription(each) for each in (ref, paid)]
    assert [state and state.status for state in states] == [SubscriptionStatus.ENDED, SubscriptionStatus.ACTIVE]
    corner.press(ref, "pay")
    assert corner.page(ref).choices == frozenset()
    with pytest.raises(InvalidInput):
        corner.gateway.resume_subscription(ref)


# --- payments ---------------------------------------------------------------------------------------------------------


def test_only_what_is_held_is_authorized(corner: Corner) -> None:
    ref = corner.opened()
    for unknown in (ref, PaymentRef(uuid4()), PaymentRef(uuid4(), payment_id="pi_of_stripe")):
        with pytest.raises(PaymentFailed):
            corner.gateway.authorize(unknown)
    corner.press(ref, "pay")
    assert corner.gateway.authorize(ref).status is PaymentStatus.HELD


def test_without_a_method_nothing_is_paid(corner: Corner) -> None:
    with pytest.raises(InvalidInput):
        corner.gateway.pay(order())


@pytest.mark.parametrize("money", [YEN, Money.from_minor(100, "USD"), Money.from_minor(0, "USD")])
def test_no_other_amount_is_taken_than_what_is_held_or_a_part_of_it(corner: Corner, money: Money) -> None:
    ref = corner.held()
    with pytest.raises(InvalidInput):
        corner.gateway.capture(ref, money)
    assert corner.gateway.capture(ref, Money.from_minor(98, "USD")).captured == Money.from_minor(98, "USD").amount


def test_what_nobody_began_cannot_be_changed(corner: Corner) -> None:
    plan = corner.subscribed("pay")
    of_a_plan = PaymentRef(uuid4(), session_id=plan.session_id)  # a plan is no payment
    for ref in (PaymentRef(uuid4()), PaymentRef(uuid4(), session_id="ps_x"), of_a_plan):
        assert corner.gateway.look(ref) is None
        with pytest.raises(NotFound):
            corner.gateway.capture(ref, PRICE)
        with pytest.raises(NotFound):
            corner.gateway.void(ref)
    for no_plan in (SubscriptionRef(uuid4()), SubscriptionRef(uuid4(), session_id=corner.opened().session_id)):
        assert corner.gateway.look_subscription(no_plan) is None
        with pytest.raises(NotFound):
            corner.gateway.cancel_subscription(no_plan, at_period_end=False)


@pytest.mark.parametrize("capture_id", ["pc_" + "0" * 32, "ppi_x", "", "2C000"])
def test_what_was_not_taken_is_not_given_back(corner: Corner, capture_id: str) -> None:
    ref = corner.held()
    corner.gateway.capture(ref, PRICE)
    with pytest.raises(PaymentFailed):
        corner.gateway.refund(ref, capture_id, PRICE, "x")


# --- months -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2028, 1, 31, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2026, 12, 15, tzinfo=UTC), datetime(2027, 1, 15, tzinfo=UTC)),
    ],
)
def test_a_month_ends_on_its_day_or_the_last_one(start: datetime, end: datetime) -> None:
    assert month_after(start) == end


def paid_month(corner: Corner, ref: SubscriptionRef, number: int = 0) -> PaymentRef:
    state = corner.gateway.look_subscription(ref)
    assert state is not None
    return PaymentRef(uuid4(), payment_id=state.invoices[number].payment_id)


def test_a_month_is_given_back_up_to_its_price(corner: Corner) -> None:
    ref = corner.subscribed("pay", "next_month_paid")
    first, second = paid_month(corner, ref), paid_month(corner, ref, 1)
    part = Money.from_minor(400, "USD")
    made = [corner.gateway.refund(first, str(first.payment_id), part, cause) for cause in ("a", "b", "b")]
    assert len({refund.refund_id for refund in made}) == 2
    for wrong in (part, YEN, Money.from_minor(0, "USD")):
        with pytest.raises(PaymentFailed):
            corner.gateway.refund(first, str(first.payment_id), wrong, "c")
    assert corner.gateway.refund(second, str(second.payment_id), MONTHLY, "a").amount == MONTHLY


def test_an_owed_month_and_one_of_nobody_are_not_given_back(corner: Corner) -> None:
    ref = corner.subscribed("pay", "next_month_unpaid")
    owed = str(paid_month(corner, ref).payment_id)[:-1] + "2"
    with pytest.raises(PaymentFailed):
        corner.gateway.refund(PaymentRef(uuid4(), payment_id=owed), owed, MONTHLY, "x")
    with pytest.raises(PaymentFailed):
        corner.gateway.refund(PaymentRef(uuid4()), owed[:-1] + "7", MONTHLY, "x")
    payment = corner.held()
    for nobodys in ("ppi_" + "0" * 32 + "_1", f"ppi_{str(payment.session_id).removeprefix('ps_')}_1"):
        with pytest.raises(NotFound):
            corner.gateway.refund(PaymentRef(uuid4()), nobodys, MONTHLY, "x")
    corner.press(ref, "next_month_paid")
    assert corner.gateway.refund(PaymentRef(uuid4()), owed, MONTHLY, "x").amount == MONTHLY


def test_a_plans_bank_may_say_no_and_then_yes(corner: Corner) -> None:
    ref = corner.subscribed("need_bank")
    assert Decision.CONFIRM in corner.page(ref).choices
    corner.press(ref, "refuse_bank")
    assert (corner.page(ref).decline, Decision.CONFIRM in corner.page(ref).choices) == (Decline.NOT_CONFIRMED, False)
    for what in ("need_bank", "cancel", "confirm"):
        corner.press(ref, what)
    page = corner.page(ref)
    assert (page.status, page.decline, page.is_subscription) == (SubscriptionStatus.ACTIVE, None, True)
    assert page.paid_until == datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert page.choices == {Decision.NEXT_MONTH_PAID, Decision.NEXT_MONTH_UNPAID}


def test_a_month_that_is_owed_twice_is_owed_once(corner: Corner) -> None:
    ref = corner.subscribed("pay", "next_month_unpaid", "next_month_unpaid")
    state = corner.gateway.look_subscription(ref)
    assert state is not None
    assert (state.status, [each.is_paid for each in state.invoices]) == (SubscriptionStatus.PAST_DUE, [True, False])


def test_a_plan_has_a_page_and_a_payment_is_no_plan(corner: Corner) -> None:
    ref = corner.subscribed("pay")
    assert corner.gateway.portal_url(ref, "") == f"http://localhost:8000/practice/{ref.session_id}"
    assert corner.gateway.portal_url(SubscriptionRef(uuid4()), "") is None


# --- the page ---------------------------------------------------------------------------------------------------------


def test_a_page_shows_what_is_to_be_decided(corner: Corner) -> None:
    ref = corner.opened()
    page = corner.page(ref)
    assert (page.money, page.is_subscription, page.status, page.paid_until) == (PRICE, False, PaymentStatus.OPEN, None)
    assert page.return_url == f"http://localhost/billing/return/paypal?session_id={ref.session_id}"
    corner.press(ref, "no_funds")
    corner.press(ref, "cancel")
    assert corner.page(ref).decline is Decline.NO_FUNDS
    corner.press(ref, "pay_and_save")
    assert (corner.page(ref).decline, corner.page(ref).choices) == (None, frozenset())


def test_pages_and_buttons_that_do_not_exist(corner: Corner) -> None:
    assert corner.gateway.page("ps_" + "0" * 32) is None
    assert corner.gateway.page("../../etc") is None
    with pytest.raises(NotFound):
        corner.gateway.decide("ps_" + "0" * 32, "pay")
    with pytest.raises(InvalidInput):
        corner.press(corner.opened(), "steal")


def test_it_sends_no_events(corner: Corner) -> None:
    with pytest.raises(InvalidInput):
        corner.gateway.read_event(b"{}", {})


# --- its books --------------------------------------------------------------------------------------------------------


def test_books_that_cannot_be_used_are_trouble_that_passes(tmp_path: Path) -> None:
    file = tmp_path / "practice-payments.sqlite3"
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(ExternalServiceError) as broken:
        Corner(tmp_path).opened()
    assert broken.value.retryable
    (tmp_path / "file").touch()
    with pytest.raises(ExternalServiceError):
        Corner(tmp_path / "file").gateway.check()


def test_what_fails_half_way_is_not_written(corner: Corner) -> None:
    ref = corner.held()
    with pytest.raises(InvalidInput):
        corner.gateway.capture(ref, YEN)
    assert (corner.status(ref), "; 1 payments and" in corner.gateway.check()) == (PaymentStatus.HELD, True)


def test_books_of_before_are_read(corner: Corner) -> None:
    """A plan that was written down before months could be given back knows no refunds."""
    ref = corner.subscribed("pay")
    with sqlite3.connect(corner.folder / "practice-payments.sqlite3") as connection:
        connection.execute("UPDATE entries SET state = json_remove(state, '$.refunds')")
    connection.close()
    month = paid_month(corner, ref)
    assert corner.gateway.refund(month, str(month.payment_id), MONTHLY, "x").amount == MONTHLY


def test_of_ten_who_give_back_at_once_each_hears_the_same_and_one_refund_is_made(corner: Corner) -> None:
    ref = corner.held()
    capture_id = str(corner.gateway.capture(ref, PRICE).capture_id)
    made: list[str] = []

    def give() -> None:
        made.append(corner.gateway.refund(ref, capture_id, PRICE, "x").refund_id)

    threads = [Thread(target=give) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(set(made))) == (10, 1)


def test_a_key_that_is_taken_by_the_other_kind_is_not_overwritten(corner: Corner) -> None:
    ref = corner.subscribed("pay")
    asked = order(attempt_id=ref.subscription_id)
    corner.gateway.open_checkout(asked)
    state = corner.gateway.look_subscription(ref)
    assert state is not None
    assert state.status is SubscriptionStatus.ACTIVE
    assert not isinstance(Books(corner.folder / "practice-payments.sqlite3").find(asked.attempt_id.hex), Payment)


def test_a_key_that_is_known_answers_what_it_is(corner: Corner) -> None:
    asked = order(expires_at=corner.now + HALF_HOUR, method_id="pm_practice_good")
    first = corner.gateway.pay(asked)
    assert corner.gateway.pay(replace(asked, description="again")) == first
