"""Money: exact, in whole units and in the smallest ones."""

from decimal import Decimal

import pytest

from pixshift.domain.pricing import Money


@pytest.mark.parametrize(
    ("amount", "currency", "minor", "text"),
    [
        ("0.99", "USD", 99, "$0.99"),
        ("9.9", "EUR", 990, "€9.90"),
        ("1234.5", "GBP", 123450, "£1,234.50"),
        ("99", "JPY", 99, "99 JPY"),
        ("0", "CHF", 0, "0.00 CHF"),
    ],
)
def test_an_amount_is_the_same_in_both_units(amount: str, currency: str, minor: int, text: str) -> None:
    money = Money(Decimal(amount), currency)
    assert (money.minor, money.text) == (minor, text)
    assert Money.from_minor(minor, currency.lower()) == money


@pytest.mark.parametrize(
    ("amount", "currency"), [("0.999", "USD"), ("0.5", "JPY"), ("NaN", "USD"), ("Infinity", "EUR")]
)
def test_what_a_currency_cannot_pay_is_no_amount(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=currency):
        Money(Decimal(amount), currency)
