"""Numbers of the desk as people read them; a dash where there is nothing to tell."""

from datetime import date
from decimal import Decimal

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


def money(amount: Decimal | float | None, currency: str = "USD", places: int = 2) -> str:
    """An amount, also one with more digits than its currency has."""
    if amount is None:
        return "–"
    symbol = SYMBOLS.get(currency)
    sign, text = ("−" if amount < 0 else ""), f"{abs(amount):,.{places}f}"
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{text} {currency}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def seconds(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def near(day: date) -> str:
    return f"{day.day} {day:%b}"


def whole(value: float) -> str:
    return f"{value:,.0f}"


def short(value: float) -> str:
    return f"{value:,g}" if abs(value) < 10_000 else f"{value / 1000:,g}k"


def amount(value: float, currency: str) -> str:
    """The same for an axis: no more digits than it needs."""
    return f"{'−' if value < 0 else ''}{SYMBOLS.get(currency, '')}{short(abs(value))}"
