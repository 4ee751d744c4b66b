"""A month of pictures that is paid for again and again, as gateways see it. Every moment is in UTC."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pixshift.domain.lifecycle import SubscriptionStatus
from pixshift.domain.pricing import Money


@dataclass(frozen=True, slots=True)
class Hosted:
    """The gateway's own page, and what it calls it."""

    session_id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionOrder:
    """A month of pictures to be paid for again and again. ``subscription_id`` is our row's id."""

    subscription_id: UUID
    user_id: UUID
    money: Money
    name: str
    return_url: str
    cancel_url: str
    expires_at: datetime
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionRef:
    """``subscription_id`` is our row's id, ``remote_id`` the gateway's."""

    subscription_id: UUID
    session_id: str | None = None
    remote_id: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceState:
    """One month's invoice, for the period [starts_at, ends_at)."""

    invoice_id: str
    is_paid: bool
    money: Money
    starts_at: datetime
    ends_at: datetime
    payment_id: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A plan as the gateway has it; ``subscription_id`` and ``user_id`` are ours, None when it is not.

    ``invoices`` are those of the last months. ``url`` is the page that still waits for the payer.
    """

    status: SubscriptionStatus
    money: Money
    is_live: bool
    subscription_id: UUID | None = None
    user_id: UUID | None = None
    session_id: str | None = None
    remote_id: str | None = None
    customer_id: str | None = None
    cancels_at_period_end: bool = False
    period_end: datetime | None = None
    invoices: tuple[InvoiceState, ...] = ()
    method_label: str | None = None
    url: str | None = None
