"""Stripe's objects and what may become of them: pages, payments, refunds, plans. Sums are in cents."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from tests.stand_ins.stripe_params import Refusal

Thing = dict[str, Any]
DAY = 86_400
METHODS = {
    "pm_card_visa": "",
    "pm_card_visa_chargeDeclined": "card_declined",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_threeDSecure2Required": "bank",
}


class Books:
    """Everything Stripe remembers of one account in test mode, and the events that it would tell."""

    def __init__(self, address: Callable[[], str], tell: Callable[[str, Thing], None]) -> None:
        self._address, self._tell = address, tell
        self._ids = itertools.count(1)
        self.customers: dict[str, Thing] = {}
        self.sessions: dict[str, Thing] = {}
        self.intents: dict[str, Thing] = {}
        self.charges: dict[str, Thing] = {}
        self.refunds: dict[str, Thing] = {}
        self.kept: dict[str, Thing] = {}  # payment methods of customers

    def new(self, kind: str, prefix: str, **values: Any) -> Thing:
        number = next(self._ids)
        base = {"id": f"{prefix}_{number:08d}", "object": kind, "created": int(time.time()), "livemode": False}
        return base | values

    def find(self, where: dict[str, Thing], name: str) -> Thing:
        if name not in where:
            raise Refusal(404, "resource_missing", f"No such object: {name}", "id")
        return where[name]

    # --- payments -----------------------------------------------------------------------------------------------

    def make_customer(self, form: Thing) -> Thing:
        made = self.new("customer", "cus", email=form.get("email"), metadata=form.get("metadata", {}))
        self.customers[made["id"]] = made
        return made

    def make_intent(self, form: Thing, metadata: Thing) -> Thing:
        made = self.new(
            "payment_intent",
            "pi",
            amount=form["amount"],
            amount_received=0,
            currency=form["currency"],
            customer=form.get("customer"),
            capture_method=form.get("capture_method", "automatic"),
            metadata=metadata,
            status="requires_payment_method",
            latest_charge=None,
            payment_method=None,
            last_payment_error=None,
        )
        made["client_secret"] = f"{made['id']}_secret"
        self.intents[made["id"]] = made
        return made

    def confirm(self, intent: Thing, method: str, *, keep: bool = False, is_confirmed: bool = False) -> None:
        """Try a method. Raises Refusal (402) when its bank says no."""
        known = self.kept.get(method)
        if known is not None and known["customer"] != intent["customer"]:
            raise Refusal(400, "resource_missing", "No such PaymentMethod", "payment_method", was_run=False)
        word = METHODS.get(known["was"] if known else method)
        if word is None:
            raise Refusal(400, "resource_missing", "No such PaymentMethod", "payment_method", was_run=False)
        intent["payment_method"] = self._method(method, known, intent if keep else None)
        if word == "bank" and not is_confirmed:
            intent["status"] = "requires_action"
            self._tell("payment_intent.requires_action", intent)
        elif word in ("", "bank"):
            self._hold(intent)
        else:
            self.decline(intent, word)

    def _method(self, method: str, known: Thing | None, keeps: Thing | None) -> Thing:
        if known is not None:
            return known
        card = {"brand": "visa", "last4": "4242"}
        customer = keeps["customer"] if keeps else None
        made = self.new("payment_method", "pm", type="card", card=card, customer=customer, was=method)
        if keeps:
            self.kept[made["id"]] = made
        return made

    def decline(self, intent: Thing, word: str) -> None:
        code = "authentication_required" if word == "authentication_required" else "card_declined"
        decline = None if word in ("card_declined", "authentication_required") else word
        error = {"type": "card_error", "code": code, "decline_code": decline}
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
        self._tell("payment_intent.payment_failed", intent)
        more = {"decline_code": decline, "payment_intent": intent}
        raise Refusal(402, code, "Your card was declined.", **more)

    def _hold(self, intent: Thing) -> None:
        charge = self.new(
            "charge", "ch", amount=intent["amount"], amount_refunded=0, captured=False, disputed=False,
            currency=intent["currency"], payment_intent=intent["id"], status="succeeded",
        )  # fmt: skip
        self.charges[charge["id"]] = charge
        intent |= {"status": "requires_capture", "latest_charge": charge["id"], "last_payment_error": None}
        self._tell("payment_intent.amount_capturable_updated", intent)
        if intent["capture_method"] != "manual":
            self.capture(intent, intent["amount"])

    def capture(self, intent: Thing, amount: int | None) -> None:
        if intent["status"] != "requires_capture":
            raise Refusal(400, "payment_intent_unexpected_state", "This PaymentIntent could not be captured.")
        taken = intent["amount"] if amount is None else amount
        if not 0 < taken <= intent["amount"]:
            raise Refusal(400, "amount_too_large", "The amount is too large.", "amount_to_capture")
        intent |= {"status": "succeeded", "amount_received": taken}
        self.charges[intent["latest_charge"]] |= {"captured": True, "amount_captured": taken}
        self._tell("payment_intent.succeeded", intent)

    def cancel(self, intent: Thing) -> None:
        page = next((page for page in self.sessions.values() if page["payment_intent"] == intent["id"]), None)
        is_pages = page is not None and page["status"] == "open"
        if intent["status"] in ("succeeded", "canceled") or is_pages:
            raise Refusal(400, "payment_intent_unexpected_state", "This PaymentIntent cannot be canceled now.")
        intent["status"] = "canceled"
        self._tell("payment_intent.canceled", intent)

    def refund(self, form: Thing) -> Thing:
        intent = self.find(self.intents, form["payment_intent"])
        charge = self.charges.get(intent["latest_charge"] or "")
        if charge is None or intent["status"] != "succeeded":
            raise Refusal(400, "charge_not_captured", "Nothing was charged.")
        if charge["disputed"]:
            raise Refusal(400, "charge_disputed", "This charge is disputed.")
        left = intent["amount_received"] - charge["amount_refunded"]
        amount = form.get("amount", left)
        if left == 0:
            raise Refusal(400, "charge_already_refunded", "Charge has already been refunded.")
        if not 0 < amount <= left:
            raise Refusal(400, None, "Refund amount is greater than unrefunded amount.", "amount")
        made = self.new(
            "refund", "re", amount=amount, currency=intent["currency"], payment_intent=intent["id"],
            metadata=form.get("metadata", {}), status="succeeded",
        )  # fmt: skip
        charge["amount_refunded"] += amount
        self.refunds[made["id"]] = made
        self._tell("charge.refunded", charge)
        return made

    def dispute(self, intent: Thing) -> None:
        self.charges[intent["latest_charge"]]["disputed"] = True
        made = self.new("dispute", "du", payment_intent=intent["id"], amount=intent["amount_received"])
        self._tell("charge.dispute.created", made)

    # --- pages --------------------------------------------------------------------------------------------------

    def open_page(self, form: Thing) -> Thing:
        if not time.time() + 1795 <= form["expires_at"] <= time.time() + DAY:
            raise Refusal(400, None, "expires_at must be between 30 minutes and 24 hours away.", "expires_at")
        page = self.new(
            "checkout.session",
            "cs_test",
            mode=form["mode"],
            status="open",
            payment_status="unpaid",
            metadata=form.get("metadata", {}),
            client_reference_id=form.get("client_reference_id"),
            customer=form.get("customer"),
            currency="usd",
            payment_intent=None,
            subscription=None,
            success_url=form["success_url"],
            cancel_url=form.get("cancel_url"),
            expires_at=form["expires_at"],
            asked=form,
        )
        line = form["line_items"][0]
        if price := line.get("price_data"):
            page |= {"amount_total": price["unit_amount"] * line["quantity"], "currency": price["currency"]}
        page["url"] = f"{self._address()}/c/pay/{page['id']}"
        self.sessions[page["id"]] = page
        return page

    def intent_of(self, page: Thing) -> Thing:
        """Stripe makes a page's payment when the payer first tries."""
        if page["payment_intent"] is None:
            data = page["asked"].get("payment_intent_data", {})
            form = {"amount": page["amount_total"], "currency": page["currency"], "customer": page["customer"]}
            form["capture_method"] = data.get("capture_method", "automatic")
            page["payment_intent"] = self.make_intent(form, data.get("metadata", {}))["id"]
        return self.intents[page["payment_intent"]]

    def complete(self, page: Thing) -> None:
        page |= {"status": "complete", "url": None}
        self._tell("checkout.session.completed", page)

    def expire(self, page: Thing) -> None:
        if page["status"] != "open":
            raise Refusal(400, None, "Only Checkout Sessions with a status in open can be expired.")
        page |= {"status": "expired", "url": None}
        if page["payment_intent"]:
            self.intents[page["payment_intent"]]["status"] = "canceled"
        self._tell("checkout.session.expired", page)

    def ledger(self) -> tuple[int, int, int]:
        """Held, captured and refunded, in all."""
        held = sum(item["amount"] for item in self.intents.values() if item["status"] == "requires_capture")
        captured = sum(item["amount_received"] for item in self.intents.values())
        return held, captured, sum(item["amount"] for item in self.refunds.values() if item["status"] == "succeeded")
