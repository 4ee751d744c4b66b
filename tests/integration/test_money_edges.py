"""Purses, months and refunds at their edges: what the counters say, and what the gateway's own books say."""

import io
import json
import threading
import zipfile
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, select, update

from pixshift.domain.lifecycle import BillingStatus, RefundStatus
from pixshift.domain.pricing import Money
from pixshift.errors import (
    ConfigurationError,
    ExternalServiceError,
    FreeTierExhausted,
    InvalidInput,
    NotFound,
    PaymentFailed,
    PaymentRequired,
)
from pixshift.extensions import db
from pixshift.gateways.ports import RefundState, StoredObject
from pixshift.models import BillingRecord, QuotaPeriod, Refund, Subscription, User
from pixshift.services import (
    accounts,
    billing,
    export_archive,
    payment_states,
    purses,
    reconciliation,
    refunds,
    subscriptions,
    tiers,
    transformations,
)
from tests.money import Ledger, Shop

CENTS = Money(Decimal("0.99"), "USD")


def charged(shop: Shop) -> tuple[UUID, UUID]:
    person = shop.person()
    job = shop.held(person)
    shop.jobs.make_next()
    return person, job


def subscribed(shop: Shop) -> UUID:
    person = shop.person()
    shop.call(subscriptions.start, person)
    with shop.jobs.app.app_context():
        plan = db.session.scalars(select(Subscription).where(Subscription.user_id == person)).one()
    shop.world.decide(str(plan.session_id), "pay")
    shop.call(subscriptions.look, plan.id)
    shop.jobs.clock.forward(seconds=10)  # a gateway's clock is its own
    return person


def month(shop: Shop, person: UUID) -> QuotaPeriod:
    with shop.jobs.app.app_context():
        return db.session.scalars(select(QuotaPeriod).where(QuotaPeriod.user_id == person)).one()


def quota(shop: Shop, person: UUID) -> billing.Quota | None:
    with shop.jobs.app.app_context():
        return billing.quota(person, shop.jobs.clock())


def write(shop: Shop, statement: Any) -> None:
    with shop.jobs.app.app_context():
        db.session.execute(statement)
        db.session.commit()


def said(*states: RefundState) -> Any:
    """A gateway that tells of these refunds when it is asked for a payment."""
    return lambda answer: replace(answer, refunds=states) if hasattr(answer, "refunds") else answer


def pending_refund(shop: Shop, record_id: UUID) -> Refund:
    """One that is on its way at the gateway."""
    shop.gateway.twist = lambda answer: replace(answer, status=RefundStatus.PENDING)
    wanted: Refund = shop.call(refunds.refund, record_id, refunds.BY_OPERATOR)
    shop.gateway.twist = None
    assert wanted.status is RefundStatus.PENDING
    return wanted


# -- purses --------------------------------------------------------------------------------------------------------


