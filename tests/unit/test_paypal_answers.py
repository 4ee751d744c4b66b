"""What PayPal's objects say, in our words: also those that its dashboard, its risk check and its future make."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from pixshift.domain.lifecycle import PaymentStatus, RefundStatus, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.gateways.paypal_answers import link, our_ids, payment_state, refund_state, uuid_of
from pixshift.gateways.paypal_subscriptions import _invoices, _status

NOW = datetime.now(UTC)
LATER, BEFORE = (NOW + timedelta(days=9)).isoformat(), (NOW - timedelta(seconds=1)).isoformat()
SOMEBODY = "6b1d7a52-0f1c-4f0e-9a3c-2d9a5f1e7c40"
PRICE = {"currency_code": "USD", "value": "0.99"}


def order(status: str = "COMPLETED", **payments: list[dict[str, Any]]) -> dict[str, Any]:
    unit = {"reference_id": "default", "amount": PRICE, "payments": payments}
    return {"id": "5O1", "status": status, "purchase_units": [unit]}


def hold(status: str, name: str = "8A1", ends_at: str | None = LATER) -> dict[str, Any]:
    return {"id": name, "status": status, "amount": PRICE, "expiration_time": ends_at}


def taking(status: str, value: str = "0.99") -> dict[str, Any]:
    return {"id": "2C1", "status": status, "amount": PRICE | {"value": value}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATED", PaymentStatus.OPEN), ("SAVED", PaymentStatus.OPEN), ("PAYER_ACTION_REQUIRED", PaymentStatus.OPEN),
        ("APPROVED", PaymentStatus.APPROVED), ("VOIDED", PaymentStatus.VOIDED), ("COMPLETED", PaymentStatus.FAILED),
        ("A_WORD_OF_TOMORROW", PaymentStatus.FAILED),
    ],
)  # fmt: skip
def test_an_order_without_a_hold(status: str, expected: PaymentStatus) -> None:
    state = payment_state(order(status), is_live=True)
    assert (state.status, state.is_live, state.payment_id, state.method_label) == (expected, True, None, None)
    assert (state.attempt_id, state.record_id, state.user_id) == (None, None, None)  # another shop's, by this account


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (hold("CREATED"), PaymentStatus.HELD), (hold("CREATED", ends_at=BEFORE), PaymentStatus.VOIDED),
        (hold("CREATED", ends_at=None), PaymentStatus.HELD), (hold("PARTIALLY_CAPTURED"), PaymentStatus.HELD),
        (hold("PENDING", ends_at=BEFORE), PaymentStatus.ACTION), (hold("VOIDED"), PaymentStatus.VOIDED),
        (hold("EXPIRED"), PaymentStatus.VOIDED), (hold("DENIED"), PaymentStatus.FAILED),
        (hold("CAPTURED"), PaymentStatus.FAILED), (hold("A_WORD_OF_TOMORROW"), PaymentStatus.ACTION),
    ],
)  # fmt: skip
def test_an_order_with_a_hold(made: dict[str, Any], expected: PaymentStatus) -> None:
    state = payment_state(order(authorizations=[made]), is_live=False)
    assert (state.status, state.payment_id, state.captured) == (expected, "8A1", Decimal(0))


@pytest.mark.parametrize("dead", ["DENIED", "VOIDED"])
def test_of_several_holds_the_last_that_lives_counts(dead: str) -> None:
    both = [hold(dead, "8A1"), hold("CREATED", "8A2"), hold(dead, "8A3")]
    assert payment_state(order(authorizations=both), is_live=False).payment_id == "8A2"
    assert payment_state(order(authorizations=both[::2]), is_live=False).payment_id == "8A3"


@pytest.mark.parametrize(
    ("status", "is_taken"),
    [
        ("COMPLETED", True), ("PENDING", True), ("REFUNDED", True), ("PARTIALLY_REFUNDED", True), ("DECLINED", False),
        ("FAILED", False),
    ],
)  # fmt: skip
def test_what_was_taken_of_a_hold(status: str, is_taken: bool) -> None:
    made = order(authorizations=[hold("CAPTURED")], captures=[taking(status)])
    state = payment_state(made, is_live=False, is_disputed=True)
    taken = (PaymentStatus.CAPTURED, "2C1", Decimal("0.99"))
    assert (state.status, state.capture_id, state.captured) == (
        taken if is_taken else (PaymentStatus.FAILED, None, Decimal(0))
    )
    assert state.is_disputed


def test_all_that_was_taken_is_added_up() -> None:
    parts = [taking("COMPLETED", "0.50"), taking("DECLINED", "0.49"), taking("COMPLETED", "0.49")]
    assert payment_state(order(captures=parts), is_live=False).captured == Decimal("0.99")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("COMPLETED", RefundStatus.SUCCEEDED), ("PENDING", RefundStatus.PENDING), ("FAILED", RefundStatus.FAILED),
        ("CANCELLED", RefundStatus.FAILED), ("A_WORD_OF_TOMORROW", RefundStatus.PENDING),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("words", "cause"), [("cause.not_good", "not_good"), (None, None), (f"{SOMEBODY}:x", None)])
def test_a_refund(status: str, expected: RefundStatus, words: str | None, cause: str | None) -> None:
    state = refund_state({"id": "1R1", "status": status, "amount": PRICE, "custom_id": words})
    assert (state.status, state.cause, state.amount) == (expected, cause, Money(Decimal("0.99"), "USD"))


@pytest.mark.parametrize("words", [None, "", ":", "x:y", SOMEBODY, f"{SOMEBODY}:", f":{SOMEBODY}", 7])
def test_what_is_not_ours_has_none_of_our_ids(words: object) -> None:
    assert our_ids(words) == (None, None)


def test_ids_and_links_that_are_there() -> None:
    one, two = uuid4(), uuid4()
    assert our_ids(f"{one}:{two}") == (one, two)
    assert (uuid_of(str(one)), uuid_of("one"), uuid_of(None)) == (one, None, None)
    answer = {"links": [{"rel": "self", "href": "a"}, {"rel": "approve", "href": "b"}, {"rel": "payer-action"}]}
    assert (link(answer, "payer-action", "approve"), link(answer, "up"), link({}, "self")) == ("b", None, None)


# --- months -----------------------------------------------------------------------------------------------------------


def month(time: str, status: str = "COMPLETED", name: str = "7S1") -> dict[str, Any]:
    return {"id": name, "status": status, "time": time, "amount_with_breakdown": {"gross_amount": PRICE}}


@pytest.mark.parametrize(
    ("start", "following", "end"),
    [
        ("2026-01-31T10:00:00Z", None, "2026-02-28T10:00:00+00:00"),
        ("2026-12-05T10:00:00Z", None, "2027-01-05T10:00:00+00:00"),
        ("2026-12-05T10:00:00Z", "2027-01-04T10:00:00Z", "2027-01-04T10:00:00+00:00"),
        ("2026-12-05T10:00:00Z", "2027-03-04T10:00:00Z", "2027-01-05T10:00:00+00:00"),  # the pause is not paid for
        ("2026-12-05T10:00:00Z", "2026-12-05T10:00:00Z", "2027-01-05T10:00:00+00:00"),
    ],
)
def test_a_month_ends_where_the_next_begins(start: str, following: str | None, end: str) -> None:
    info = {"next_billing_time": following} if following else None
    (invoice,) = _invoices([month(start)], {"billing_info": info})
    assert invoice.ends_at.isoformat() == end


def test_months_that_are_not_paid_are_none_and_the_rest_stand_in_their_order() -> None:
    told = [
        month("2026-03-01T00:00:00Z", "PARTIALLY_REFUNDED", "c"), month("2026-02-01T00:00:00Z", "DECLINED", "x"),
        month("2026-01-31T00:00:00Z", "REFUNDED", "a"), month("2026-02-02T00:00:00Z", "PENDING", "y"),
    ]  # fmt: skip
    assert [invoice.invoice_id for invoice in _invoices(told, {})] == ["a", "c"]
    assert _invoices([], {}) == ()


@pytest.mark.parametrize(
    ("status", "is_paid", "owed", "expected"),
    [
        ("APPROVAL_PENDING", False, None, SubscriptionStatus.INCOMPLETE),
        ("ACTIVE", False, None, SubscriptionStatus.INCOMPLETE),
        ("ACTIVE", True, None, SubscriptionStatus.ACTIVE),
        ("ACTIVE", True, "0.00", SubscriptionStatus.ACTIVE),
        ("ACTIVE", True, "0.99", SubscriptionStatus.PAST_DUE),
        ("SUSPENDED", True, "0.00", SubscriptionStatus.PAST_DUE),
        ("CANCELLED", True, None, SubscriptionStatus.ENDED),
        ("EXPIRED", False, None, SubscriptionStatus.ENDED),
    ],
)
def test_a_plan_runs_while_it_is_paid(
    status: str, is_paid: bool, owed: str | None, expected: SubscriptionStatus
) -> None:
    info = {"outstanding_balance": PRICE | {"value": owed}} if owed else {}
    assert _status({"status": status, "billing_info": info}, is_paid=is_paid) is expected
