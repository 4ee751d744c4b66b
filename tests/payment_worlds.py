"""One world per payment gateway: the gateway itself, what payers and their banks do, and the company's own books.

``can`` says what a world is able to show; a contract test that needs it runs in those worlds only:
"methods" (pay without the page), "keep" (the payer lets the card be kept), "bank" (3-D Secure), "void_page" (a page is
closed at once when it is voided), "disputes", "resume" (take back a cancellation), "portal", "events", "declines" (the
page says why), "find" (a payment is found by our id alone).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pixshift.domain.lifecycle import PaymentStatus
from pixshift.domain.pricing import Money
from pixshift.gateways.paypal import PayPalGateway
from pixshift.gateways.ports import PaymentGateway
from pixshift.gateways.practice_payments import PracticeGateway
from pixshift.gateways.stripe import StripeGateway
from pixshift.settings_sections import Stripe as StripeSettings
from tests.stand_ins.paypal import PayPalStandIn
from tests.stand_ins.stripe import KEY, SECRET, StripeStandIn


@dataclass(frozen=True, slots=True)
class Ledger:
    """The company's own books, all payments together, in minor units: ``captured`` is before refunds."""

    held: int = 0
    captured: int = 0
    refunded: int = 0


class PaymentWorld(Protocol):
    can: frozenset[str]
    methods: dict[str, str]  # good, declined, needs_bank, no_funds: what ``gateway.pay`` takes; empty without "methods"

    @property
    def gateway(self) -> PaymentGateway: ...

    def decide(self, session_id: str, what: str) -> None:
        """What the payer does on the page, or at their bank for a payment id.

        pay, pay_and_save, decline, need_bank, confirm, refuse_bank, cancel (leaves), expire (nobody came until the
        page closed). What is not possible any more changes nothing.
        """
        ...

    def ledger(self) -> Ledger: ...

    def refund_elsewhere(self, payment_id: str, minor: int) -> None:
        """Give back in the gateway's dashboard."""
        ...

    def dispute(self, payment_id: str) -> None: ...

    def next_month(self, remote_id: str, *, paid: bool) -> None:
        """The subscription's next invoice is due, and paid or not; one that is owed already is tried again instead."""
        ...

    def event(self, kind: str, **ids: str) -> tuple[bytes, dict[str, str]]:
        """A signed webhook, body and headers. ``kind`` is a word of EventKind, ``ids`` are an Event's."""
        ...

    def close(self) -> None: ...


class PracticeWorld:
    """The practice gateway: its page's buttons are methods of it."""

    can = frozenset({"methods", "keep", "bank", "void_page", "disputes", "resume", "portal", "declines", "find"})
    methods = {  # noqa: RUF012 - a Protocol's attribute of an instance
        "good": "pm_practice_good",
        "declined": "pm_practice_declined",
        "no_funds": "pm_practice_no_funds",
        "needs_bank": "pm_practice_needs_bank",
    }

    def __init__(self, folder: Path) -> None:
        self.gateway = PracticeGateway(folder, "http://localhost:8000")

    def decide(self, session_id: str, what: str) -> None:
        self.gateway.decide(session_id, what)

    def ledger(self) -> Ledger:
        states = self.gateway.payments_since(datetime(2000, 1, 1, tzinfo=UTC))
        return Ledger(
            held=sum(state.money.minor for state in states if state.status is PaymentStatus.HELD),
            captured=sum(int(state.captured.scaleb(state.money.places)) for state in states),
            refunded=sum(refund.amount.minor for state in states for refund in state.refunds),
        )

    def refund_elsewhere(self, payment_id: str, minor: int) -> None:
        self.gateway.refund_elsewhere(payment_id, minor)

    def dispute(self, payment_id: str) -> None:
        self.gateway.dispute(payment_id)

    def next_month(self, remote_id: str, *, paid: bool) -> None:
        self.gateway.decide(remote_id, "next_month_paid" if paid else "next_month_unpaid")

    def event(self, kind: str, **ids: str) -> tuple[bytes, dict[str, str]]:
        raise NotImplementedError("Practice payments send no events")

    def close(self) -> None:
        """There is nothing to be closed."""