def test_of_thirty_who_want_the_last_free_pictures_as_many_win(both: Shop) -> None:
    limit = both.toolbox.settings.free_tier.limit
    person = both.jobs.person(free_used=limit - 2)
    photo = both.jobs.photo(person)
    made: list[UUID] = []

    def take() -> None:
        with suppress(FreeTierExhausted):
            asked = {"type_id": both.jobs.type_id, "image_id": photo.id}
            made.append(both.call(transformations.create, person, tier=None, **asked).id)

    threads = [threading.Thread(target=take) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with both.jobs.app.app_context():
        tier = billing.free_tier(person, limit)
    assert len(made) == 2
    assert (tier.used, tier.remaining) == (limit, 0)
    for _ in range(2):  # given back once, however often it is cancelled
        both.jobs.cancel(person, made[0])
    with both.jobs.app.app_context():
        assert billing.free_tier(person, limit).remaining == 1
    assert both.world.ledger() == Ledger()


def test_a_month_pays_before_money_does_and_when_it_is_used_a_price_is_asked_for(stripe: Shop) -> None:
    shop, person = stripe, subscribed(stripe)
    shop.job(person)
    assert month(shop, person).used == 1
    write(shop, update(QuotaPeriod).values(used=QuotaPeriod.granted))
    left = quota(shop, person)
    assert left is not None
    assert left.remaining == 0
    with pytest.raises(PaymentRequired, match="no pictures left"):
        shop.job(person, tier="premium")
    job = shop.job(person, tier="basic")
    assert shop.record(job).amount == Decimal("0.99")
    assert shop.world.ledger() == Ledger(0, 999, 0) == shop.books()


def test_the_boundary_second_of_a_month(shop: Shop) -> None:
    person = subscribed(shop)
    ends = month(shop, person).ends_at
    shop.jobs.clock.now = ends - timedelta(seconds=1)
    shop.job(person, tier="premium")
    assert month(shop, person).used == 1
    shop.jobs.clock.now = ends
    assert quota(shop, person) is None
    with pytest.raises(PaymentRequired):
        shop.job(person, tier="premium")
    assert month(shop, person).used == 1


def test_who_chose_nothing_is_told_what_there_is(shop: Shop) -> None:
    person = shop.person()
    with pytest.raises(FreeTierExhausted) as refused:
        shop.job(person, tier=None)  # type: ignore[arg-type]
    assert "Choose Basic" in str(refused.value.way_out)
    assert shop.world.ledger() == Ledger()


def test_a_tier_without_a_price_sells_nothing(shop: Shop) -> None:
    settings = shop.toolbox.settings
    free = settings.tier("basic").model_copy(update={"cost_per_image": None})
    without = replace(shop.toolbox, settings=settings.model_copy(update={"pricing_tiers": (free,)}))
    with shop.jobs.app.app_context(), pytest.raises(ConfigurationError, match="costPerImage"):
        purses.image_price(without)


def test_what_a_month_paid_for_is_given_back_to_it_once(shop: Shop) -> None:
    person = subscribed(shop)
    job = shop.job(person, tier="premium")
    for _ in range(3):
        shop.jobs.cancel(person, job)
    assert month(shop, person).used == 0
    with shop.jobs.app.app_context():
        assert not billing.release(job)
        db.session.rollback()
    assert month(shop, person).used == 0


def test_receipts_of_many_who_are_charged_at_once_have_numbers_without_gaps(both: Shop) -> None:
    jobs = [both.held(both.person()) for _ in range(6)]
    threads = [threading.Thread(target=both.jobs.make_next) for _ in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    both.tend(minutes=1)
    numbers = sorted(both.record(job).receipt_number or 0 for job in jobs)
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert both.world.ledger() == Ledger(0, 594, 0) == both.books()


# -- refunds -------------------------------------------------------------------------------------------------------


def test_a_refund_on_its_way_arrives(shop: Shop) -> None:
    _, job = charged(shop)
    pending_refund(shop, shop.record(job).id)
    assert shop.record(job).refunded == 0
    shop.changed(job)
    assert shop.refunds(job)[0].status is RefundStatus.SUCCEEDED
    assert shop.record(job).status is BillingStatus.REFUNDED
    assert shop.world.ledger() == Ledger(0, 99, 99) == shop.books()


def test_a_refund_whose_answer_was_lost_is_known_by_its_cause(shop: Shop) -> None:
    _, job = charged(shop)
    shop.gateway.plan.append(("refund", "after"))
    with pytest.raises(ExternalServiceError):
        shop.call(refunds.refund, shop.record(job).id, refunds.BY_OPERATOR)
    shop.changed(job)  # a webhook comes before our next try
    (wanted,) = shop.refunds(job)
    assert (wanted.status, wanted.cause, wanted.next_try_at) == (RefundStatus.SUCCEEDED, refunds.BY_OPERATOR, None)
    shop.tend(minutes=61)
    assert shop.gateway.calls.count("refund") == 1
    assert shop.world.ledger() == Ledger(0, 99, 99) == shop.books()


def test_an_earlier_try_that_came_back_is_not_taken_for_another_refund(shop: Shop) -> None:
    _, job = charged(shop)
    record = shop.record(job)
    shop.gateway.twist = lambda answer: replace(answer, refund_id="re_first", status=RefundStatus.FAILED)
    shop.gateway.gateway.refund = lambda *_: RefundState("re_first", RefundStatus.FAILED, CENTS)  # type: ignore[method-assign]
    assert shop.call(refunds.refund, record.id, refunds.BY_OPERATOR).status is RefundStatus.FAILED
    assert shop.record(job).refunded == 0
    vars(shop.gateway.gateway).pop("refund")
    shop.gateway.twist = None
    shop.tend(minutes=61)
    (wanted,) = shop.refunds(job)
    assert (wanted.status, wanted.tries) == (RefundStatus.SUCCEEDED, 1)
    good = RefundState(str(wanted.refund_id), RefundStatus.SUCCEEDED, CENTS, f"{refunds.BY_OPERATOR}~1")
    bad = RefundState("re_first", RefundStatus.FAILED, CENTS, refunds.BY_OPERATOR)
    shop.gateway.twist = said(bad, good)
    for _ in range(2):
        shop.changed(job)
    assert len(shop.refunds(job)) == 1
    assert shop.record(job).status is BillingStatus.REFUNDED
    assert shop.world.ledger() == Ledger(0, 99, 99) == shop.books()


def test_a_refund_is_only_for_what_we_know(shop: Shop) -> None:
    _, job = charged(shop)
    with pytest.raises(NotFound):
        shop.call(refunds.refund, uuid4(), refunds.BY_OPERATOR)
    assert shop.world.ledger() == Ledger(0, 99, 0) == shop.books()
    assert shop.refunds(job) == []


def test_what_is_disputed_is_not_given_back_besides(shop: Shop) -> None:
    person, job = charged(shop)
    shop.world.dispute(str(shop.attempt(job).payment_id))
    shop.changed(job)
    assert shop.is_blocked(person)
    with pytest.raises(InvalidInput, match="the bank decides"):
        shop.call(refunds.not_good, person, job)
    with pytest.raises(PaymentFailed, match="disputed"):
        shop.job(person)
    shop.tend(minutes=61)
    assert shop.refunds(job) == []
    assert shop.world.ledger() == Ledger(0, 99, 0) == shop.books()


def test_two_last_refunds_at_once_are_not_both_the_last_one(both: Shop) -> None:
    person = both.person()
    jobs = [both.held(person) for _ in range(4)]
    for _ in jobs:
        both.jobs.make_next()
    given: list[object] = []

    def ask(job: UUID) -> None:
        with suppress(InvalidInput):
            given.append(both.call(refunds.not_good, person, job))

    threads = [threading.Thread(target=ask, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == both.toolbox.settings.billing.not_good_per_month == 2
    assert both.world.ledger() == Ledger(0, 396, 198) == both.books()


def test_a_refund_that_vanishes_while_it_is_sent_is_not_shown_as_made(shop: Shop) -> None:
    _, job = charged(shop)
    real = shop.gateway.gateway.refund

    def gone(*args: Any) -> Any:
        made = real(*args)
        write(shop, delete(Refund))
        return made

    shop.gateway.gateway.refund = gone  # type: ignore[method-assign]
    with pytest.raises(NotFound, match="refund"):
        shop.call(refunds.refund, shop.record(job).id, refunds.BY_OPERATOR)
    vars(shop.gateway.gateway).pop("refund")
    shop.changed(job)  # found again at the gateway: our books are right
    assert shop.world.ledger() == Ledger(0, 99, 99) == shop.books()


def test_a_refund_that_fails_is_retried_and_does_not_stop_the_others(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    bought = [charged(shop)[1] for _ in range(2)]
    for job in bought:
        shop.gateway.plan.append(("refund", "before"))
        with pytest.raises(ExternalServiceError):
            shop.call(refunds.refund, shop.record(job).id, refunds.BY_OPERATOR)
    shop.gateway.plan.append(("refund", "before"))
    shop.jobs.clock.forward(minutes=61)
    assert shop.call(reconciliation.tend) == 2
    assert "refund is tried again later" in caplog.text
    assert shop.world.ledger().refunded == 99
    shop.jobs.clock.forward(minutes=61)
    assert shop.call(reconciliation.tend) == 1
    assert shop.world.ledger() == Ledger(0, 198, 198) == shop.books()
    assert shop.call(reconciliation.tend) == 0


def test_a_page_that_only_the_gateway_remembers_is_no_difference(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.gateway.twist = lambda answer: (
        [replace(state, attempt_id=uuid4()) for state in answer] if isinstance(answer, list) else answer
    )
    assert shop.call(reconciliation.reconcile, timedelta(days=4)).differences == []
    assert shop.world.ledger() == Ledger()


def test_a_charge_that_comes_when_its_try_was_taken_for_dead_goes_back(shop: Shop) -> None:
    person = shop.person()
    job = shop.held(person)
    attempt, real = shop.attempt(job), shop.gateway.gateway

    def charged_elsewhere(reference: Any) -> Any:
        """In the gateway's dashboard, while another process of ours gives the try up."""
        vars(real).pop("void")
        real.capture(reference, CENTS)
        shop.call(payment_states.bury, attempt.id, None)
        return real.void(reference)

    real.void = charged_elsewhere  # type: ignore[method-assign]
    shop.jobs.cancel(person, job)
    assert shop.world.ledger().captured == 99
    shop.tend(minutes=1)
    assert shop.unjust() == []
    assert shop.world.ledger() == Ledger(0, 99, 99) == shop.books()
    assert [(each.cause, each.status) for each in shop.refunds(job)] == [(refunds.NOT_MADE, RefundStatus.SUCCEEDED)]


def test_a_month_whose_payment_is_not_known_cannot_be_given_back_and_that_is_told(
    stripe: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    subscribed(stripe)
    with stripe.jobs.app.app_context():
        record = db.session.scalars(select(BillingRecord)).one()
    write(stripe, update(BillingRecord).values(payment_gateway_transaction_id=None))
    wanted = stripe.call(refunds.refund, record.id, refunds.BY_OPERATOR)
    assert (wanted.status, wanted.next_try_at is None) == (RefundStatus.PENDING, False)
    assert "its payment is not known" in caplog.text
    assert stripe.world.ledger() == Ledger(0, 999, 0) == stripe.books()


# -- months that are given back ----------------------------------------------------------------------------------


def test_a_month_whose_refund_comes_back_first_gives_no_pictures_once_it_is_back(stripe: Shop) -> None:
    person = subscribed(stripe)
    with stripe.jobs.app.app_context():
        record = db.session.scalars(select(BillingRecord).where(BillingRecord.user_id == person)).one()
    real = stripe.gateway.gateway.refund
    stripe.gateway.gateway.refund = lambda *_: RefundState("re_1", RefundStatus.FAILED, Money(record.amount, "USD"))  # type: ignore[method-assign]
    assert stripe.call(refunds.refund, record.id, refunds.BY_OPERATOR).status is RefundStatus.FAILED
    assert quota(stripe, person) is not None
    stripe.gateway.gateway.refund = real  # type: ignore[method-assign]
    stripe.tend(minutes=61)
    assert quota(stripe, person) is None
    assert stripe.world.ledger() == Ledger(0, 999, 999) == stripe.books()


def test_what_somebody_spent_is_what_we_kept_in_one_currency(shop: Shop) -> None:
    person = shop.person()
    bought = [shop.held(person) for _ in range(3)]
    for _ in bought:
        shop.jobs.make_next()
    shop.held(person)  # held is not spent
    shop.call(refunds.refund, shop.record(bought[0]).id, refunds.BY_OPERATOR)
    shop.world.refund_elsewhere(str(shop.attempt(bought[1]).payment_id), 40)
    shop.changed(bought[1])
    write(shop, update(BillingRecord).where(BillingRecord.transformation_id == bought[2]).values(currency="EUR"))
    with shop.jobs.app.app_context():
        spent = accounts.profile(person)
        assert spent.total_spent == Decimal("0.59")
        assert db.session.scalar(select(User.id).where(User.id == person)) == person


def test_a_copy_of_an_account_tells_what_was_paid_and_given_back(shop: Shop) -> None:
    person, given_back = charged(shop)
    kept = shop.held(person)
    shop.jobs.make_next()
    shop.call(refunds.refund, shop.record(given_back).id, refunds.BY_OPERATOR)
    storage = shop.jobs.storage
    storage.open = lambda key: StoredObject(len(storage.get(key)), io.BytesIO(storage.get(key)))  # type: ignore[attr-defined]
    with shop.jobs.app.app_context():
        copy = zipfile.ZipFile(io.BytesIO(export_archive.build(shop.toolbox, person)))
    paid = {payment["pictureId"]: payment for payment in json.loads(copy.read("account.json"))["payments"]}
    facts = [
        (paid[str(job)]["status"], paid[str(job)]["captured"], paid[str(job)]["refunded"]) for job in (given_back, kept)
    ]
    assert facts == [("REFUNDED", "0.99", "0.99"), ("COMPLETED", "0.99", "0.00")]
    assert {payment["number"] for payment in paid.values()} == {1, 2}
    for payment in paid.values():
        assert payment["methodLabel"]
        assert payment["authorizedAt"] <= payment["capturedAt"]
    assert [paid[str(job)]["refundedAt"] is None for job in (given_back, kept)] == [False, True]
    assert shop.world.ledger() == Ledger(0, 198, 99) == shop.books()


def test_what_is_chosen_for_one_picture_is_not_what_pays_for_the_next(shop: Shop) -> None:
    person = subscribed(shop)
    write(shop, update(QuotaPeriod).values(used=QuotaPeriod.granted))
    shop.call(lambda _: tiers.choose(person, "premium"))
    shop.job(person, tier="basic")
    with shop.jobs.app.app_context():
        assert accounts.person(person).pricing_tier == "premium"
    with pytest.raises(PaymentRequired):  # nobody is led into single prices by having paid one
        shop.job(person, tier=None)  # type: ignore[arg-type]
