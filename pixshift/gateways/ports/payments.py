"""Taking money: hold it, capture or void it, give it back; and the same every month.

Every amount is ``Money``; every moment is in UTC. Keys make a call idempotent: the same key never moves money twice.
Errors: ``PaymentFailed`` (``details.reason`` is a ``Decline``) when the answer is no, ``ExternalServiceError`` with
``retryable`` when the outcome is unknown, ``InvalidInput`` for what the caller sent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from pixshift.domain.lifecycle import PaymentStatus, RefundStatus
from pixshift.domain.pricing import Money
from pixshift.gateways.ports.subscriptions import Hosted, SubscriptionOrder, SubscriptionRef, SubscriptionState


class Decline(StrEnum):
    """Why a payment did not go through, in words that may be shown."""

    CARD_DECLINED = "card_declined"
    NO_FUNDS = "insufficient_funds"
    CARD_EXPIRED = "expired_card"
    NOT_CONFIRMED = "authentication_failed"
    UNKNOWN_METHOD = "unknown_method"  # no such payment method, or somebody else's


@dataclass(frozen=True, slots=True)
class Order:
    """One picture to be paid for. ``attempt_id`` names this try, and is what its idempotency keys are made of."""

    attempt_id: UUID
    record_id: UUID
    user_id: UUID
    money: Money
    description: str
    return_url: str
    cancel_url: str
    expires_at: datetime
    customer_id: str | None = None
    method_id: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentRef:
    """What is known of a try; without ``session_id`` and ``payment_id`` it is looked for by ``attempt_id``."""

    attempt_id: UUID
    session_id: str | None = None
    payment_id: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class RefundState:
    """``cause`` is ours; None: it was made elsewhere, such as in the gateway's dashboard."""

    refund_id: str
    status: RefundStatus
    amount: Money
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentState:
    """A payment as the gateway has it. ``record_id`` and ``user_id`` are what we wrote on it, None when it is not ours.

    ``method_id`` is given only when the payer let it be kept. ``url`` is the page that still waits for them,
    ``client_secret`` what their own program needs to confirm.
    """

    status: PaymentStatus
    money: Money
    is_live: bool
    attempt_id: UUID | None = None
    record_id: UUID | None = None
    user_id: UUID | None = None
    session_id: str | None = None
    payment_id: str | None = None
    capture_id: str | None = None
    captured: Decimal = Decimal(0)
    refunds: tuple[RefundState, ...] = ()
    is_disputed: bool = False
    decline: Decline | None = None
    method_id: str | None = None
    method_label: str | None = None
    customer_id: str | None = None
    url: str | None = None
    client_secret: str | None = None


class EventKind(StrEnum):
    PAYMENT = "payment"
    SUBSCRIPTION = "subscription"
    DISPUTE = "dispute"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Event:
    """A hint that something changed. Nothing in it is believed: the object is fetched again."""

    event_id: str
    type: str
    is_live: bool
    kind: EventKind
    session_id: str | None = None
    payment_id: str | None = None
    remote_id: str | None = None  # a subscription's
    record_id: UUID | None = None


class PaymentGateway(Protocol):
    """One company that takes money. ``name`` is kept with every payment, so that it can be asked again later.

    ``return_parameter`` is what its redirect back calls the session's id.
    """

    name: str
    title: str
    is_twin: bool
    takes_methods: bool  # whether ``pay`` works: a saved or given method, without the hosted page
    return_parameter: str

    @property
    def is_live(self) -> bool:
        """Whether real money moves."""
        ...

    def customer(self, user_id: UUID, email: str | None) -> str | None:
        """The customer that stands for this person, made at the first call; None where there is no such thing."""
        ...

    def open_checkout(self, order: Order) -> Hosted:
        """A page on which the payer lets ``order.money`` be held. The same order answers the same page."""
        ...

    def pay(self, order: Order) -> PaymentState:
        """Hold with ``order.method_id`` at once: HELD, or ACTION with a ``client_secret``. Raises PaymentFailed."""
        ...

    def authorize(self, ref: PaymentRef) -> PaymentState:
        """Make the hold of a payment that is APPROVED. Raises PaymentFailed."""
        ...

    def look(self, ref: PaymentRef) -> PaymentState | None:
        """As it stands now; None when the gateway knows of no such payment."""
        ...

    def capture(self, ref: PaymentRef, money: Money) -> PaymentState:
        """Take what is held; again changes nothing. Raises PaymentFailed when it cannot be taken any more."""
        ...

    def void(self, ref: PaymentRef) -> PaymentState:
        """Let go of what is held, or close the page before it is: VOIDED or FAILED, or CAPTURED when too late."""
        ...

    def refund(self, ref: PaymentRef, capture_id: str, money: Money, cause: str) -> RefundState:
        """Give back, once per ``cause``. Raises PaymentFailed when it cannot be given back."""
        ...

    def open_subscription(self, order: SubscriptionOrder) -> Hosted: ...

    def look_subscription(self, ref: SubscriptionRef) -> SubscriptionState | None: ...

    def cancel_subscription(self, ref: SubscriptionRef, *, at_period_end: bool) -> SubscriptionState:
        """At the end of what is paid, or at once (also a page that still waits)."""
        ...

    def resume_subscription(self, ref: SubscriptionRef) -> SubscriptionState:
        """Take back a cancellation at the period's end. Raises InvalidInput where the gateway cannot."""
        ...

    def portal_url(self, ref: SubscriptionRef, return_url: str) -> str | None:
        """The gateway's page for the card and invoices of a subscription; None where there is none."""
        ...

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Verify a webhook on its raw body. Raises InvalidInput (400) when it is not the gateway's."""
        ...

    def payments_since(self, since: datetime) -> Iterable[PaymentState]:
        """Every payment of ours that was begun since then, for the books to be compared."""
        ...

    def check(self) -> str:
        """One line: the key works, which mode, which webhook. Raises ExternalServiceError that says what is wrong."""
        ...
