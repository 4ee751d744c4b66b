"""Premium: pictures are granted once for each month that was paid, for that month, and for no other."""

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from pixshift.domain.lifecycle import BillingStatus, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound, PaymentRequired
from pixshift.extensions import db
from pixshift.models import BillingRecord, QuotaPeriod, Subscription
from pixshift.services import billing, erasure, plans, refunds, subscriptions, transformations
from pixshift.services.audit import Actor
from tests import money
from tests.money import Shop


def row(shop: Shop, person: UUID) -> Subscription:
    mine = select(Subscription).where(Subscription.user_id == person).order_by(Subscription.created_at.desc())
    with shop.jobs.app.app_context():
        return db.session.scalars(mine).first()  # type: ignore[return-value]


def months(shop: Shop, person: UUID) -> list[QuotaPeriod]:
    with shop.jobs.app.app_context():
        mine = select(QuotaPeriod).where(QuotaPeriod.user_id == person)
        return list(db.session.scalars(mine.order_by(QuotaPeriod.starts_at)))


def charges(shop: Shop, person: UUID) -> list[BillingRecord]:
    with shop.jobs.app.app_context():
        return list(db.session.scalars(select(BillingRecord).where(BillingRecord.user_id == person)))


def look(shop: Shop, person: UUID) -> None:
    shop.call(subscriptions.look, row(shop, person).id)


def subscribed(shop: Shop) -> UUID:
    person = shop.person()
    shop.call(subscriptions.start, person)
    shop.world.decide(str(row(shop, person).session_id), "pay")
    look(shop, person)
    shop.jobs.clock.forward(seconds=10)  # a gateway's clock is its own
    return person


def next_month(shop: Shop, person: UUID, *, paid: bool) -> None:
    shop.world.next_month(str(row(shop, person).remote_id), paid=paid)
    look(shop, person)


def current(shop: Shop, person: UUID) -> plans.Plan | None:
    with shop.jobs.app.app_context():
        return plans.current(person, shop.jobs.clock())


