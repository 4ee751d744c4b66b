"""Prices, payments and plans on the wire. Amounts are JSON numbers, in whole units of their currency."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field, field_serializer

from pixshift.domain.lifecycle import BillingStatus, SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.models import BillingRecord
from pixshift.schemas.accounts import DoneOut
from pixshift.schemas.base import In, Out
from pixshift.schemas.transformations import PaginationOut

HELD = "held, not charged"


class TierIn(In):
    pricing_tier: str = Field(max_length=40)


class TierChosenOut(DoneOut):
    pricing_tier: str


class TierOut(Out):
    """One way to pay; what does not apply to it is null."""

    id: str
    name: str
    description: str
    cost_per_image: Decimal | None
    currency: str
    monthly_limit: int | None
    cost_per_month: Decimal | None

    @field_serializer("cost_per_image", "cost_per_month")
    def _number(self, amount: Decimal | None) -> float | None:
        return None if amount is None else float(amount)


class TiersOut(Out):
    tiers: list[TierOut]

    @classmethod
    def of(cls, tiers: Iterable[object]) -> Self:
        return cls(tiers=[TierOut.model_validate(tier) for tier in tiers])


class PaymentIn(In):
    """``amount`` and ``currency`` are compared with the price, never used."""

    model_config = ConfigDict(str_strip_whitespace=True)

    transformation_id: UUID
    payment_method_id: str = Field(min_length=1, max_length=255)
    amount: Decimal = Field(ge=0, max_digits=12)
    currency: str = Field(min_length=3, max_length=3)


class RecordOut(Out):
    """One payment. ``transaction_id`` is the gateway's, null until it knows of it."""

    id: UUID
    transformation_id: UUID | None
    description: str
    amount: Decimal
    currency: str
    status: BillingStatus
    transaction_id: str | None = Field(validation_alias="payment_gateway_transaction_id")
    created_at: datetime

    @field_serializer("amount")
    def _number(self, amount: Decimal) -> float:
        return float(amount)


class PaymentOut(DoneOut):
    """``requires_action``: the payer's bank wants a confirmation, which ``client_secret`` begins."""

    billing_record: RecordOut
    notice: str | None
    requires_action: bool
    client_secret: str | None

    @classmethod
    def of(cls, record: BillingRecord, *, is_held: bool, requires_action: bool, client_secret: str | None) -> Self:
        return cls(
            billing_record=RecordOut.model_validate(record),
            notice=HELD if is_held else None,
            requires_action=requires_action,
            client_secret=client_secret,
        )


class RecordsOut(Out):
    records: list[RecordOut]
    pagination: PaginationOut


class PlanIn(In):
    gateway: str | None = Field(default=None, max_length=20)


class PlanUrlOut(Out):
    """Where the payer goes on."""

    url: str


class PlanOut(Out):
    id: UUID
    status: SubscriptionStatus
    gateway: str
    price: Money
    monthly_limit: int
    used: int
    remaining: int
    period_end: datetime | None
    cancels_at_period_end: bool
    past_due_at: datetime | None
    grace_ends_at: datetime | None
    is_usable: bool

    @field_serializer("price")
    def _price(self, price: Money) -> dict[str, float | str]:
        return {"amount": float(price.amount), "currency": price.currency}


class SubscriptionOut(Out):
    """``subscription`` is null when there is no plan."""

    subscription: PlanOut | None