class PayPalWorld:
    """The PayPal gateway and its SDK, over HTTP to a stand-in. PayPal cannot close a page, nor find by our id."""

    can = frozenset({"disputes", "events"})
    methods: dict[str, str] = {}  # noqa: RUF012 - a Protocol's attribute of an instance
    _words = {"pay": "approve", "pay_and_save": "approve"}  # noqa: RUF012 - never changed
    _events = {  # noqa: RUF012 - never changed
        "payment": ("PAYMENT.AUTHORIZATION.CREATED", "payment_id"),
        "subscription": ("BILLING.SUBSCRIPTION.ACTIVATED", "remote_id"),
        "dispute": ("CUSTOMER.DISPUTE.CREATED", "payment_id"),
        "other": ("MERCHANT.ONBOARDING.COMPLETED", "merchant_id"),
    }

    def __init__(self, folder: Path) -> None:
        self.stand_in = PayPalStandIn().start()
        self.gateway = PayPalGateway(self.stand_in.settings())

    def decide(self, session_id: str, what: str) -> None:
        self.stand_in.decide(session_id, self._words.get(what, what))

    def ledger(self) -> Ledger:
        return Ledger(*self.stand_in.books.totals())

    def refund_elsewhere(self, payment_id: str, minor: int) -> None:
        capture = self.stand_in.books.capture_of(payment_id)
        part = Money.from_minor(minor, capture["amount"]["currency_code"])
        amount = {"currency_code": part.currency, "value": str(part.amount)}
        self.stand_in.refund(capture["id"], {"amount": amount})

    def dispute(self, payment_id: str) -> None:
        self.stand_in.dispute(payment_id)

    def next_month(self, remote_id: str, *, paid: bool) -> None:
        self.stand_in.next_month(remote_id, paid=paid)

    def event(self, kind: str, **ids: str) -> tuple[bytes, dict[str, str]]:
        type_, name = self._events[kind]
        named = ids.get(name)
        resource = {"disputed_transactions": [{"seller_transaction_id": named}]} if kind == "dispute" else {"id": named}
        return self.stand_in.events.sign(type_, resource)

    def close(self) -> None:
        self.gateway.close()
        self.stand_in.stop()


class StripeWorld:
    """The Stripe gateway and its SDK, over HTTP to a stand-in."""

    can = frozenset(
        {"methods", "keep", "bank", "void_page", "disputes", "resume", "portal", "declines", "find", "events"}
    )
    methods = {  # noqa: RUF012 - a Protocol's attribute of an instance
        "good": "pm_card_visa",
        "declined": "pm_card_visa_chargeDeclined",
        "no_funds": "pm_card_chargeDeclinedInsufficientFunds",
        "needs_bank": "pm_card_threeDSecure2Required",
    }
    _events = {  # noqa: RUF012 - never changed
        "payment": ("payment_intent.succeeded", "payment_intent", "payment_id"),
        "subscription": ("customer.subscription.updated", "subscription", "remote_id"),
        "dispute": ("charge.dispute.created", "dispute", "payment_id"),
        "other": ("account.updated", "account", "account_id"),
    }

    def __init__(self, folder: Path) -> None:
        self.stand_in = StripeStandIn().start()
        values = {"api_key": KEY, "webhook_secret": SECRET, "publishable_key": "", "api_base": self.stand_in.url}
        self.gateway = StripeGateway(StripeSettings.model_validate(values))

    def decide(self, session_id: str, what: str) -> None:
        self.stand_in.decide(session_id, what)

    def ledger(self) -> Ledger:
        return Ledger(*self.stand_in.books.ledger())

    def refund_elsewhere(self, payment_id: str, minor: int) -> None:
        self.stand_in.books.refund({"payment_intent": payment_id, "amount": minor})

    def dispute(self, payment_id: str) -> None:
        self.stand_in.books.dispute(self.stand_in.books.intents[payment_id])

    def next_month(self, remote_id: str, *, paid: bool) -> None:
        self.stand_in.plans.next_month(self.stand_in.plans.plans[remote_id], paid=paid)

    def event(self, kind: str, **ids: str) -> tuple[bytes, dict[str, str]]:
        type_, about, name = self._events[kind]
        named = ids.get(name)
        return self.stand_in.event(type_, {"object": about, ("payment_intent" if kind == "dispute" else "id"): named})

    def close(self) -> None:
        self.stand_in.stop()


# What a test may ask for by name, and what each can; a company's world is added here.
CAN: dict[str, frozenset[str]] = {"practice": PracticeWorld.can, "paypal": PayPalWorld.can, "stripe": StripeWorld.can}


def make_world(name: str, folder: Path) -> PaymentWorld:
    """The world of this name, with an empty folder of its own; to be closed."""
    worlds: dict[str, Callable[[Path], PaymentWorld]] = {
        "practice": PracticeWorld,
        "paypal": PayPalWorld,
        "stripe": StripeWorld,
    }
    return worlds[name](folder)


def worlds_that(*abilities: str) -> list[str]:
    """Names of the worlds that can do all of this."""
    return [name for name, can in CAN.items() if can.issuperset(abilities)]
