"""One world per payment gateway: the gateway itself, what payers and their banks do, and the company's own books.

``can`` says what a world is able to show; a contract test that needs it runs in those worlds only:
"methods" (pay without the page), "keep" (the payer lets the card be kept), "bank" (3-D Secure), "void_page" (a page is
closed at once when it is voided), "disputes", "resume" (take back a cancellation), "portal", "events", "declines" (the
page says why).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pixshift.domain.lifecycle import PaymentStatus
from pixshift.gateways.ports import PaymentGateway
from pixshift.gateways.practice_payments import PracticeGateway


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

    can = frozenset({"methods", "keep", "bank", "void_page", "disputes", "resume", "portal", "declines"})
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


# What a test may ask for by name, and what each can; a company's world is added here.
CAN: dict[str, frozenset[str]] = {"practice": PracticeWorld.can}


def make_world(name: str, folder: Path) -> PaymentWorld:
    """The world of this name, with an empty folder of its own; to be closed."""
    return {"practice": PracticeWorld}[name](folder)


def worlds_that(*abilities: str) -> list[str]:
    """Names of the worlds that can do all of this."""
    return [name for name, can in CAN.items() if can.issuperset(abilities)]
