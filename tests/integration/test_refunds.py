"""Giving back: once per cause, never more than was taken, seen when it fails later, and tried again."""

import threading
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from pixshift.domain.lifecycle import BillingStatus, RefundStatus
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound, PaymentFailed
from pixshift.services import refunds
from pixshift.services.audit import Actor
from tests import money
from tests.money import Shop


def charged(shop: Shop) -> tuple[money.UUID, money.UUID]:
    person = shop.person()
    job = shop.held(person)
    shop.jobs.make_next()
    return person, job


def test_an_operators_refund_gives_everything_back_once(both: Shop) -> None:
    _, job = charged(both)
    record = both.record(job)
    results: list[RefundStatus] = []

    def press() -> None:
        results.append(both.call(refunds.refund, record.id, refunds.BY_OPERATOR, actor=Actor("cli")).status)

    threads = [threading.Thread(target=press) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) <= {RefundStatus.SUCCEEDED, RefundStatus.PENDING}
    assert both.record(job).status is BillingStatus.REFUNDED
    assert both.world.ledger() == money.Ledger(0, 99, 99) == both.books()
    with pytest.raises(InvalidInput):  # another cause finds nothing left
        both.call(refunds.refund, record.id, refunds.NOT_GOOD)


def test_not_good_gives_back_so_many_times_a_month(shop: Shop) -> None:
    person = shop.person()
    bought = [shop.held(person) for _ in range(3)]
    for _ in bought:
        shop.jobs.make_next()
    for job in bought[:2]:
        assert shop.call(refunds.not_good, person, job).status is RefundStatus.SUCCEEDED
        shop.call(refunds.not_good, person, job)  # pressed again: the same one
    assert shop.call(refunds.goodwill_left, person) == 0
    with pytest.raises(InvalidInput) as refused:
        shop.call(refunds.not_good, person, bought[2])
    assert refused.value.details["limit"] == 2
    assert shop.world.ledger().refunded == 198


def test_not_good_is_for_pictures_that_were_charged_lately(shop: Shop) -> None:
    person, job = charged(shop)
    unpaid = shop.job(person)
    with pytest.raises(InvalidInput):
        shop.call(refunds.not_good, person, unpaid)
    with pytest.raises(NotFound):
        shop.call(refunds.not_good, person, uuid4())
    shop.jobs.clock.forward(days=8)
    with pytest.raises(InvalidInput):
        shop.call(refunds.not_good, person, job)


def test_where_no_goodwill_is_configured_none_is_offered(shop: Shop) -> None:
    settings = shop.toolbox.settings
    none = settings.model_copy(update={"billing": settings.billing.model_copy(update={"not_good_per_month": 0})})
    shop.jobs.app.extensions["toolbox"] = replace(shop.toolbox, settings=none)
    person, job = charged(shop)
    with pytest.raises(InvalidInput, match="not offered"):
        shop.call(refunds.not_good, person, job)


@pytest.mark.parametrize("fault", ["before", "after", "killed_before", "killed_after"])
def test_a_refund_whose_answer_was_lost_is_sent_again_and_made_once(shop: Shop, fault: str) -> None:
    _, job = charged(shop)
    shop.gateway.plan.append(("refund", fault))
    with pytest.raises((ExternalServiceError, money.Killed)):
        shop.call(refunds.refund, shop.record(job).id, refunds.BY_OPERATOR)
    assert shop.record(job).status is BillingStatus.COMPLETED
    shop.tend(minutes=61)
    assert shop.record(job).status is BillingStatus.REFUNDED
    assert shop.world.ledger() == money.Ledger(0, 99, 99) == shop.books()


def test_a_refund_that_the_gateway_refuses_is_visible_and_tried_again_as_another_one(shop: Shop) -> None:
    _, job = charged(shop)

    def refuse(answer: object) -> object:
        raise PaymentFailed("refused")

    shop.gateway.twist = refuse
    wanted = shop.call(refunds.refund, shop.record(job).id, refunds.BY_OPERATOR)
    assert (wanted.status, wanted.tries) == (RefundStatus.FAILED, 1)
    assert shop.record(job).status is BillingStatus.COMPLETED


def test_a_refund_that_comes_back_later_is_seen_and_made_again(shop: Shop) -> None:
    _, job = charged(shop)
    record = shop.record(job)

    def still_on_its_way(answer: object) -> object:
        if isinstance(answer, tuple | list):
            return answer
        refund = getattr(answer, "refunds", None)
        if refund is None:
            return replace(answer, status=RefundStatus.PENDING)  # type: ignore[type-var]
        return replace(answer, refunds=tuple(replace(item, status=RefundStatus.PENDING) for item in refund))  # type: ignore[type-var]

    shop.gateway.twist = still_on_its_way
    assert shop.call(refunds.refund, record.id, refunds.BY_OPERATOR).status is RefundStatus.PENDING
    assert shop.record(job).refunded == 0
    shop.tend(minutes=61)
    assert shop.refunds(job)[0].status is RefundStatus.PENDING

    def came_back(answer: object) -> object:
        found = tuple(replace(item, status=RefundStatus.FAILED) for item in getattr(answer, "refunds", ()))
        return replace(answer, refunds=found) if found else answer  # type: ignore[type-var]

    shop.gateway.twist = came_back
    shop.changed(job)
    assert shop.refunds(job)[0].status is RefundStatus.FAILED
    assert shop.record(job).status is BillingStatus.COMPLETED


def test_a_refund_made_elsewhere_is_in_our_books_and_less_is_left(shop: Shop) -> None:
    _, job = charged(shop)
    shop.world.refund_elsewhere(str(shop.attempt(job).payment_id), 40)
    for _ in range(3):
        shop.changed(job)
    record = shop.record(job)
    assert (record.status, record.refunded) == (BillingStatus.COMPLETED, Decimal("0.40"))
    shop.call(refunds.refund, record.id, refunds.BY_OPERATOR)
    assert shop.record(job).status is BillingStatus.REFUNDED
    assert shop.world.ledger() == money.Ledger(0, 99, 99) == shop.books()
    causes = sorted(refund.cause.partition(":")[0] for refund in shop.refunds(job))
    assert causes == ["external", "operator"]


def test_a_refund_of_a_gateway_that_is_gone_waits_for_it(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    _, job = charged(shop)
    tools = shop.toolbox
    without = replace(tools, gateways=replace(tools.gateways, payments={}))
    shop.jobs.app.extensions["toolbox"] = without
    assert shop.call(refunds.refund, shop.record(job).id, refunds.BY_OPERATOR).status is RefundStatus.PENDING
    assert "not configured" in caplog.text
    shop.jobs.app.extensions["toolbox"] = tools
    shop.tend(minutes=61)
    assert shop.record(job).status is BillingStatus.REFUNDED


def test_what_was_never_charged_cannot_be_given_back(shop: Shop) -> None:
    job = shop.held(shop.person())
    with pytest.raises(InvalidInput, match="Nothing is left"):
        shop.call(refunds.refund, shop.record(job).id, refunds.BY_OPERATOR, actor=Actor("cli"))
    shop.call(refunds.send_again, uuid4())  # a refund that is gone: nothing happens
    assert shop.world.ledger().refunded == 0
