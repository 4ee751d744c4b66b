"""Who pays by the stand-in for PayPal: what they can do, and the page on which they do it."""

import html

from tests.stand_ins.paypal_books import Books
from tests.stand_ins.paypal_events import Events
from tests.stand_ins.paypal_plans import Plans

_BUTTONS = (("approve", "Pay"), ("decline", "Card is declined"), ("cancel", "Cancel and return"))


def page(path: str) -> bytes:
    """Its buttons send ``what`` to where the page came from."""
    buttons = "".join(f'<button name="what" value="{what}">{label}</button>' for what, label in _BUTTONS)
    form = f'<form method="post" action="{html.escape(path, quote=True)}">{buttons}</form>'
    return f"<!doctype html><title>PayPal stand-in</title><h1>PayPal stand-in</h1>{form}".encode()


class Payer:
    def __init__(self, books: Books, plans: Plans, events: Events) -> None:
        self.books, self.plans, self.events = books, plans, events

    def decide(self, session_id: str, what: str) -> str | None:
        """approve, decline (the wallet says no on the page), approve_empty (no money when it is to be held), cancel,
        expire. Answers where the payer is sent, None while they stay; what is not possible any more changes nothing."""
        with self.books.lock:
            if session_id in self.plans.subscriptions:
                return self._decide_plan(session_id, what)
            if session_id not in self.books.orders:
                return None
            context = self.books.orders[session_id]["_context"]
            if what == "expire":
                self.books.expire(session_id)
                return None
            if what == "approve_empty":
                self.books.decline_next.add(session_id)
            if what.startswith("approve") and self.books.approve(session_id):
                self.events.emit("CHECKOUT.ORDER.APPROVED", self.books.order(session_id))
                return f"{context['return_url']}?token={session_id}&PayerID=PAYER1"
            return f"{context['cancel_url']}?token={session_id}" if what == "cancel" else None

    def _decide_plan(self, remote_id: str, what: str) -> str | None:
        context = self.plans.subscriptions[remote_id]["_context"]
        if what == "approve" and self.plans.approve(remote_id):
            self.events.emit("BILLING.SUBSCRIPTION.ACTIVATED", self.plans.shown(remote_id))
            self.events.emit("PAYMENT.SALE.COMPLETED", {"billing_agreement_id": remote_id})
            return f"{context['return_url']}?subscription_id={remote_id}&ba_token=BA-1&token=BA-1"
        return str(context["cancel_url"]) if what == "cancel" else None
