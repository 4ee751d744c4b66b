"""Money, and what a picture costs."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

_NO_CENTS = frozenset({"JPY", "KRW", "CLP", "VND", "ISK"})  # ISO 4217 currencies whose smallest unit is the whole one
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in whole units of its currency. Raises ValueError for parts smaller than the currency has."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        step = Decimal(1).scaleb(-self.places)
        if not self.amount.is_finite() or self.amount != self.amount.quantize(step):
            raise ValueError(f"{self.currency} has no such amount")
        object.__setattr__(self, "amount", self.amount.quantize(step))

    @property
    def places(self) -> int:
        return 0 if self.currency in _NO_CENTS else 2

    @property
    def minor(self) -> int:
        """In the smallest unit: cents, or whole yen."""
        return int(self.amount.scaleb(self.places))

    @classmethod
    def from_minor(cls, minor: int, currency: str) -> Self:
        currency = currency.upper()
        places = 0 if currency in _NO_CENTS else 2
        return cls(Decimal(minor).scaleb(-places), currency)

    @property
    def text(self) -> str:
        """As people read it: $0.99, or 99 JPY."""
        symbol = _SYMBOLS.get(self.currency)
        return f"{symbol}{self.amount:,}" if symbol else f"{self.amount:,} {self.currency}"
