"""What is PayPal's own: webhooks that it verifies itself, its words for a decline, searches, and what is not logged."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from pydantic import SecretStr

from pixshift.domain.lifecycle import PaymentStatus, RefundStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ConfigurationError, ExternalServiceError, InvalidInput, NotFound, PaymentFailed
from pixshift.gateways import paypal_client
from pixshift.gateways.paypal import PayPalGateway
from pixshift.gateways.paypal_answers import DECLINES
from pixshift.gateways.ports import Decline, EventKind, PaymentRef
from tests.integration.conftest import MakeApp
from tests.paypal_steps import CAUSE, PRICE, Desk, order
from tests.stand_ins.paypal import CLIENT_SECRET, WEBHOOK_ID, PayPalStandIn
from tests.stand_ins.paypal_books import PAYER

YEN = Money(Decimal(150), "JPY")


@pytest.fixture
def stand_in() -> Iterator[PayPalStandIn]:
    with PayPalStandIn(contracts=False) as running:
        yield running


@pytest.fixture
def desk(stand_in: PayPalStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(paypal_client, "_PAUSE_SECONDS", 0.01)
    gateway = PayPalGateway(stand_in.settings())
    yield Desk(gateway, stand_in)
    gateway.close()


def other(desk: Desk, **settings: Any) -> PayPalGateway:
    return PayPalGateway(desk.stand_in.settings(**settings))


# --- money ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("money", "written"), [(PRICE, "0.99"), (Money(Decimal(12), "EUR"), "12.00"), (YEN, "150")])
def test_an_amount_is_written_with_the_places_of_its_currency(desk: Desk, money: Money, written: str) -> None:
    _, ref, capture_id = desk.captured(money=money)
    refund = desk.gateway.refund(ref, capture_id, money, CAUSE)
    sent = [json.dumps(each.json) for each in desk.stand_in.requests if each.method == "POST" and each.body]
    amount = json.dumps({"currency_code": money.currency, "value": written})
    assert [amount in each for each in sent] == [True, False, True, True]  # of all but the authorization
    state = desk.look(ref)
    assert (state.money, state.captured, refund.amount) == (money, money.amount, money)
    assert [each.amount.minor for each in state.refunds] == [money.minor]
    assert desk.stand_in.books.totals() == (0, money.minor, money.minor)
    assert desk.stand_in.faults == []


def test_another_currency_is_not_taken_of_what_is_held(desk: Desk) -> None:
    _, ref = desk.held()
    with pytest.raises(PaymentFailed):
        desk.gateway.capture(ref, YEN)
    assert desk.stand_in.books.totals() == (99, 0, 0)


# --- no ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("issue", "reason"), DECLINES.items())
def test_a_decline_is_told_in_our_words_when_money_is_to_be_held(desk: Desk, issue: str, reason: Decline) -> None:
    _, ref = desk.approved()
    desk.spoil("authorize", f"422:{issue}")
    with pytest.raises(PaymentFailed) as declined:
        desk.gateway.authorize(ref)
    assert declined.value.details == {"reason": reason.value}
    assert desk.stand_in.books.totals() == (0, 0, 0)
    assert desk.gateway.authorize(ref).status is PaymentStatus.HELD  # another wallet, the same try


@pytest.mark.parametrize(("issue", "reason"), DECLINES.items())
def test_a_decline_is_told_in_our_words_when_money_is_to_be_taken(desk: Desk, issue: str, reason: Decline) -> None:
    asked, ref = desk.held()
    desk.spoil("capture", f"422:{issue}")
    with pytest.raises(PaymentFailed) as declined:
        desk.gateway.capture(ref, asked.money)
    assert declined.value.details == {"reason": reason.value}
    assert desk.stand_in.books.totals() == (99, 0, 0)


@pytest.mark.parametrize("issue", ["COMPLIANCE_VIOLATION", "A_WORD_OF_TOMORROW"])
def test_a_word_that_is_not_on_the_list_is_a_no_without_a_reason(desk: Desk, issue: str) -> None:
    _, ref = desk.approved()
    desk.spoil("authorize", f"422:{issue}")
    with pytest.raises(PaymentFailed) as declined:
        desk.gateway.authorize(ref)
    assert declined.value.details == {}
    assert issue not in declined.value.message


def test_a_request_of_ours_that_is_wrong_is_no_decline(desk: Desk) -> None:
    _, ref = desk.approved()
    for mood in ("400:INVALID_PARAMETER", "403:PERMISSION_DENIED"):
        desk.spoil("authorize", mood)
        with pytest.raises(ExternalServiceError) as refused:
            desk.gateway.authorize(ref)
        assert not refused.value.retryable


def test_nothing_is_held_of_what_nobody_agreed_to(desk: Desk) -> None:
    _, ref = desk.opened()
    with pytest.raises(PaymentFailed, match="has not agreed"):
        desk.gateway.authorize(ref)


def test_a_hold_that_cannot_be_let_go_is_no_secret(desk: Desk) -> None:
    _, ref = desk.held()
    desk.spoil("void", "422:AUTHORIZATION_CANNOT_BE_VOIDED")
    with pytest.raises(ExternalServiceError):
        desk.gateway.void(ref)
    assert desk.gateway.void(ref).status is PaymentStatus.VOIDED


def test_with_paypal_one_pays_on_its_page(desk: Desk) -> None:
    with pytest.raises(InvalidInput):
        desk.gateway.pay(order())
    assert desk.gateway.customer(uuid4(), "ann@example.org") is None


def test_a_payment_that_is_not_known_cannot_be_changed(desk: Desk) -> None:
    for known in ({"session_id": "5O404"}, {"payment_id": "8A404"}, {}):
        ref = PaymentRef(uuid4(), **known)
        assert desk.gateway.look(ref) is None
        with pytest.raises(NotFound):
            desk.gateway.capture(ref, PRICE)
        with pytest.raises(NotFound):
            desk.gateway.void(ref)


def test_a_payment_is_found_by_its_hold_or_by_what_was_taken(desk: Desk) -> None:
    asked, ref, capture_id = desk.captured()
    for payment_id in (ref.payment_id, capture_id):
        found = desk.look(PaymentRef(uuid4(), payment_id=payment_id))
        assert (found.session_id, found.attempt_id) == (ref.session_id, asked.attempt_id)
    by_hold = PaymentRef(asked.attempt_id, payment_id=ref.payment_id)
    assert desk.gateway.authorize(by_hold).status is PaymentStatus.CAPTURED


# --- giving back ------------------------------------------------------------------------------------------------------


def test_a_refund_is_known_by_its_cause_when_paypal_has_forgotten_the_request(desk: Desk) -> None:
    _, ref, capture_id = desk.captured(money=Money(Decimal("2.00"), "USD"))
    first = desk.gateway.refund(ref, capture_id, PRICE, CAUSE)
    desk.stand_in._kept.clear()
    assert desk.gateway.refund(ref, capture_id, PRICE, CAUSE) == first
    assert desk.stand_in.books.totals()[2] == 99


def test_a_refund_that_another_worker_made_meanwhile_is_the_one(desk: Desk) -> None:
    asked, ref, capture_id = desk.captured()

    def both(path: str) -> str:
        if not path.endswith("/refund"):
            return "ok"
        amount = {"currency_code": "USD", "value": "0.99"}
        desk.stand_in.refund(capture_id, {"amount": amount, "custom_id": f"cause.{CAUSE}"})
        return "422:CAPTURE_FULLY_REFUNDED"

    desk.stand_in.choose = both
    made = desk.gateway.refund(ref, capture_id, asked.money, CAUSE)
    assert (made.status, made.cause) == (RefundStatus.SUCCEEDED, CAUSE)
    assert desk.stand_in.books.totals() == (0, 99, 99)


def test_a_refund_that_is_refused_for_our_fault_is_not_called_impossible(desk: Desk) -> None:
    asked, ref, capture_id = desk.captured()
    desk.spoil("refund", "403:PERMISSION_DENIED")
    with pytest.raises(ExternalServiceError):
        desk.gateway.refund(ref, capture_id, asked.money, CAUSE)


def test_a_lost_refund_of_a_month_is_made_once(desk: Desk) -> None:
    asked, ref = desk.subscribed()
    desk.stand_in.decide(str(ref.session_id), "approve")
    state = desk.gateway.look_subscription(ref)
    assert state is not None
    paid = str(state.invoices[0].payment_id)
    of_month = PaymentRef(uuid4(), payment_id=paid)
    desk.spoil("refund", "lost", "lost", "lost")
    with pytest.raises(ExternalServiceError):
        desk.gateway.refund(of_month, paid, asked.money, CAUSE)
    made = desk.gateway.refund(of_month, paid, asked.money, CAUSE)
    assert (made.status, made.amount) == (RefundStatus.SUCCEEDED, asked.money)
    assert desk.stand_in.books.totals() == (0, 999, 999)


# --- webhooks ---------------------------------------------------------------------------------------------------------


def signed(desk: Desk, type_: str = "PAYMENT.CAPTURE.COMPLETED", resource: Any = None) -> tuple[bytes, dict[str, str]]:
    return desk.stand_in.events.sign(type_, {"id": "2C1"} if resource is None else resource)


@pytest.mark.parametrize("mode", ["sandbox", "live"])
def test_an_event_is_of_the_mode_whose_paypal_verified_it(desk: Desk, mode: str) -> None:
    body, headers = signed(desk)
    event = other(desk, mode=mode).read_event(body, headers)
    assert (event.kind, event.payment_id, event.is_live) == (EventKind.PAYMENT, "2C1", mode == "live")
    (asked,) = desk.stand_in.requests
    assert body in asked.body  # byte for byte


def test_an_event_of_the_other_mode_is_not_known_there(desk: Desk) -> None:
    """PayPal's sandbox signs for the sandbox's webhook; the live one knows no such transmission."""
    with PayPalStandIn(contracts=False) as sandbox:
        body, headers = sandbox.events.sign("PAYMENT.CAPTURE.COMPLETED", {"id": "2C1"})
    with pytest.raises(InvalidInput):
        other(desk, mode="live").read_event(body, headers)


@pytest.mark.parametrize("webhook_ids", [f"{WEBHOOK_ID},8NEW", f"8NEW , {WEBHOOK_ID}", f",{WEBHOOK_ID},"])
@pytest.mark.parametrize("signer", [WEBHOOK_ID, "8NEW"])
def test_while_a_webhook_is_replaced_both_are_good(desk: Desk, webhook_ids: str, signer: str) -> None:
    desk.stand_in.events.webhook_ids = [WEBHOOK_ID, "8NEW"]
    body, headers = desk.stand_in.events.sign("PAYMENT.CAPTURE.COMPLETED", {"id": "2C1"}, signer)
    gateway = other(desk, webhook_id=webhook_ids)
    if signer in webhook_ids:
        assert gateway.read_event(body, headers).payment_id == "2C1"
    else:
        with pytest.raises(InvalidInput):
            gateway.read_event(body, headers)


@pytest.mark.parametrize("webhook_id", [None, "", " , "])
def test_without_a_webhook_of_ours_nothing_is_believed(desk: Desk, webhook_id: str | None) -> None:
    body, headers = signed(desk)
    with pytest.raises(InvalidInput):
        other(desk, webhook_id=webhook_id).read_event(body, headers)
    assert desk.stand_in.calls == 0


@pytest.mark.parametrize("name", ["TRANSMISSION-ID", "TRANSMISSION-TIME", "TRANSMISSION-SIG", "CERT-URL", "AUTH-ALGO"])
@pytest.mark.parametrize("value", [None, "", "x" * 501, "é"])
def test_a_header_that_is_missing_or_mad_is_refused_unasked(desk: Desk, name: str, value: str | None) -> None:
    body, headers = signed(desk)
    del headers[f"PAYPAL-{name}"]
    if value is not None:
        headers[f"PAYPAL-{name}"] = value
    with pytest.raises(InvalidInput):
        desk.gateway.read_event(body, headers)
    assert desk.stand_in.calls == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda body, headers: (body + b" ", headers),
        lambda body, headers: (body.replace(b"2C1", b"2C2"), headers),
        lambda body, headers: (json.dumps(json.loads(body)).encode(), headers),
        lambda body, headers: (body, headers | {"PAYPAL-TRANSMISSION-ID": "another"}),
        lambda body, headers: (body, headers | {"PAYPAL-TRANSMISSION-SIG": "another"}),
        lambda body, headers: (body, headers | {"PAYPAL-TRANSMISSION-TIME": "2020-01-01T00:00:00Z"}),
    ],
)
def test_what_paypal_did_not_send_is_refused(desk: Desk, change: Any) -> None:
    body, headers = change(*signed(desk))
    with pytest.raises(InvalidInput):
        desk.gateway.read_event(body, headers)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no json", b"\xff\xfe", b"[]", b"null", b'"x"', b"{}", b'{"id": "WH-1"}', b'{"event_type": "X"}',
        b'{"id": "", "event_type": "X"}', b'{"id": 1, "event_type": "X"}', b'{"id": "WH-1", "event_type": null}',
        b'{"id": "WH-1", "event_type": "X"}, "webhook_id": "mine"', b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_event_is_refused_unasked(desk: Desk, body: bytes) -> None:
    _, headers = signed(desk)
    with pytest.raises(InvalidInput):
        desk.gateway.read_event(body, headers)
    assert desk.stand_in.calls == 0


@pytest.mark.parametrize("mood", ["lost", "cut", "500", "429", "html", "garbage", "truncated"])
def test_an_event_that_nobody_verifies_is_left_to_paypal_to_send_again(desk: Desk, mood: str) -> None:
    body, headers = signed(desk)
    desk.stand_in.mood = mood
    with pytest.raises(ExternalServiceError) as away:
        desk.gateway.read_event(body, headers)
    assert (away.value.retryable, away.value.status) == (True, 502)
    desk.stand_in.mood = "ok"
    assert desk.gateway.read_event(body, headers).payment_id == "2C1"


def test_who_may_not_ask_says_so_and_who_asks_wrongly_is_not_believed(desk: Desk) -> None:
    body, headers = signed(desk)
    desk.stand_in.push("403:PERMISSION_DENIED")
    with pytest.raises(ExternalServiceError):
        desk.gateway.read_event(body, headers)
    desk.stand_in.push("400:INVALID_PARAMETER")
    with pytest.raises(InvalidInput):
        desk.gateway.read_event(body, headers)
    desk.stand_in.change_token()
    assert desk.gateway.read_event(body, headers).payment_id == "2C1"


RECORD, USER = uuid4(), uuid4()
OURS = f"{RECORD}:{USER}"


@pytest.mark.parametrize(
    ("type_", "resource", "kind", "hints"),
    [
        (
            "CHECKOUT.ORDER.APPROVED", {"id": "5O1", "purchase_units": [{"custom_id": OURS}]},
            "payment", {"session_id": "5O1", "record_id": RECORD},
        ),
        ("CHECKOUT.ORDER.APPROVED", {"id": 5, "purchase_units": ["x"]}, "payment", {}),
        ("CHECKOUT.ORDER.VOIDED", {"id": "5O1", "purchase_units": {}}, "payment", {"session_id": "5O1"}),
        ("PAYMENT.AUTHORIZATION.VOIDED", {"id": "8A1", "custom_id": "not ours"}, "payment", {"payment_id": "8A1"}),
        (
            "PAYMENT.CAPTURE.DENIED",
            {"id": "2C1", "supplementary_data": {"related_ids": {"order_id": "5O1", "authorization_id": "8A1"}}},
            "payment", {"session_id": "5O1", "payment_id": "8A1"},
        ),
        (
            "PAYMENT.CAPTURE.REFUNDED",
            {"id": "1R1", "links": ["x", {"rel": "self", "href": "https://p/v2/payments/refunds/1R1"},
                                    {"rel": "up", "href": "https://p/v2/payments/captures/2C1"}]},
            "payment", {"payment_id": "2C1"},
        ),
        ("PAYMENT.REFUND.PENDING", {"id": "1R1", "links": [{"rel": "up"}]}, "payment", {"payment_id": "1R1"}),
        ("PAYMENT.SALE.COMPLETED", {"id": "7S1", "billing_agreement_id": "I-1"}, "subscription", {"remote_id": "I-1"}),
        ("PAYMENT.SALE.COMPLETED", {"id": "7S1"}, "other", {}),
        ("BILLING.SUBSCRIPTION.CANCELLED", {"id": "I-1"}, "subscription", {"remote_id": "I-1"}),
        (
            "CUSTOMER.DISPUTE.CREATED",
            {"disputed_transactions": [{"seller_transaction_id": "2C1", "custom": OURS}]},
            "dispute", {"payment_id": "2C1", "record_id": RECORD},
        ),
        ("CUSTOMER.DISPUTE.RESOLVED", {"disputed_transactions": []}, "dispute", {}),
        ("CUSTOMER.DISPUTE.UPDATED", "no object", "dispute", {}),
        ("MERCHANT.ONBOARDING.COMPLETED", {"id": "M-1"}, "other", {}),
    ],
)  # fmt: skip
def test_an_event_names_what_is_to_be_looked_up(
    desk: Desk, type_: str, resource: Any, kind: str, hints: dict[str, Any]
) -> None:
    event = desk.gateway.read_event(*signed(desk, type_, resource))
    told = {name: getattr(event, name) for name in ("session_id", "payment_id", "remote_id", "record_id")}
    assert (event.type, event.kind) == (type_, kind)
    assert {name: value for name, value in told.items() if value} == hints


@pytest.fixture
def shop(stand_in: PayPalStandIn, make_app: MakeApp, sqlite_url: str) -> Flask:
    return make_app(DATABASE_URL=sqlite_url, **stand_in.environ())


def test_events_come_in_by_their_door(stand_in: PayPalStandIn, shop: Flask) -> None:
    client = shop.test_client()
    body, headers = stand_in.events.sign("PAYMENT.CAPTURE.COMPLETED", {"id": "2C1"})
    stand_in.mood = "500"
    away = client.post("/webhooks/paypal", data=body, headers=headers)
    assert (away.status_code, away.json["error"]["code"]) == (502, "API_ERROR")
    stand_in.mood = "ok"
    assert [client.post("/webhooks/paypal", data=body, headers=headers).status_code for _ in range(2)] == [200, 200]
    forged = client.post("/webhooks/paypal", data=body + b" ", headers=headers)
    assert (forged.status_code, forged.json["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert client.post("/webhooks/stripe", data=body, headers=headers).status_code == 404


# --- searching --------------------------------------------------------------------------------------------------------


def test_a_search_goes_by_months_and_tells_each_payment_once(desk: Desk) -> None:
    asked, ref, _ = desk.captured()
    desk.stand_in.books.captures["2CX"] = {
        "id": "2CX", "create_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "status": "COMPLETED",
        "amount": {"currency_code": "USD", "value": "5.00"}, "invoice_id": "of another shop", "custom_id": "",
        "supplementary_data": {"related_ids": {}},
    }  # fmt: skip
    found = list(desk.gateway.payments_since(datetime.now(UTC) - timedelta(days=70)))
    assert [state.session_id for state in found] == [ref.session_id]
    assert found[0].attempt_id == asked.attempt_id
    assert len([sent for sent in desk.stand_in.requests if sent.path.startswith("/v1/reporting")]) == 3


def test_every_page_of_a_search_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [desk.captured() for _ in range(3)]
    whole = desk.stand_in.books.transactions(datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1))

    def paged(asked: dict[str, str]) -> dict[str, Any]:
        page = int(asked["page"])
        return {"transaction_details": whole[page * 2 - 2 : page * 2], "page": page, "total_pages": 3}

    monkeypatch.setattr(desk.stand_in, "_search", paged)
    found = desk.gateway.payments_since(datetime.now(UTC) - timedelta(days=1))
    assert {state.attempt_id for state in found} == {asked.attempt_id for asked, _, _ in pairs}


def test_what_a_search_names_and_is_not_there_any_more_is_left_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _, gone, _ = desk.captured()
    del desk.stand_in.books.orders[str(gone.session_id)]
    lost = {"transaction_id": "8A404", "invoice_id": str(uuid4()), "custom_field": OURS}
    search = desk.stand_in._search

    def with_lost(asked: dict[str, str]) -> dict[str, Any]:
        found = search(asked)
        return found | {"transaction_details": [{"transaction_info": lost}, *found["transaction_details"]]}

    monkeypatch.setattr(desk.stand_in, "_search", with_lost)
    assert list(desk.gateway.payments_since(datetime.now(UTC) - timedelta(days=1))) == []


def test_who_may_not_search_finds_nothing_and_says_so(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.captured()
    desk.stand_in.may_search = False
    assert list(desk.gateway.payments_since(datetime.now(UTC) - timedelta(days=1))) == []
    assert "does not let this app search" in caplog.text


@pytest.mark.parametrize("mood", ["400:INVALID_REQUEST", "500", "garbage"])
def test_a_search_that_fails_is_no_empty_one(desk: Desk, mood: str) -> None:
    desk.captured()
    desk.stand_in.mood = mood
    with pytest.raises(ExternalServiceError):
        list(desk.gateway.payments_since(datetime.now(UTC) - timedelta(days=1)))


def test_who_may_not_see_disputes_is_told_by_webhooks_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    _, ref, capture_id = desk.captured()
    desk.stand_in.dispute(capture_id)
    assert desk.look(ref).is_disputed
    desk.stand_in.shows_disputes = False
    assert [desk.look(ref).is_disputed for _ in range(2)] == [False, False]
    assert caplog.text.count("does not show disputes") == 1
    fresh = Desk(other(desk), desk.stand_in)
    desk.stand_in.choose = lambda path: "404:RESOURCE_NOT_FOUND" if "disputes" in path else "ok"
    assert [fresh.look(ref).is_disputed for _ in range(2)] == [False, False]
    desk.stand_in.choose = lambda path: "400:INVALID_REQUEST" if "disputes" in path else "ok"
    with pytest.raises(ExternalServiceError):
        fresh.look(ref)


# --- settings, and what is told ---------------------------------------------------------------------------------------


def test_the_doctors_question_is_answered(desk: Desk) -> None:
    assert desk.gateway.check() == f"PayPal accepts our keys, sandbox mode, webhook {WEBHOOK_ID}"
    assert other(desk, mode="live", webhook_id=None).check() == "PayPal accepts our keys, live mode, no webhook"
    with pytest.raises(ExternalServiceError, match="knows no webhook 8OLD"):
        other(desk, webhook_id=f"8OLD,{WEBHOOK_ID}").check()


@pytest.mark.parametrize("missing", [{"client_id": None}, {"client_secret": None}])
def test_half_a_key_is_none(desk: Desk, missing: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        other(desk, **missing)


def test_hanging_up_is_no_end(desk: Desk) -> None:
    fresh = other(desk)
    fresh.close()
    _, ref, _ = desk.captured()
    desk.gateway.close()
    assert desk.look(ref).status is PaymentStatus.CAPTURED


def test_nothing_of_a_payment_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    asked, ref, capture_id = desk.captured()
    desk.gateway.refund(ref, capture_id, asked.money, CAUSE)
    _, plan = desk.subscribed()
    desk.stand_in.decide(str(plan.session_id), "approve")
    desk.gateway.look_subscription(plan)
    desk.gateway.read_event(*signed(desk, resource={"id": "2C1", "payer": PAYER}))
    with pytest.raises(InvalidInput):
        desk.gateway.read_event(b'{"id": "WH-1", "event_type": "lady.lovelace@example.com"}', signed(desk)[1])
    for mood in ("500", "400:INVALID", "422:INSTRUMENT_DECLINED", "429", "garbage", "truncated", "cut"):
        desk.stand_in.mood = mood
        with pytest.raises(ExternalServiceError):
            desk.gateway.open_checkout(order())
        with pytest.raises(ExternalServiceError):
            desk.gateway.look(ref)
    desk.stand_in.mood = "ok"
    words = [CLIENT_SECRET, "A21-", PAYER["email_address"], "Lovelace", "Augusta", PAYER["payer_id"]]
    said = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert [word for word in words if word in said] == []
    assert PAYER["email_address"] in json.dumps(desk.stand_in.books.order(str(ref.session_id)))


def test_an_error_carries_nothing_of_the_call(desk: Desk) -> None:
    """What is raised is shown and logged with its causes: they hold no request, no token and no answer."""
    secret = SecretStr("of-nobody")
    desk.stand_in.push("garbage", "400:INVALID", "cut")
    for ask in (desk.gateway, desk.gateway, other(desk, client_secret=secret)):
        with pytest.raises(ExternalServiceError) as told:
            ask.open_checkout(order())
        assert (told.value.__cause__, told.value.__context__) == (None, None)
