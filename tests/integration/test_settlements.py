"""How a payment ends where the payer only agrees on the page, and we hold afterwards; and ends nobody plans for."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, Reservation
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import Transformation
from pixshift.services import payment_rows, payment_states, payments, settlements
from tests import money
from tests.money import Ledger, Shop

NOTHING = Ledger()


def agreed(shop: Shop, what: str = "pay") -> tuple[UUID, UUID]:
    """A person and their picture; they said yes on the page and left, and we heard nothing yet."""
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.world.decide(str(shop.attempt(job).session_id), what)
    return person, job


def before(shop: Shop, call: str, act: Callable[[], Any]) -> None:
    """Something happens once, right before the gateway hears ``call``."""
    real = getattr(shop.gateway.gateway, call)

    def first(*args: Any, **kwargs: Any) -> Any:
        vars(shop.gateway.gateway).pop(call)
        act()
        return real(*args, **kwargs)

    setattr(shop.gateway.gateway, call, first)


def test_a_payers_yes_is_held_once_however_often_it_is_heard_of(paypal: Shop) -> None:
    _, job = agreed(paypal)
    assert paypal.world.ledger() == NOTHING
    for _ in range(3):
        paypal.changed(job)
    assert paypal.world.ledger() == Ledger(99, 0, 0) == paypal.books()
    assert paypal.is_due(job)
    assert paypal.gateway.calls.count("authorize") == 1
    paypal.jobs.make_next()
    assert paypal.world.ledger() == Ledger(0, 99, 0) == paypal.books()
    assert paypal.record(job).status is BillingStatus.COMPLETED


def test_a_card_that_says_no_after_the_payers_yes_is_told_and_another_one_may_follow(paypal: Shop) -> None:
    _, job = agreed(paypal, "approve_empty")
    paypal.changed(job)
    assert paypal.world.ledger() == NOTHING == paypal.books()
    assert not paypal.is_due(job)
    attempt = paypal.attempt(job)
    assert (attempt.failure, attempt.status) == ("card_declined", PaymentStatus.OPEN)
    paypal.world.decide(str(attempt.session_id), "pay")
    paypal.changed(job)
    assert len(paypal.attempts(job)) == 1
    assert paypal.world.ledger() == Ledger(99, 0, 0) == paypal.books()


def test_a_yes_for_a_picture_that_was_cancelled_meanwhile_is_never_held(paypal: Shop) -> None:
    person, job = agreed(paypal)
    paypal.jobs.cancel(person, job)
    paypal.changed(job)
    paypal.tend(minutes=10)
    assert "authorize" not in paypal.gateway.calls
    assert paypal.world.ledger() == NOTHING == paypal.books()
    assert paypal.record(job).status is BillingStatus.FAILED


def test_a_yes_for_another_sum_is_never_held(paypal: Shop) -> None:
    _, job = agreed(paypal)
    dear = money.Money(Decimal("99.00"), "USD")
    paypal.gateway.twist = lambda state: replace(state, money=dear)
    paypal.changed(job)
    assert "authorize" not in paypal.gateway.calls
    assert not paypal.is_due(job)
    paypal.gateway.twist = None
    paypal.tend(minutes=10)
    assert paypal.world.ledger() == NOTHING == paypal.books()


@pytest.mark.parametrize("fault", ["before", "after", "killed_before", "killed_after"])
def test_a_hold_whose_answer_was_lost_is_found_by_the_next_look(paypal: Shop, fault: str) -> None:
    _, job = agreed(paypal)
    paypal.gateway.plan.append(("authorize", fault))
    with pytest.raises((ExternalServiceError, money.Killed)):
        paypal.changed(job)
    assert not paypal.is_due(job)
    paypal.tend(minutes=6)
    assert paypal.is_due(job)
    assert paypal.world.ledger() == Ledger(99, 0, 0) == paypal.books()


def test_a_paypal_hold_goes_back_when_there_is_no_picture(paypal: Shop) -> None:
    person = paypal.person()
    failed = paypal.held(person)
    paypal.jobs.clock.forward(seconds=1)  # the older one is made first
    cancelled = paypal.held(person)
    paypal.jobs.editor.fail("PROMPT_BLOCKED")
    paypal.jobs.make_next()
    assert paypal.world.ledger().held == 99
    paypal.jobs.cancel(person, cancelled)
    paypal.tend()
    assert paypal.world.ledger() == NOTHING == paypal.books()
    assert [paypal.record(job).status for job in (failed, cancelled)] == [BillingStatus.FAILED] * 2
    assert paypal.unjust() == []


def test_a_picture_that_is_there_before_anybody_paid_is_our_loss_and_its_page_is_closed(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    person = shop.person()
    job = shop.job(person)
    page = shop.open_page(person, job)
    with shop.jobs.app.app_context():
        made = update(Transformation).where(Transformation.id == job)
        db.session.execute(made.values(due_at=shop.jobs.clock(), reservation=Reservation.RESERVED))
        db.session.commit()
    shop.jobs.make_next()
    shop.tend(minutes=1)
    assert shop.jobs.read(job).status == "COMPLETED"
    record = shop.record(job)
    assert (record.status, record.captured, record.failure) == (BillingStatus.FAILED, 0, payment_states.CAPTURE_FAILED)
    assert "the loss is ours" in caplog.text
    assert page.url is not None
    shop.world.decide(str(shop.attempt(job).session_id), "pay")  # the page is closed
    assert shop.world.ledger() == NOTHING == shop.books()


def test_a_charge_that_the_gateway_forgot_stays_in_our_books(shop: Shop) -> None:
    job = shop.held(shop.person())
    shop.jobs.make_next()
    shop.jobs.clock.forward(minutes=30)
    shop.gateway.twist = lambda answer: None
    shop.call(settlements.look, shop.record(job).id)
    shop.gateway.twist = None
    assert shop.attempt(job).status is PaymentStatus.CAPTURED
    record = shop.record(job)
    assert (record.status, record.captured) == (BillingStatus.COMPLETED, Decimal("0.99"))
    assert shop.world.ledger() == Ledger(0, 99, 0) == shop.books()


def test_news_of_a_try_that_is_gone_moves_nothing(shop: Shop) -> None:
    job = shop.held(shop.person())
    with pytest.raises(NotFound):
        shop.call(payment_states.bury, uuid4(), None)
    with pytest.raises(NotFound):
        shop.call(settlements.finish, uuid4())
    assert shop.world.ledger() == Ledger(99, 0, 0) == shop.books()
    assert shop.is_due(job)


def test_two_windows_that_pay_at_once_make_one_payment(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    before(shop, "customer", lambda: shop.open_page(person, job))
    with pytest.raises(InvalidInput, match="another window"):
        shop.call(payments.pay_with, person, job, shop.world.methods["good"])
    (attempt,) = shop.attempts(job)
    assert (attempt.method_id, attempt.status) == (None, PaymentStatus.OPEN)
    assert shop.world.ledger() == NOTHING
    shop.world.decide(str(attempt.session_id), "pay")
    shop.changed(job)
    assert shop.world.ledger() == Ledger(99, 0, 0) == shop.books()


def test_a_page_that_ended_by_itself_is_simply_replaced(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.world.decide(str(shop.attempt(job).session_id), "expire")
    shop.call(payments.pay_with, person, job, shop.world.methods["good"])
    assert [each.status for each in shop.attempts(job)] == [PaymentStatus.FAILED, PaymentStatus.HELD]
    assert "void" not in shop.gateway.calls
    assert shop.world.ledger() == Ledger(99, 0, 0) == shop.books()


def test_a_first_try_that_does_not_end_is_not_followed_by_a_second(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    real = shop.gateway.gateway.void
    shop.gateway.gateway.void = lambda reference: replace(real(reference), status=PaymentStatus.OPEN)  # type: ignore[method-assign]
    with pytest.raises(ExternalServiceError, match="has not ended yet"):
        shop.call(payments.pay_with, person, job, shop.world.methods["good"])
    assert len(shop.attempts(job)) == 1
    assert shop.world.ledger() == NOTHING


def test_a_chosen_way_to_pay_is_taken(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    assert shop.call(payments.open_page, person, job, "practice").url
    assert shop.attempt(job).gateway == "practice"


def test_a_gateway_that_lost_its_keys_leaves_a_cancelled_picture_to_a_later_look(paypal: Shop) -> None:
    person = paypal.person()
    job = paypal.held(person)
    tools = paypal.toolbox
    paypal.jobs.app.extensions["toolbox"] = replace(tools, gateways=replace(tools.gateways, payments={}))
    paypal.jobs.cancel(person, job)
    assert paypal.record(job).status is BillingStatus.PENDING
    assert paypal.world.ledger() == Ledger(99, 0, 0)
    paypal.jobs.app.extensions["toolbox"] = tools
    paypal.tend(minutes=1)
    assert paypal.record(job).status is BillingStatus.FAILED
    assert paypal.world.ledger() == NOTHING == paypal.books()


def test_a_capture_that_is_refused_for_good_frees_what_was_held(paypal: Shop) -> None:
    job = paypal.held(paypal.person())
    reference = payment_rows.reference(paypal.attempt(job))
    paypal.world.gateway.void(reference)  # the hold ended at PayPal, and nobody told us
    paypal.jobs.make_next()
    record = paypal.record(job)
    assert (record.status, record.failure) == (BillingStatus.FAILED, payment_states.CAPTURE_FAILED)
    assert paypal.jobs.read(job).status == "COMPLETED"
    assert paypal.world.ledger() == NOTHING == paypal.books()
