"""Money in plain words."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pixshift.domain.lifecycle import BillingStatus, Reservation
from pixshift.domain.movements import PaidFacts, decline_sentence, of_month, of_payment
from pixshift.domain.pricing import Money

PRICE, NOTHING = Money(Decimal("0.99"), "USD"), Money(Decimal(0), "USD")
WAITING = PaidFacts(
    price=PRICE,
    captured=NOTHING,
    refunded=NOTHING,
    status=BillingStatus.PENDING,
    was_held=False,
    is_released=False,
    is_disputed=False,
    failure=None,
    method=None,
    was_cancelled=False,
    seconds=None,
)
HELD: dict[str, Any] = {"was_held": True, "method": "Visa ending in 4242"}
CHARGED = HELD | {"captured": PRICE, "status": BillingStatus.COMPLETED, "seconds": 11.8}
ENDED = {"status": BillingStatus.FAILED}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, [("Waiting for payment", None)]),
        ({"failure": "card_declined"}, [("Waiting for payment", "Your bank declined the card.")]),
        (HELD, [("Held", "Visa ending in 4242")]),
        ({"was_held": True}, [("Held", "Not charged")]),
        (CHARGED, [("Charged", "Picture ready in 11.8 s"), ("Held", "Visa ending in 4242")]),
        ({"captured": PRICE, "status": BillingStatus.COMPLETED, "method": "Visa"}, [("Charged", "Visa")]),
        (
            HELD | ENDED | {"is_released": True},
            [("Released", "No picture, so no charge"), ("Held", "Visa ending in 4242")],
        ),
        (
            HELD | ENDED | {"is_released": True, "was_cancelled": True},
            [("Released", "Cancelled, so no charge"), ("Held", "Visa ending in 4242")],
        ),
        (ENDED, [("Not paid", "Nothing was held")]),
        (
            HELD | ENDED | {"failure": "capture_failed"},
            [("Not charged", "The hold was gone. This picture is on us"), ("Held", "Visa ending in 4242")],
        ),
    ],
)
def test_a_payment_is_told_newest_first(facts: dict[str, Any], said: list[tuple[str, str | None]]) -> None:
    assert [(item.what, item.note) for item in of_payment(replace(WAITING, **facts))] == said


def test_what_goes_back_or_is_disputed_stands_on_top() -> None:
    back = of_payment(replace(WAITING, **CHARGED, refunded=Money(Decimal("0.40"), "USD")))
    assert [(item.what, item.amount) for item in back] == [
        ("Refunded", "$0.40"),
        ("Charged", "$0.99"),
        ("Held", "$0.99"),
    ]
    disputed = of_payment(replace(WAITING, **CHARGED, is_disputed=True))
    assert [item.what for item in disputed] == ["Disputed", "Charged", "Held"]


@pytest.mark.parametrize(
    ("reservation", "cancelled", "said"),
    [
        (Reservation.SETTLED, False, ["Used", "Held"]),
        (Reservation.RELEASED, False, ["Given back", "Held"]),
        (Reservation.RELEASED, True, ["Given back", "Held"]),
        (Reservation.RESERVED, False, ["Held"]),
    ],
)
def test_a_picture_of_a_month_is_told_likewise(reservation: Reservation, cancelled: bool, said: list[str]) -> None:
    found = of_month(reservation, 100, 9.0, cancelled)
    assert [item.what for item in found] == said
    assert found[-1].note == "From your 100"


def test_a_reason_nobody_knows_is_not_told() -> None:
    assert decline_sentence("insufficient_funds") == "There is not enough money on the card."
    assert decline_sentence("mismatch") is None
    assert decline_sentence(None) is None