def test_a_month_is_granted_once_for_its_invoice_however_often_it_is_heard_of(both: Shop) -> None:
    person = both.person()
    both.call(subscriptions.start, person)
    both.world.decide(str(row(both, person).session_id), "pay")
    threads = [threading.Thread(target=look, args=(both, person)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    both.jobs.clock.forward(seconds=10)
    assert [(month.granted, month.used) for month in months(both, person)] == [(100, 0)]
    (charge,) = charges(both, person)
    assert (charge.status, charge.captured, charge.receipt_number) == (BillingStatus.COMPLETED, Decimal("9.99"), 1)
    plan = current(both, person)
    assert plan is not None
    assert (plan.status, plan.remaining, plan.is_usable) == (SubscriptionStatus.ACTIVE, 100, True)


def test_ten_presses_at_once_begin_one_plan(both: Shop) -> None:
    person = both.person()
    urls: list[str] = []
    threads = [threading.Thread(target=lambda: urls.append(both.call(subscriptions.start, person))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 10
    assert len(set(urls)) == 1


def test_of_thirty_who_want_the_last_pictures_of_a_month_as_many_win(both: Shop) -> None:
    person = subscribed(both)
    with both.jobs.app.app_context():
        db.session.execute(db.update(QuotaPeriod).values(used=93))
        db.session.commit()
    photo = both.jobs.photo(person)
    asked = {"type_id": both.jobs.type_id, "image_id": photo.id}
    made: list[UUID] = []

    def take() -> None:
        with suppress(PaymentRequired):
            made.append(both.call(transformations.create, person, tier="premium", **asked).id)

    threads = [threading.Thread(target=take) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 7
    assert months(both, person)[0].used == 100
    assert both.jobs.cancel(person, made[0])
    assert months(both, person)[0].used == 99


def test_a_new_month_brings_its_own_pictures_and_none_are_carried_over(sqlite_url: str, tmp_path: Path) -> None:
    with money.shop(sqlite_url, tmp_path, "stripe") as shop:
        person = subscribed(shop)
        first = months(shop, person)[0]
        next_month(shop, person, paid=True)
        assert len(months(shop, person)) == len(charges(shop, person)) == 2
        shop.jobs.clock.now = first.ends_at + timedelta(seconds=1)
        with shop.jobs.app.app_context():
            quota = billing.quota(person, shop.jobs.clock())
            assert quota is not None
            assert quota.period_id == months(shop, person)[1].id
            assert billing.quota(person, months(shop, person)[1].ends_at) is None  # the boundary second is outside
            assert billing.quota(person, months(shop, person)[1].ends_at - timedelta(seconds=1)) is not None


def test_a_month_that_is_not_paid_grants_nothing_until_it_is(shop: Shop) -> None:
    person = subscribed(shop)
    next_month(shop, person, paid=False)
    assert row(shop, person).status is SubscriptionStatus.PAST_DUE
    assert len(months(shop, person)) == 1
    next_month(shop, person, paid=True)
    assert row(shop, person).status is SubscriptionStatus.ACTIVE
    assert len(months(shop, person)) == 2


def test_after_the_days_of_grace_a_plan_ends(shop: Shop) -> None:
    person = subscribed(shop)
    next_month(shop, person, paid=False)
    shop.jobs.clock.forward(days=40)
    shop.call(subscriptions.look_due, everything=True)
    shop.call(subscriptions.look_due, everything=True)
    assert row(shop, person).status is SubscriptionStatus.ENDED


def test_a_cancelled_plan_keeps_its_pictures_to_the_end_and_may_be_kept(shop: Shop) -> None:
    person = subscribed(shop)
    shop.call(subscriptions.cancel, person)
    plan = current(shop, person)
    assert plan is not None
    assert (plan.cancels_at_period_end, plan.remaining) == (True, 100)
    shop.call(subscriptions.resume, person)
    assert not row(shop, person).cancels_at_period_end
    shop.call(subscriptions.cancel, person)
    next_month(shop, person, paid=True)
    assert row(shop, person).status is SubscriptionStatus.ENDED
    assert len(months(shop, person)) == 1


def test_a_plan_that_nobody_pays_for_ends_with_its_page(shop: Shop) -> None:
    person = shop.person()
    first = shop.call(subscriptions.start, person)
    assert shop.call(subscriptions.start, person) == first
    shop.world.decide(str(row(shop, person).session_id), "expire")
    look(shop, person)
    assert row(shop, person).status is SubscriptionStatus.ENDED
    assert shop.call(subscriptions.start, person) != first
    assert months(shop, person) == []


def test_one_plan_is_enough(shop: Shop) -> None:
    person = subscribed(shop)
    with pytest.raises(InvalidInput):
        shop.call(subscriptions.start, person)


def test_what_is_somebody_elses_is_not_found(shop: Shop) -> None:
    person, other = subscribed(shop), shop.person()
    session = str(row(shop, person).session_id)
    with shop.jobs.app.app_context():
        assert plans.session_owner(person, "practice", session) == row(shop, person).id
        with pytest.raises(NotFound):
            plans.session_owner(other, "practice", session)
    with pytest.raises(NotFound):
        shop.call(subscriptions.look, uuid4())


@pytest.mark.parametrize("fault", ["before", "after", "killed_before", "killed_after"])
@pytest.mark.parametrize("call", ["open_subscription", "look_subscription"])
def test_a_lost_answer_is_made_good(shop: Shop, call: str, fault: str) -> None:
    person = shop.person()
    shop.gateway.plan.append((call, fault))
    for _ in range(2):
        try:
            shop.call(subscriptions.start, person)
            session = row(shop, person).session_id
            if session:
                shop.world.decide(session, "pay")
                look(shop, person)
        except (ExternalServiceError, InvalidInput, money.Killed):
            continue
    shop.call(subscriptions.look_due, everything=True)
    assert [month.granted for month in months(shop, person)] == [100]
    assert len(charges(shop, person)) == 1


@pytest.mark.parametrize("other", [{"money": Money(Decimal("0.99"), "USD")}, {"user_id": uuid4()}, {"is_live": True}])
def test_a_plan_that_is_not_what_was_asked_for_grants_nothing(
    shop: Shop, other: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    person = shop.person()
    shop.call(subscriptions.start, person)
    shop.world.decide(str(row(shop, person).session_id), "pay")
    real = shop.gateway.gateway.look_subscription

    class Odd:
        def __getattr__(self, name: str) -> Any:
            return getattr(shop.world.gateway, name)

        def look_subscription(self, ref: Any) -> Any:
            return replace(real(ref), **other)

    shop.gateway.gateway = Odd()  # type: ignore[assignment]
    look(shop, person)
    assert months(shop, person) == []
    is_theirs = "user_id" not in other
    assert [charge.captured for charge in charges(shop, person)] == [Decimal("9.99")] * is_theirs  # to be given back
    assert [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_month_that_is_given_back_gives_no_more_pictures(sqlite_url: str, tmp_path: Path) -> None:
    with money.shop(sqlite_url, tmp_path, "stripe") as shop:
        person = subscribed(shop)
        (charge,) = charges(shop, person)
        shop.call(refunds.refund, charge.id, refunds.BY_OPERATOR, actor=Actor("cli"))
        assert charges(shop, person)[0].status is BillingStatus.REFUNDED
        with shop.jobs.app.app_context():
            assert billing.quota(person, shop.jobs.clock() + timedelta(seconds=1)) is None
        assert shop.world.ledger() == money.Ledger(0, 999, 999)


def test_who_is_erased_pays_for_no_other_month(shop: Shop) -> None:
    person = subscribed(shop)
    shop.call(erasure.erase, person, Actor("cli"))
    shop.call(subscriptions.look_due, everything=True)
    assert row(shop, person).status is SubscriptionStatus.ENDED


def test_the_portal_is_the_gateways(shop: Shop) -> None:
    person = subscribed(shop)
    assert "practice" in str(shop.call(subscriptions.portal_url, person, "http://localhost/billing"))
