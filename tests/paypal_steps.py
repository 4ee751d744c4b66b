"""A payment at PayPal, brought to the step that a test is about."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from pixshift.domain.pricing import Money
from pixshift.gateways.paypal import PayPalGateway
from pixshift.gateways.ports import Order, PaymentRef, PaymentState, SubscriptionOrder, SubscriptionRef
from tests.stand_ins.paypal import PayPalStandIn
from tests.stand_ins.server import Recorded

PRICE = Money(Decimal("0.99"), "USD")
MONTHLY = Money(Decimal("9.99"), "USD")
CAUSE = "not_good"
ENDS = {"create": "/orders", "authorize": "/authorize", "capture": "/capture", "void": "/void", "refund": "/refund"}
# PayPal's books after each step: orders, then held, captured and refunded in minor units.
AFTER = {
    "create": (1, (0, 0, 0)),
    "authorize": (1, (99, 0, 0)),
    "capture": (1, (0, 99, 0)),
    "void": (1, (0, 0, 0)),
    "refund": (1, (0, 99, 99)),
}


@dataclass
class Desk:
    """The gateway, its SDK and the stand-in."""

    gateway: PayPalGateway
    stand_in: PayPalStandIn

    def opened(self, **changes: Any) -> tuple[Order, PaymentRef]:
        asked = order(**changes)
        return asked, PaymentRef(asked.attempt_id, session_id=self.gateway.open_checkout(asked).session_id)

    def approved(self, **changes: Any) -> tuple[Order, PaymentRef]:
        asked, ref = self.opened(**changes)
        self.stand_in.decide(str(ref.session_id), "approve")
        return asked, ref

    def held(self, **changes: Any) -> tuple[Order, PaymentRef]:
        asked, ref = self.approved(**changes)
        return asked, replace(ref, payment_id=self.gateway.authorize(ref).payment_id)

    def captured(self, **changes: Any) -> tuple[Order, PaymentRef, str]:
        asked, ref = self.held(**changes)
        return asked, ref, str(self.gateway.capture(ref, asked.money).capture_id)

    def subscribed(self, **changes: Any) -> tuple[SubscriptionOrder, SubscriptionRef]:
        """A plan whose page waits."""
        asked = subscription(**changes)
        page = self.gateway.open_subscription(asked)
        return asked, SubscriptionRef(asked.subscription_id, session_id=page.session_id)

    def look(self, ref: PaymentRef) -> PaymentState:
        state = self.gateway.look(ref)
        assert state is not None
        return state

    def before(self, step: str) -> tuple[Order, Callable[[], Any]]:
        """All is done but this step, and the step itself, which may be done any number of times."""
        if step == "create":
            asked = order()
            return asked, lambda: self.gateway.open_checkout(asked)
        if step == "authorize":
            asked, ref = self.approved()
            return asked, lambda: self.gateway.authorize(ref)
        if step == "refund":
            asked, ref, capture_id = self.captured()
            return asked, lambda: self.gateway.refund(ref, capture_id, asked.money, CAUSE)
        asked, ref = self.held()
        if step == "capture":
            return asked, lambda: self.gateway.capture(ref, asked.money)
        return asked, lambda: self.gateway.void(ref)

    def spoil(self, step: str, *moods: str) -> None:
        """What the stand-in does with the next calls of this step; all others are well."""
        left = deque(moods)
        self.stand_in.choose = lambda path: left.popleft() if left and path.endswith(ENDS[step]) else "ok"

    def posts(self, step: str) -> list[Recorded]:
        return [sent for sent in self.stand_in.requests if sent.method == "POST" and sent.path.endswith(ENDS[step])]

    def books(self) -> tuple[int, tuple[int, int, int]]:
        return len(self.stand_in.books.orders), self.stand_in.books.totals()


def order(**changes: Any) -> Order:
    asked = Order(
        attempt_id=uuid4(), record_id=uuid4(), user_id=uuid4(), money=PRICE, description="One picture: Engraving",
        return_url="http://localhost/billing/return/paypal", cancel_url="http://localhost/billing",
        expires_at=datetime.now(UTC) + timedelta(minutes=40),
    )  # fmt: skip
    return replace(asked, **changes)


def subscription(**changes: Any) -> SubscriptionOrder:
    asked = SubscriptionOrder(
        subscription_id=uuid4(), user_id=uuid4(), money=MONTHLY, name="PixShift Premium",
        return_url="http://localhost/billing/return/paypal", cancel_url="http://localhost/billing",
        expires_at=datetime.now(UTC) + timedelta(minutes=40), customer_id=None,
    )  # fmt: skip
    return replace(asked, **changes)
