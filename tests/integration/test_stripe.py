"""What is Stripe's own: keys that stay, answers that are lost, signed events, words that must not be logged."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import stripe
from flask import Flask

from pixshift.domain.lifecycle import PaymentStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, InvalidInput
from pixshift.gateways.ports import EventKind, Order, PaymentRef
from pixshift.gateways.stripe import StripeGateway
from pixshift.settings_sections import Stripe
from tests.integration.conftest import MakeApp
from tests.stand_ins.stripe import KEY, SECRET, StripeStandIn

PRICE = Money(Decimal("0.99"), "USD")


@pytest.fixture
def stand_in() -> Iterator[StripeStandIn]:
    with StripeStandIn() as running:
        yield running


def gateway(stand_in: StripeStandIn, **changes: str) -> StripeGateway:
    values = {"api_key": KEY, "webhook_secret": SECRET, "publishable_key": "", "api_base": stand_in.url}
    return StripeGateway(Stripe.model_validate(values | changes))


def order() -> Order:
    return Order(
        attempt_id=uuid4(), record_id=uuid4(), user_id=uuid4(), money=PRICE, description="Engraving",
        return_url="http://localhost/billing/return/stripe", cancel_url="http://localhost/billing",
        expires_at=datetime.now(UTC) + timedelta(minutes=40),
    )  # fmt: skip


@pytest.mark.parametrize("mood", ["500", "cut", "500_after"])
def test_a_call_that_fails_is_made_again_under_the_same_key_and_works_once(stand_in: StripeStandIn, mood: str) -> None:
    stand_in.push(mood)
    asked = order()
    page = gateway(stand_in).open_checkout(asked)
    posts = [item for item in stand_in.requests if item.path == "/v1/checkout/sessions"]
    assert [item.mood for item in posts] == [mood, "ok"]
    assert len({item.headers["idempotency-key"] for item in posts}) == 1
    assert str(asked.attempt_id) in posts[0].headers["idempotency-key"]
    assert list(stand_in.books.sessions) == [page.session_id]


def test_when_no_answer_comes_the_outcome_is_unknown_and_found_by_our_id(stand_in: StripeStandIn) -> None:
    mine, asked = gateway(stand_in), replace(order(), method_id="pm_card_visa")
    stand_in.push("500_after", "500_after", "500_after")
    with pytest.raises(ExternalServiceError) as unknown:
        mine.pay(asked)
    assert unknown.value.retryable
    state = mine.look(PaymentRef(asked.attempt_id))
    assert state is not None
    assert state.status is PaymentStatus.HELD
    assert mine.pay(asked).payment_id == state.payment_id
    assert stand_in.books.ledger() == (99, 0, 0)


def test_a_limit_is_told_as_trouble_that_passes(stand_in: StripeStandIn) -> None:
    stand_in.push("429", "429", "429")
    with pytest.raises(ExternalServiceError) as busy:
        gateway(stand_in).open_checkout(order())
    assert busy.value.retryable
    assert stand_in.books.sessions == {}


def test_a_wrong_key_is_our_fault_and_says_so_without_the_key(
    stand_in: StripeStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ExternalServiceError) as refused:
        gateway(stand_in, api_key="sk_test_wrong_and_secret").open_checkout(order())
    assert not refused.value.retryable
    assert "wrong_and_secret" not in caplog.text + refused.value.message


def test_nothing_of_a_payment_is_logged(stand_in: StripeStandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    page = gateway(stand_in).open_checkout(order())
    stand_in.decide(page.session_id, "pay")
    gateway(stand_in).look(PaymentRef(uuid4(), session_id=page.session_id))
    said = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("urllib3"))
    assert KEY not in caplog.text
    assert "4242" not in said
    assert page.url not in said


@pytest.mark.parametrize("secrets", [f"{SECRET},whsec_new", f"whsec_new, {SECRET}", SECRET])
def test_while_a_secret_is_replaced_both_are_good(stand_in: StripeStandIn, secrets: str) -> None:
    body, headers = stand_in.event("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_1"})
    event = gateway(stand_in, webhook_secret=secrets).read_event(body, headers)
    assert (event.kind, event.payment_id, event.is_live) == (EventKind.PAYMENT, "pi_1", False)


def test_what_is_signed_and_yet_no_event_is_refused(stand_in: StripeStandIn) -> None:
    with pytest.raises(InvalidInput):
        gateway(stand_in).read_event(b'{"id":"evt"}', signed(b'{"id":"evt"}'))


def signed(body: bytes, at: float = 0, secret: str = SECRET) -> dict[str, str]:
    moment = int(time.time() + at)
    text = body.decode("utf-8", "replace")
    return {"Stripe-Signature": stripe.WebhookSignature.generate_signature_header(text, secret, timestamp=moment)}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", {}),
        (b"{}", {"Stripe-Signature": ""}),
        (b"{}", {"Stripe-Signature": "t=1,v1=\xe9"}),
        (b'{"id":"evt"}', signed(b'{"id":"evt"}', secret="whsec_of_another")),
        (b'{"id":"evt"}', signed(b'{"id":"other"}')),
        (b'{"id":"evt"}', signed(b'{"id":"evt"}', at=-4000)),
        (b'{"id":"evt"}', signed(b'{"id":"evt"}', at=4000)),  # longer than a whole run of the tests takes
        (b"\xff\xfe", signed(b"\xff\xfe")),
        (b"no json", signed(b"no json")),
    ],
)
def test_what_stripe_did_not_sign_just_now_is_refused(
    stand_in: StripeStandIn, body: bytes, headers: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput):
        gateway(stand_in).read_event(body, headers)


@pytest.fixture
def shop(stand_in: StripeStandIn, make_app: MakeApp, sqlite_url: str) -> Flask:
    return make_app(DATABASE_URL=sqlite_url, **stand_in.environ())


def test_events_come_in_by_their_door(stand_in: StripeStandIn, shop: Flask) -> None:
    client = shop.test_client()
    body, headers = stand_in.event("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_1"})
    assert [client.post("/webhooks/stripe", data=body, headers=headers).status_code for _ in range(2)] == [200, 200]
    forged = client.post("/webhooks/stripe", data=body + b" ", headers=headers)
    assert (forged.status_code, forged.json["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert client.post("/webhooks/paypal", data=body, headers=headers).status_code == 404


def test_forms_may_lead_to_the_pages_of_those_who_take_money(
    stand_in: StripeStandIn, shop: Flask, quick: Flask
) -> None:
    policy = shop.test_client().get("/").headers["Content-Security-Policy"]
    allowed = policy.partition("form-action ")[2].partition(";")[0].split()
    assert allowed == ["'self'", "https://checkout.stripe.com", "https://billing.stripe.com", stand_in.url]
    assert "form-action 'self';" in quick.test_client().get("/").headers["Content-Security-Policy"]


def test_the_doctors_question_is_answered(stand_in: StripeStandIn) -> None:
    assert "the key works, in test mode" in gateway(stand_in).check()
