"""The books made equal whatever was lost, and told apart from theirs where they cannot be."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from pixshift.domain.lifecycle import BillingStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, FreeTierExhausted, InvalidInput, PaymentRequired
from pixshift.extensions import db
from pixshift.models import BillingRecord, Transformation
from pixshift.services import payment_rows, payments, purses, reconciliation, settlements
from tests import money
from tests.money import Shop

DAYS = timedelta(days=4)


def test_with_every_webhook_lost_a_payment_is_found_within_15_minutes(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.world.decide(str(shop.attempt(job).session_id), "pay")
    for _ in range(15):
        shop.tend(minutes=1)
    assert shop.is_due(job)
    assert shop.record(job).authorized_at is not None


def test_a_look_at_everything_changes_what_is_new_and_then_nothing_more(shop: Shop) -> None:
    person = shop.person()
    jobs = [shop.job(person) for _ in range(3)]
    for job in jobs:
        shop.open_page(person, job)
        shop.world.decide(str(shop.attempt(job).session_id), "pay")
    first = shop.call(reconciliation.reconcile, DAYS)
    assert (first.looked, first.changed, first.differences) == (3, 3, [])
    second = shop.call(reconciliation.reconcile, DAYS)
    assert (second.looked, second.changed, second.differences) == (3, 0, [])
    assert shop.call(reconciliation.reconcile).looked == 3


def test_money_that_we_do_not_know_of_is_reported(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    job = shop.held(shop.person())
    shop.gateway.twist = lambda answer: (
        [replace(state, attempt_id=uuid4()) for state in answer] if isinstance(answer, list) else answer
    )
    report = shop.call(reconciliation.reconcile, DAYS)
    assert len(report.differences) == 1
    assert "we do not" in report.differences[0]
    assert "books do not agree" in caplog.text
    assert shop.record(job).status is BillingStatus.PENDING


def test_other_sums_than_ours_are_reported(shop: Shop) -> None:
    job = shop.held(shop.person())
    shop.jobs.make_next()
    with shop.jobs.app.app_context():
        db.session.execute(update(BillingRecord).values(captured=Decimal("0.50")))
        db.session.commit()
    shop.gateway.twist = lambda answer: answer if isinstance(answer, list) else None
    report = shop.call(reconciliation.reconcile, DAYS)
    assert len(report.differences) == 1
    assert str(shop.record(job).id) in report.differences[0]


def test_a_gateway_that_is_away_is_a_difference_and_nothing_is_lost(shop: Shop) -> None:
    job = shop.held(shop.person())
    shop.gateway.plan.extend([("look", "before"), ("payments_since", "before")])
    report = shop.call(reconciliation.reconcile, DAYS)
    assert len(report.differences) == 2
    assert shop.record(job).authorized_at is not None
    assert shop.call(reconciliation.reconcile, DAYS).differences == []


@pytest.mark.parametrize(
    "other",
    [
        {"money": Money(Decimal("0.01"), "USD")},
        {"money": Money(Decimal("0.99"), "EUR")},
        {"user_id": uuid4()},
        {"record_id": uuid4()},
        {"is_live": True},
    ],
)
def test_a_payment_that_is_not_what_was_asked_for_fulfils_nothing_and_is_let_go(
    shop: Shop, other: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.world.decide(str(shop.attempt(job).session_id), "pay")
    shop.gateway.twist = lambda state: replace(state, **other) if state is not None else None
    shop.changed(job)
    shop.changed(job)
    assert not shop.is_due(job)
    assert shop.record(job).authorized_at is None
    assert caplog.text.count("not what was asked for") == 1
    shop.gateway.twist = None
    shop.tend(minutes=1)
    assert shop.world.ledger() == money.Ledger()


def test_a_wrong_payment_that_was_charged_already_goes_back(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.world.decide(str(shop.attempt(job).session_id), "pay")
    reference = payment_rows.reference(shop.attempt(job))
    shop.world.gateway.capture(reference, Money(Decimal("0.99"), "USD"))
    shop.gateway.twist = lambda answer: replace(answer, is_live=True) if hasattr(answer, "is_live") else answer
    shop.changed(job)
    shop.jobs.cancel(person, job)
    assert shop.world.ledger() == money.Ledger(0, 99, 99)
    assert shop.record(job).status is BillingStatus.FAILED


def test_a_record_whose_job_is_gone_is_let_go(shop: Shop) -> None:
    job = shop.held(shop.person())
    record = shop.record(job)
    with shop.jobs.app.app_context():
        db.session.execute(update(BillingRecord).values(transformation_id=None))
        db.session.commit()
    shop.tend(minutes=1)
    with shop.jobs.app.app_context():
        assert payment_rows.find(record.id).status is BillingStatus.FAILED
    assert shop.world.ledger() == money.Ledger()
    assert shop.jobs.read(job).status == "PENDING"


def test_payments_of_a_gateway_without_keys_wait_for_them(shop: Shop) -> None:
    person = shop.person()
    job = shop.held(person)
    tools = shop.toolbox
    shop.jobs.app.extensions["toolbox"] = replace(tools, gateways=replace(tools.gateways, payments={}))
    with pytest.raises(ExternalServiceError, match="need its keys"):
        shop.call(settlements.look, shop.record(job).id)
    shop.jobs.make_next()  # the picture is made all the same
    assert shop.record(job).status is BillingStatus.PENDING
    shop.jobs.app.extensions["toolbox"] = tools
    shop.tend(minutes=1)
    assert shop.record(job).status is BillingStatus.COMPLETED


def test_a_first_try_elsewhere_that_cannot_be_closed_stops_a_second(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    tools = shop.toolbox
    renamed = money.Faulty(shop.world.gateway)
    renamed.name = "other"  # type: ignore[attr-defined]
    shop.jobs.app.extensions["toolbox"] = replace(tools, gateways=replace(tools.gateways, payments={"other": renamed}))
    with pytest.raises(InvalidInput, match="elsewhere"):
        shop.open_page(person, job)


def test_only_ways_to_pay_that_are_offered_can_be_chosen(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    with pytest.raises(InvalidInput) as refused:
        shop.call(payments.open_page, person, job, "paypal")
    assert refused.value.details["field"] == "gateway"
    shop.gateway.takes_methods = False  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput) as refused:
        shop.call(payments.pay_with, person, job, "pm_practice_good")
    assert refused.value.details["field"] == "paymentMethodId"


def test_a_job_that_ended_cannot_be_paid_for(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    with shop.jobs.app.app_context():  # between its end and that of its record
        db.session.execute(update(Transformation).where(Transformation.id == job).values(status="FAILED"))
        db.session.commit()
    with pytest.raises(InvalidInput, match="has ended"):
        shop.open_page(person, job)


def test_what_is_chosen_decides_what_is_asked_of_a_person(shop: Shop) -> None:
    person = shop.person()
    photo = shop.jobs.photo(person)
    create = {"type_id": shop.jobs.type_id, "image_id": photo.id}
    with pytest.raises(FreeTierExhausted) as nothing_chosen:
        shop.call(money.transformations.create, person, **create)
    assert "Basic" in str(nothing_chosen.value.way_out)
    with pytest.raises(PaymentRequired):
        shop.call(money.transformations.create, person, tier="premium", **create)
    for _ in range(shop.toolbox.settings.billing.unpaid_jobs):
        shop.job(person)
    with pytest.raises(InvalidInput, match="wait to be paid"):
        shop.job(person)
    with shop.jobs.app.app_context():
        assert purses.image_price(shop.toolbox) == Money(Decimal("0.99"), "USD")
    assert shop.attempts(shop.job(shop.person())) == []
