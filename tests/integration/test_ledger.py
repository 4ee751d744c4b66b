"""Every movement, and receipts."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from flask import Flask

from pixshift.errors import NotFound
from pixshift.extensions import db
from pixshift.models import BillingRecord, Subscription
from pixshift.services import ledger, receipts, refunds, subscriptions
from tests import factories
from tests.factories import Person
from tests.money import Shop


def told(shop: Shop, person: UUID, page: int = 1, limit: int = 20) -> list[list[str]]:
    with shop.jobs.app.app_context():
        found = ledger.entries(person, page=page, limit=limit).entries
        return [[movement.what for movement in entry.movements] for entry in found]


def test_every_movement_is_told_newest_first(shop: Shop) -> None:
    person = shop.person()
    for what in ("pay", "decline"):
        shop.pay(person, shop.job(person), what)
        shop.jobs.clock.forward(minutes=1)
    shop.jobs.make_next()
    assert told(shop, person) == [["Waiting for payment"], ["Charged", "Held"]]
    assert told(shop, person, page=2, limit=1) == [["Charged", "Held"]]
    assert told(shop, person, page=3, limit=1) == []
    assert told(shop, shop.person()) == []


def test_a_month_and_its_pictures_are_told(shop: Shop) -> None:
    person = shop.person()
    shop.call(subscriptions.start, person)
    with shop.jobs.app.app_context():
        plan = db.session.scalars(db.select(Subscription)).one()
    shop.world.decide(str(plan.session_id), "pay")
    shop.call(subscriptions.look, plan.id)
    shop.jobs.clock.forward(seconds=10)
    job = shop.job(person, "premium")
    shop.jobs.cancel(person, job)
    assert told(shop, person) == [["Given back", "Held"], ["Charged"]]


def test_a_receipt_has_a_number_a_total_and_the_tax_in_it(shop: Shop) -> None:
    person = shop.person()
    job = shop.held(person)
    shop.jobs.make_next()
    record = shop.record(job).id
    plain = shop.call(receipts.find, person, record)
    assert plain.number.endswith("-000001")
    assert (plain.total.text, plain.tax, plain.refunded) == ("$0.99", None, None)
    settings = shop.toolbox.settings
    tax = settings.billing.tax.model_copy(update={"rate": Decimal(20)})
    taxed = settings.model_copy(update={"billing": settings.billing.model_copy(update={"tax": tax})})
    shop.jobs.app.extensions["toolbox"] = replace(shop.toolbox, settings=taxed)
    shop.call(refunds.refund, record, refunds.BY_OPERATOR)
    found = shop.call(receipts.find, person, record)
    assert (found.tax.amount, found.net.amount, found.refunded.amount) == (
        Decimal("0.17"), Decimal("0.82"), Decimal("0.99"),
    )  # fmt: skip


def test_there_is_no_receipt_for_others_or_for_nothing(shop: Shop) -> None:
    person = shop.person()
    held = shop.record(shop.held(person)).id
    for who, record in ((person, held), (shop.person(), held), (person, uuid4())):
        with pytest.raises(NotFound):
            shop.call(receipts.find, who, record)


def test_ten_thousand_records_are_read_a_page_at_a_time(shop: Shop) -> None:
    person, now = shop.person(), shop.jobs.clock()
    with shop.jobs.app.app_context():
        db.session.execute(
            db.insert(BillingRecord),
            [
                {
                    "id": uuid4(),
                    "user_id": person,
                    "amount": Decimal("0.99"),
                    "created_at": now - timedelta(minutes=number),
                }
                for number in range(10_000)
            ],
        )
        db.session.commit()
        assert ledger.entries(person, page=500, limit=20).total == 10_000
        assert len(ledger.index(person, page=500, limit=20).records) == 20


def test_the_billing_page_and_a_receipt_are_ones_own(quick: Flask, who: Person) -> None:
    assert "Every movement" in who.client.get("/billing").text
    assert who.client.get(f"/billing/receipts/{uuid4()}").status_code == 404
    assert "Get Premium · $9.99" in who.client.get("/billing").text
    started = who.client.post("/billing/plan", data={"gateway": "practice"}, headers=who.headers)
    assert started.status_code == 303
    page = started.headers["Location"].partition("://")[2].partition("/")[2]
    assert "Nobody is charged." in who.client.get(f"/{page}").text
    stranger = factories.person(quick)
    assert stranger.client.get(f"/{page}").status_code == 404
    assert who.client.post(f"/{page}", data={"what": "nonsense"}, headers=who.headers).status_code == 400
    paid = who.client.post(f"/{page}", data={"what": "pay"}, headers=who.headers)
    back = paid.headers["Location"].partition("://")[2].partition("/")[2]
    assert stranger.client.get(f"/{back}").status_code == 404
    assert who.client.get(f"/{back}").status_code == 303
    assert "Cancel plan" in who.client.get("/billing").text
    assert "Keep it" in who.client.get("/billing/plan/cancel").text
