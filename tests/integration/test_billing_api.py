"""Billing for programs: tiers, payments with a method, the history and the plan."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from pixshift.errors import ExternalServiceError
from tests import factories
from tests.factories import Person

GOOD = "pm_practice_good"


@pytest.fixture
def unpaid(quick: Flask, who: Person) -> UUID:
    """A picture that waits for its price."""
    factories.set_free_used(quick, who.id, 5)
    assert send(who, "pricing-tier", pricingTier="basic").json == {"success": True, "pricingTier": "basic"}
    answer = factories.ask(who, factories.style(quick), imageId=factories.upload(who)["imageId"])
    assert answer.status_code == 201, answer.text
    job_id = answer.json["transformation"]["id"]
    assert answer.json["payment"] == {"required": True, "amount": 0.99, "currency": "USD", "transformationId": job_id}
    return UUID(job_id)


def send(who: Person, path: str, **body: Any) -> TestResponse:
    return who.client.post(f"/api/v1/billing/{path}", json=body, headers=who.headers)


def pay(who: Person, job: UUID, method: str = GOOD, **changes: Any) -> TestResponse:
    body = {"transformationId": str(job), "paymentMethodId": method, "amount": 0.99, "currency": "USD"}
    return send(who, "payment", **(body | changes))


def test_the_tiers_have_all_keys_and_amounts_are_numbers(who: Person) -> None:
    basic, premium = who.client.get("/api/billing/pricing-tiers").json["tiers"]
    assert (basic["id"], basic["costPerImage"], basic["monthlyLimit"], basic["costPerMonth"]) == (
        "basic", 0.99, None, None
    )  # fmt: skip
    assert (premium["costPerImage"], premium["monthlyLimit"], premium["costPerMonth"]) == (None, 100, 9.99)
    assert basic.keys() == premium.keys()


def test_an_unknown_tier_is_refused_with_the_choices(who: Person) -> None:
    for tier in ("free", "gold"):
        answer = send(who, "pricing-tier", pricingTier=tier)
        assert answer.status_code == 400
        assert factories.error_of(answer)["details"] == {"field": "pricingTier", "choices": ["basic", "premium"]}


def test_a_free_picture_is_not_to_be_paid(quick: Flask, who: Person) -> None:
    answer = factories.ask(who, factories.style(quick), imageId=factories.upload(who)["imageId"])
    assert answer.json["payment"] is None


def test_the_price_is_held_and_then_charged(quick: Flask, who: Person, unpaid: UUID) -> None:
    paid = pay(who, unpaid)
    assert paid.status_code == 200, paid.text
    record = paid.json["billingRecord"]
    assert (record["amount"], record["currency"], record["status"]) == (0.99, "USD", "PENDING")
    assert (paid.json["success"], paid.json["notice"], paid.json["requiresAction"]) == (
        True,
        "held, not charged",
        False,
    )
    assert pay(who, unpaid).status_code == 400
    factories.work(quick)
    history = who.client.get("/api/v1/billing/history?limit=1").json
    assert history["pagination"] == {"page": 1, "limit": 1, "total": 1}
    assert (history["records"][0]["status"], history["records"][0]["id"]) == ("COMPLETED", record["id"])


def test_a_tampered_price_names_the_field_and_the_right_one(who: Person, unpaid: UUID) -> None:
    for field, value in (("amount", 0.01), ("currency", "EUR")):
        answer = pay(who, unpaid, **{field: value})
        assert answer.status_code == 400
        assert factories.error_of(answer)["details"] == {"field": field, "amount": 0.99, "currency": "USD"}
    assert pay(who, unpaid).status_code == 200


def test_a_declined_card_says_why_and_another_one_pays(who: Person, unpaid: UUID) -> None:
    declined = pay(who, unpaid, "pm_practice_no_funds")
    error = factories.error_of(declined)
    assert (declined.status_code, error["code"]) == (402, "PAYMENT_FAILED")
    assert error["details"]["reason"] == "insufficient_funds"
    assert pay(who, unpaid).status_code == 200


def test_a_bank_that_wants_a_confirmation_is_said_so(who: Person, unpaid: UUID) -> None:
    answer = pay(who, unpaid, "pm_practice_needs_bank").json
    assert (answer["requiresAction"], answer["notice"]) == (True, None)


def test_a_gateway_that_is_away_is_said_so_and_nothing_is_lost(
    quick: Flask, who: Person, unpaid: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(order: object) -> None:
        raise ExternalServiceError("The gateway did not answer.", retryable=True, category="NETWORK")

    with monkeypatch.context() as fault:
        fault.setattr(quick.extensions["toolbox"].gateways.payments["practice"], "pay", away)
        answer = pay(who, unpaid)
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"], error["category"]) == (502, "API_ERROR", "NETWORK")
    assert pay(who, unpaid).json["notice"] == "held, not charged"


def test_the_picture_of_somebody_else_is_unknown(quick: Flask, unpaid: UUID) -> None:
    other = factories.person(quick)
    assert (pay(other, unpaid).status_code, pay(other, uuid4()).status_code) == (404, 404)
    assert other.client.get("/api/v1/billing/history").json["records"] == []


def test_a_plan_is_started_on_the_gateways_page_and_cancelled(quick: Flask, who: Person) -> None:
    assert who.client.get("/api/v1/billing/subscription").json == {"subscription": None}
    url = send(who, "subscription").json["url"]
    session = url.rpartition("/")[2]
    quick.extensions["toolbox"].gateways.payments["practice"].decide(session, "pay")
    assert who.client.get(f"/billing/return/practice?session_id={session}").status_code == 303
    plan = who.client.get("/api/v1/billing/subscription").json["subscription"]
    assert (plan["status"], plan["remaining"], plan["price"]) == ("ACTIVE", 100, {"amount": 9.99, "currency": "USD"})
    assert send(who, "subscription/cancel").json == {"success": True}
    assert who.client.get("/api/v1/billing/subscription").json["subscription"]["cancelsAtPeriodEnd"] is True
