"""Paying for a picture: held, then charged when it is there, let go when it is not; whatever happens in between."""

import threading
from contextlib import suppress
from decimal import Decimal
from uuid import uuid4

import pytest

from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, Reservation, Status
from pixshift.errors import (
    ExternalServiceError,
    FreeTierExhausted,
    InvalidInput,
    NotFound,
    PaymentFailed,
    RateLimitExceeded,
)
from pixshift.services import (
    leases,
    payment_rows,
    payment_rules,
    payments,
    reconciliation,
    refunds,
    settlements,
    transformations,
)
from pixshift.services.audit import Actor
from tests import money
from tests.money import Killed, Shop


def test_the_price_is_held_first_and_charged_when_the_picture_is_there(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    assert not shop.is_due(job)
    assert shop.jobs.claim() is None
    shop.pay(person, job)
    held = shop.record(job)
    assert (held.status, held.captured) == (BillingStatus.PENDING, 0)
    assert held.authorized_at is not None
    assert shop.world.ledger().held == 99
    assert shop.is_due(job)
    shop.jobs.make_next()
    charged = shop.record(job)
    assert (charged.status, charged.captured, charged.receipt_number) == (BillingStatus.COMPLETED, Decimal("0.99"), 1)
    assert shop.world.ledger() == money.Ledger(held=0, captured=99, refunded=0) == shop.books()


def test_a_failed_picture_is_not_charged(shop: Shop) -> None:
    job = shop.held(shop.person())
    shop.jobs.editor.fail("PROMPT_BLOCKED")
    shop.jobs.make_next()
    record = shop.record(job)
    assert (record.status, record.captured) == (BillingStatus.FAILED, 0)
    assert record.released_at is not None
    assert shop.world.ledger() == money.Ledger() == shop.books()


def test_a_cancelled_picture_is_not_charged_before_or_after_it_is_held(shop: Shop) -> None:
    person = shop.person()
    unpaid, paid = shop.job(person), shop.held(person)
    shop.open_page(person, unpaid)
    for job in (unpaid, paid):
        assert shop.jobs.cancel(person, job)
        assert shop.record(job).status is BillingStatus.FAILED
    assert shop.attempt(unpaid).status is PaymentStatus.FAILED
    assert shop.attempt(paid).status is PaymentStatus.VOIDED
    assert shop.world.ledger() == money.Ledger()


def test_money_that_was_charged_for_a_picture_that_failed_goes_back(shop: Shop) -> None:
    """Somebody pressed Capture in the gateway's own pages."""
    person = shop.person()
    job = shop.held(person)
    reference = payment_rows.reference(shop.attempt(job))
    shop.world.gateway.capture(reference, money.Money(Decimal("0.99"), "USD"))
    shop.changed(job)
    assert shop.record(job).captured == Decimal("0.99")
    shop.jobs.editor.fail("PROMPT_BLOCKED")
    shop.jobs.make_next()
    assert shop.record(job).status is BillingStatus.REFUNDED
    assert shop.world.ledger() == money.Ledger(0, 99, 99) == shop.books()
    assert [refund.cause for refund in shop.refunds(job)] == [refunds.NOT_MADE]


@pytest.mark.parametrize("fault", ["before", "after", "killed_before", "killed_after"])
@pytest.mark.parametrize("call", ["open_checkout", "look", "capture", "void", "customer"])
def test_a_lost_answer_is_made_good_by_the_next_look(shop: Shop, call: str, fault: str) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.gateway.plan.append((call, fault))
    for act in (lambda: shop.pay(person, job), shop.jobs.make_next):
        try:
            act()
        except (ExternalServiceError, Killed):
            if call in ("customer", "open_checkout", "look"):
                shop.pay(person, job)
    if call == "void":
        other = shop.held(person)
        shop.gateway.plan.clear()
        shop.gateway.plan.append((call, fault))
        with suppress(Killed):
            shop.jobs.cancel(person, other)
    assert not shop.gateway.plan
    shop.tend(minutes=1)
    shop.tend(minutes=11)
    assert shop.record(job).status is BillingStatus.COMPLETED
    assert shop.world.ledger() == shop.books()
    assert shop.world.ledger().captured == 99
    assert shop.unjust() == []
    calls = len(shop.gateway.calls)
    before = shop.record(job)
    shop.tend(minutes=30)
    assert shop.record(job).captured == before.captured
    assert len(shop.gateway.calls) == calls  # nothing is open: nobody is asked


def test_ten_presses_at_once_make_one_payment(both: Shop) -> None:
    person = both.person()
    job = both.job(person)
    urls: list[str | None] = []
    errors: list[Exception] = []

    def press() -> None:
        try:
            urls.append(both.open_page(person, job).url)
        except (InvalidInput, ExternalServiceError) as error:
            errors.append(error)

    threads = [threading.Thread(target=press) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(urls)) == 1
    assert len(both.attempts(job)) == 1
    both.world.decide(str(both.attempt(job).session_id), "pay")
    both.changed(job)
    assert both.world.ledger().held == 99


def test_a_declined_payer_tries_again_on_the_same_page(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.pay(person, job, "decline")
    assert shop.attempt(job).failure == "card_declined"
    assert not shop.is_due(job)
    shop.pay(person, job)
    assert len(shop.attempts(job)) == 1
    assert shop.is_due(job)


def test_a_page_that_closed_is_followed_by_another(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.pay(person, job, "expire")
    assert (shop.attempt(job).status, shop.record(job).failure) == (PaymentStatus.FAILED, "expired")
    shop.pay(person, job)
    assert [attempt.status for attempt in shop.attempts(job)] == [PaymentStatus.FAILED, PaymentStatus.HELD]


def test_paying_with_a_method_at_once(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    paid = shop.call(payments.pay_with, person, job, "pm_practice_good", amount=Decimal("0.99"), currency="USD")
    assert paid.status is PaymentStatus.HELD
    assert paid.record.authorized_at is not None
    assert shop.is_due(job)
    with pytest.raises(InvalidInput):
        shop.call(payments.pay_with, person, job, "pm_practice_good")
    assert shop.world.ledger().held == 99


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("pm_practice_declined", "card_declined"),
        ("pm_practice_no_funds", "insufficient_funds"),
        ("pm_of_nobody", "unknown_method"),
    ],
)
def test_a_method_that_is_refused_says_why_and_another_one_may_follow(shop: Shop, method: str, reason: str) -> None:
    person = shop.person()
    job = shop.job(person)
    with pytest.raises(PaymentFailed) as refused:
        shop.call(payments.pay_with, person, job, method)
    assert refused.value.details["reason"] == reason
    assert shop.attempt(job).status is PaymentStatus.FAILED
    assert shop.record(job).failure == reason
    assert shop.call(payments.pay_with, person, job, "pm_practice_good").status is PaymentStatus.HELD


def test_a_bank_that_asks_is_answered_by_the_payers_program(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    paid = shop.call(payments.pay_with, person, job, "pm_practice_needs_bank")
    assert paid.status is PaymentStatus.ACTION
    assert paid.client_secret
    assert not shop.is_due(job)
    shop.world.decide(str(shop.attempt(job).payment_id), "confirm")
    shop.changed(job)
    assert shop.is_due(job)


@pytest.mark.parametrize(
    ("sent", "field"), [({"amount": Decimal("0.01")}, "amount"), ({"currency": "EUR"}, "currency")]
)
def test_another_price_than_ours_is_refused(shop: Shop, sent: dict[str, object], field: str) -> None:
    person = shop.person()
    job = shop.job(person)
    with pytest.raises(InvalidInput) as refused:
        shop.call(payments.pay_with, person, job, "pm_practice_good", **sent)
    assert refused.value.details["field"] == field
    assert shop.world.ledger() == money.Ledger()


def test_what_is_somebody_elses_is_not_found(shop: Shop) -> None:
    person, other = shop.person(), shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    for act in (payments.open_page, lambda *all_: payments.pay_with(*all_, "pm_practice_good")):
        with pytest.raises(NotFound):
            shop.call(act, other, job)
        with pytest.raises(NotFound):
            shop.call(act, person, uuid4())
    session = str(shop.attempt(job).session_id)
    with shop.jobs.app.app_context():
        assert payment_rows.record_of_session(person, "practice", session) == shop.record(job).id
        with pytest.raises(NotFound):
            payment_rows.record_of_session(other, "practice", session)
    with pytest.raises(NotFound):
        shop.call(settlements.look, uuid4())
    with pytest.raises(NotFound):
        shop.call(refunds.refund, uuid4(), "operator")
    with pytest.raises(NotFound):
        shop.call(refunds.not_good, other, job)


def test_tries_to_pay_are_counted(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    for _ in range(payment_rules.TRIES_AN_HOUR):
        with pytest.raises(PaymentFailed):
            shop.call(payments.pay_with, person, job, "pm_practice_declined")
    with pytest.raises(RateLimitExceeded) as slower:
        shop.call(payments.pay_with, person, job, "pm_practice_good")
    assert 3000 < (slower.value.retry_after or 0) <= 3600
    shop.jobs.clock.forward(hours=1.01)
    assert shop.call(payments.pay_with, person, job, "pm_practice_good").status is PaymentStatus.HELD


def test_another_way_to_pay_closes_the_first_page(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    assert shop.call(payments.pay_with, person, job, "pm_practice_good").status is PaymentStatus.HELD
    assert [attempt.status for attempt in shop.attempts(job)] == [PaymentStatus.FAILED, PaymentStatus.HELD]
    assert shop.world.ledger().held == 99


def test_a_page_that_was_paid_meanwhile_is_not_paid_again_another_way(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.world.decide(str(shop.attempt(job).session_id), "pay")
    with pytest.raises(InvalidInput):
        shop.call(payments.pay_with, person, job, "pm_practice_good")
    assert shop.is_due(job)
    assert shop.world.ledger().held == 99


def test_a_picture_nobody_pays_for_ends_after_a_day_and_a_late_payment_is_let_go(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.gateway.plan.append(("void", "before"))  # the gateway is away just then
    shop.jobs.clock.forward(hours=24.1)
    shop.call(reconciliation.tend)
    assert shop.jobs.read(job).failure_reason == "NOT_PAID"
    shop.world.decide(str(shop.attempt(job).session_id), "pay")
    shop.changed(job)
    assert shop.record(job).status is BillingStatus.FAILED
    assert shop.world.ledger() == money.Ledger()


def test_a_hold_that_is_gone_before_the_work_begins_is_asked_for_again(shop: Shop) -> None:
    person = shop.person()
    job = shop.held(person)
    shop.world.gateway.void(payment_rows.reference(shop.attempt(job)))
    shop.changed(job)
    assert not shop.is_due(job)
    assert shop.record(job).authorized_at is None
    shop.pay(person, job)
    assert shop.is_due(job)


def test_a_hold_that_is_gone_when_the_picture_is_there_is_our_loss(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    job = shop.held(shop.person())
    claimed = shop.jobs.claimed()
    shop.world.gateway.void(payment_rows.reference(shop.attempt(job)))
    shop.jobs.make(claimed)
    assert shop.jobs.read(job).status is Status.COMPLETED
    record = shop.record(job)
    assert (record.status, record.failure, record.captured) == (BillingStatus.FAILED, "capture_failed", 0)
    assert "the loss is ours" in caplog.text
    assert shop.world.ledger() == shop.books()


def test_a_hold_that_is_gone_while_the_picture_is_made_is_found_out_at_its_end(shop: Shop) -> None:
    job = shop.held(shop.person())
    claimed = shop.jobs.claimed()
    shop.world.gateway.void(payment_rows.reference(shop.attempt(job)))
    shop.changed(job)
    assert shop.record(job).status is BillingStatus.PENDING
    shop.jobs.make(claimed)
    assert (shop.record(job).status, shop.record(job).failure) == (BillingStatus.FAILED, "capture_failed")


def test_a_try_the_gateway_never_heard_of_is_forgotten_after_some_minutes(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.gateway.plan.append(("open_checkout", "before"))
    with pytest.raises(ExternalServiceError):
        shop.open_page(person, job)
    shop.changed(job)
    assert shop.attempt(job).status is PaymentStatus.CREATED
    shop.jobs.clock.forward(minutes=11)
    shop.changed(job)
    assert shop.attempt(job).status is PaymentStatus.FAILED


def test_somebody_whose_payment_is_disputed_cannot_spend(shop: Shop) -> None:
    person = shop.person()
    paid, unpaid = shop.held(person), shop.job(person)
    shop.jobs.make_next()
    shop.world.dispute(str(shop.attempt(paid).payment_id))
    for _ in range(3):
        shop.changed(paid)
    assert shop.is_blocked(person)
    with pytest.raises(PaymentFailed):
        shop.open_page(person, unpaid)
    with pytest.raises(PaymentFailed):
        shop.job(person)
    with pytest.raises(InvalidInput):  # the bank decides: not refunded besides
        shop.call(refunds.refund, shop.record(paid).id, refunds.BY_OPERATOR, actor=Actor("cli"))
    assert shop.world.ledger().refunded == 0


def test_a_job_requeued_by_an_operator_is_free(shop: Shop) -> None:
    job = shop.held(shop.person())
    shop.jobs.editor.fail("PROMPT_BLOCKED")
    shop.jobs.make_next()
    shop.call(lambda tools: (leases.requeue(tools, job), money.db.session.commit()))
    shop.jobs.make_next()
    assert shop.jobs.read(job).status is Status.COMPLETED
    shop.tend(minutes=1)
    assert shop.world.ledger() == money.Ledger() == shop.books()


def test_a_paid_picture_may_be_tried_again_once_for_free(shop: Shop) -> None:
    person = shop.person()
    first = shop.held(person)
    shop.jobs.make_next()
    second = shop.call(transformations.again, person, first)
    assert (second.reroll_of, second.reservation) == (first, None)
    shop.jobs.make_next()
    with pytest.raises(FreeTierExhausted):  # from now on it is a picture like any other
        shop.call(transformations.again, person, first)
    assert shop.world.ledger().captured == 99


def test_a_free_second_try_that_failed_does_not_count(shop: Shop) -> None:
    person = shop.person()
    first = shop.held(person)
    shop.jobs.make_next()
    shop.call(transformations.again, person, first)
    shop.jobs.editor.fail("PROMPT_BLOCKED")
    shop.jobs.make_next()
    assert shop.call(transformations.again, person, first).reroll_of == first


def test_the_reservation_of_every_end_is_final(shop: Shop) -> None:
    job = shop.held(shop.person())
    shop.jobs.make_next()
    assert shop.jobs.read(job).reservation is Reservation.SETTLED
    assert not shop.jobs.cancel(shop.jobs.read(job).user_id, job)
    assert shop.record(job).status is BillingStatus.COMPLETED
