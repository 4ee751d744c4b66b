"""Subscriptions of the practice gateway: their months pass at the press of a button."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from pixshift.domain.lifecycle import SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import InvalidInput, NotFound, PaymentFailed
from pixshift.gateways.ports import (
    Hosted,
    InvoiceState,
    RefundState,
    SubscriptionOrder,
    SubscriptionRef,
    SubscriptionState,
)
from pixshift.gateways.practice_books import Books, Plan, key_of
from pixshift.gateways.practice_decisions import give_back, given, settle_by_clock

_MONTH = re.compile(r"ppi_(([0-9a-f]{32})_\d+)")
_RUNS = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


class PracticeSubscriptions:
    """Plans whose months pass when a button is pressed."""

    def __init__(self, books: Books, pages: str, now: Callable[[], datetime]) -> None:
        self._books = books
        self._pages = pages
        self._now = now

    def open(self, order: SubscriptionOrder, customer_id: str) -> Hosted:
        plan = Plan(
            key=order.subscription_id.hex,
            user_id=order.user_id.hex,
            minor=order.money.minor,
            currency=order.money.currency,
            description=order.name,
            return_url=order.return_url,
            cancel_url=order.cancel_url,
            created_at=self._now().isoformat(),
            expires_at=order.expires_at.isoformat(),
            customer_id=customer_id,
        )
        kept = self._books.add(plan)
        session_id = f"ps_{kept.key}"
        return Hosted(session_id, f"{self._pages}/{session_id}", datetime.fromisoformat(kept.expires_at))

    def look(self, ref: SubscriptionRef) -> SubscriptionState | None:
        plan = self._books.find(_key(ref))
        return self.state(plan) if isinstance(plan, Plan) else None

    def cancel(self, ref: SubscriptionRef, *, at_period_end: bool) -> SubscriptionState:
        with self._change(ref) as plan:
            if at_period_end and plan.status in _RUNS:
                plan.cancels_at_period_end = True
            else:
                plan.status, plan.cancels_at_period_end = SubscriptionStatus.ENDED, False
            return self.state(plan)

    def resume(self, ref: SubscriptionRef) -> SubscriptionState:
        with self._change(ref) as plan:
            if plan.status not in _RUNS:
                raise InvalidInput("This subscription has ended. Start a new one.", field="subscription")
            plan.cancels_at_period_end = False
            return self.state(plan)

    def refund(self, payment_id: str, money: Money, cause: str) -> RefundState:
        """Give a month back, once per cause. Raises NotFound, PaymentFailed."""
        named = _MONTH.fullmatch(payment_id)
        with self._books.change(named and named[2]) as plan:
            if not (named and isinstance(plan, Plan)):
                raise NotFound("The practice gateway knows no such payment.")
            invoice_id = f"pin_{named[1]}"
            refunds = plan.refunds.get(invoice_id, [])
            if made := next((refund for refund in given(refunds, plan.currency) if refund.cause == cause), None):
                return made
            if not any(invoice["id"] == invoice_id and invoice["is_paid"] for invoice in plan.invoices):
                raise PaymentFailed("This month cannot be given back.")
            plan.refunds[invoice_id] = refunds
            return give_back(refunds, named[1], plan.money, money, cause)

    def portal_url(self, ref: SubscriptionRef) -> str | None:
        """Its practice page, where its months pass."""
        plan = self._books.find(_key(ref))
        return f"{self._pages}/ps_{plan.key}" if isinstance(plan, Plan) else None

    def state(self, plan: Plan) -> SubscriptionState:
        settle_by_clock(plan, self._now())
        status, session_id = SubscriptionStatus(plan.status), f"ps_{plan.key}"
        invoices = tuple(_invoice(plan, invoice) for invoice in plan.invoices)
        return SubscriptionState(
            status=status,
            money=plan.money,
            is_live=False,
            subscription_id=UUID(plan.key),
            user_id=UUID(plan.user_id),
            session_id=session_id,
            remote_id=f"psub_{plan.key}" if invoices else None,
            customer_id=plan.customer_id,
            cancels_at_period_end=plan.cancels_at_period_end,
            period_end=invoices[-1].ends_at if invoices else None,
            invoices=invoices,
            method_label="Practice card" if invoices else None,
            url=f"{self._pages}/{session_id}" if status is SubscriptionStatus.INCOMPLETE else None,
        )

    @contextmanager
    def _change(self, ref: SubscriptionRef) -> Iterator[Plan]:
        with self._books.change(_key(ref)) as plan:
            if not isinstance(plan, Plan):
                raise NotFound("The practice gateway knows no such subscription.")
            settle_by_clock(plan, self._now())
            yield plan


def is_of_month(payment_id: str) -> bool:
    """Whether this is a plan's payment, and no picture's."""
    return _MONTH.fullmatch(payment_id) is not None


def _key(ref: SubscriptionRef) -> str | None:
    named = ref.remote_id or ref.session_id
    return key_of(named) if named else ref.subscription_id.hex


def _invoice(plan: Plan, invoice: dict[str, str | bool]) -> InvoiceState:
    return InvoiceState(
        invoice_id=str(invoice["id"]),
        is_paid=bool(invoice["is_paid"]),
        money=plan.money,
        starts_at=datetime.fromisoformat(str(invoice["starts_at"])),
        ends_at=datetime.fromisoformat(str(invoice["ends_at"])),
        payment_id=f"ppi_{str(invoice['id']).removeprefix('pin_')}" if invoice["is_paid"] else None,
    )
