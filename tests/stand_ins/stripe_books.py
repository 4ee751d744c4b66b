"""Stripe's side of one-off payments: customers, cards, payment intents, charges, refunds, disputes."""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.stand_ins.stripe_params import Refusal

Thing = dict[str, Any]

# Test cards, and what becomes of a payment with them: (code, decline_code), or that the bank asks.
CARDS: dict[str, tuple[str, str] | str | None] = {
    "pm_card_visa": None,
    "pm_card_mastercard": None,
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "pm_card_threeDSecure2Required": "bank",
    "pm_card_threeDSecureRequired": "bank",
}
_NOT_CONFIRMED = "payment_intent_authentication_failure"
_CAN_BE_CANCELED = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")
_NAMES = {
    "cus": "customer",
    "cs": "checkout.session",
    "pi": "payment_intent",
    "ch": "charge",
    "pm": "payment_method",
    "re": "refund",
    "dp": "dispute",
    "sub": "subscription",
    "in": "invoice",
    "price": "price",
    "prod": "product",
    "we": "webhook_endpoint",
}


class Books:
    """Everything that exists, by id and in the order it was made. ``lock`` is held around every change."""

    def __init__(self, emit: Callable[[str, Thing], None]) -> None:
        self.lock = threading.RLock()
        self.things: dict[str, Thing] = {}
        self.emit = emit

    def add(self, prefix: str, **fields: Any) -> Thing:
        named = f"{prefix}_test_{uuid4().hex}" if prefix == "cs" else f"{prefix}_{uuid4().hex[:24]}"
        base = {"id": named, "object": _NAMES[prefix], "created": int(time.time()), "livemode": False}
        self.things[named] = base | fields
        return self.things[named]

    def get(self, named: str, kind: str, param: str = "id") -> Thing:
        found = self.things.get(named)
        if found is None or found["object"] != kind:
            status = 404 if param == "id" else 400
            raise Refusal(status, "resource_missing", f"No such {kind}: '{named}'", param, was_run=False)
        return found

    def all(self, kind: str) -> list[Thing]:
        """Newest first."""
        return [thing for thing in reversed(self.things.values()) if thing["object"] == kind]

    def customer(self, params: Thing) -> Thing:
        made = self.add(
            "cus", email=params.get("email"), name=params.get("name"), metadata=params.get("metadata") or {}
        )
        self.emit("customer.created", made)
        return made

    def method(self, named: str, customer: str | None) -> Thing:
        """A test card is another card each time; a kept one is its customer's alone."""
        if named in CARDS:
            card = {"brand": "mastercard" if "mastercard" in named else "visa", "last4": "4242"}
            return self.add("pm", type="card", card=card, customer=None, metadata={}, _does=CARDS[named])
        found = self.things.get(named)
        if found is None or found["object"] != "payment_method":
            raise Refusal(400, "resource_missing", f"No such PaymentMethod: '{named}'", "payment_method")
        if found["customer"] != customer or customer is None:
            raise Refusal(400, None, "This PaymentMethod belongs to somebody else or was used up.", "payment_method")
        return found

    def intent(self, params: Thing, **more: Any) -> Thing:
        if params.get("customer"):
            self.get(params["customer"], "customer", "customer")
        if params["amount"] < 50:
            raise Refusal(400, "amount_too_small", "Amount must be at least $0.50 usd", "amount")
        made = self.add(
            "pi",
            amount=params["amount"],
            amount_capturable=0,
            amount_received=0,
            capture_method=params.get("capture_method", "automatic"),
            currency=params["currency"],
            customer=params.get("customer"),
            description=params.get("description"),
            metadata=params.get("metadata") or {},
            status="requires_payment_method",
            last_payment_error=None,
            latest_charge=None,
            payment_method=None,
            payment_method_types=["card"],
            next_action=None,
            canceled_at=None,
            cancellation_reason=None,
            **more,
        )
        made["client_secret"] = f"{made['id']}_secret_{uuid4().hex[:16]}"
        self.emit("payment_intent.created", made)
        return made

    def confirm(self, intent: Thing, method: Thing) -> Thing:
        """Raises Refusal 402 when the card is declined."""
        if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
            raise _unexpected(intent)
        does = method["_does"]
        if does == "bank":
            intent |= {"status": "requires_action", "payment_method": method["id"], "last_payment_error": None}
            intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
            self.emit("payment_intent.requires_action", intent)
        elif does:
            self._decline(intent, method, does)
        else:
            self._charge(intent, method)
        return intent

    def authenticate(self, intent: Thing, *, passed: bool) -> None:
        """What the payer answered to their bank; nothing when it did not ask."""
        if intent["status"] != "requires_action":
            return
        intent["next_action"] = None
        if passed:
            self._charge(intent, self.things[intent["payment_method"]])
            return
        intent |= {"status": "requires_payment_method", "payment_method": None}
        intent["last_payment_error"] = {"type": "invalid_request_error", "code": _NOT_CONFIRMED, "message": "Refused."}
        self.emit("payment_intent.payment_failed", intent)

    def capture(self, named: str, params: Thing) -> Thing:
        intent = self.get(named, "payment_intent")
        if intent["status"] != "requires_capture":
            raise _unexpected(intent)
        amount = params.get("amount_to_capture", intent["amount"])
        if not 0 < amount <= intent["amount"]:
            raise Refusal(400, "amount_too_large", "More than is held.", "amount_to_capture")
        intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
        self.things[intent["latest_charge"]] |= {"captured": True, "amount_captured": amount}
        self.emit("charge.captured", self.things[intent["latest_charge"]])
        self.emit("payment_intent.succeeded", intent)
        return intent

    def cancel(self, named: str, params: Thing) -> Thing:
        intent = self.get(named, "payment_intent")
        page = self.things.get(intent.get("_session") or "")
        if intent["status"] not in _CAN_BE_CANCELED or (page and page["status"] == "open"):
            raise _unexpected(intent)
        self.end_intent(intent, params.get("cancellation_reason"))
        return intent

    def end_intent(self, intent: Thing, reason: str | None) -> None:
        if intent["status"] == "requires_capture":  # letting go of a hold is a refund, of what was never taken
            charge = self.things[intent["latest_charge"]]
            charge |= {"refunded": True, "amount_refunded": charge["amount"]}
            self._add_refund(intent, charge, charge["amount"], {})
        intent |= {"status": "canceled", "canceled_at": int(time.time()), "amount_capturable": 0, "next_action": None}
        intent["cancellation_reason"] = reason
        self.emit("payment_intent.canceled", intent)

    def refund(self, params: Thing) -> Thing:
        named = params.get("payment_intent")
        if named is None:
            raise Refusal(400, "parameter_missing", "Say of what.", "payment_intent", was_run=False)
        intent = self.get(named, "payment_intent", "payment_intent")
        charge = self.things.get(intent["latest_charge"] or "")
        if charge is None or intent["status"] != "succeeded":
            raise Refusal(400, "charge_not_refundable", "Nothing was taken.")
        left = intent["amount_received"] - charge["amount_refunded"]
        amount = params.get("amount", left)
        if charge["disputed"]:
            raise Refusal(400, "charge_disputed", "This charge has been charged back.")
        if left == 0:
            raise Refusal(400, "charge_already_refunded", "This charge has already been refunded.")
        if not 0 < amount <= left:
            raise Refusal(400, None, "Refund amount is greater than unrefunded amount.", "amount")
        made = self._add_refund(intent, charge, amount, params.get("metadata") or {})
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == intent["amount_received"]
        self.emit("refund.created", made)
        self.emit("charge.refunded", charge)
        return made

    def fail_refund(self, named: str) -> None:
        """The payer's bank sends it back, days later."""
        refund = self.get(named, "refund")
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        charge = self.things[refund["charge"]]
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        self.emit("refund.failed", refund)

    def dispute(self, payment_id: str) -> Thing:
        intent = self.get(payment_id, "payment_intent")
        charge = self.things[intent["latest_charge"]]
        charge["disputed"] = True
        made = self.add(
            "dp", amount=charge["amount"], currency=charge["currency"], charge=charge["id"],
            payment_intent=payment_id, status="needs_response", reason="fraudulent", metadata={},
        )  # fmt: skip
        self.emit("charge.dispute.created", made)
        return made

    def _add_refund(self, intent: Thing, charge: Thing, amount: int, metadata: Thing) -> Thing:
        return self.add(
            "re", amount=amount, currency=intent["currency"], charge=charge["id"], payment_intent=intent["id"],
            status="succeeded", metadata=metadata, reason=None,
        )  # fmt: skip

    def _add_charge(self, intent: Thing, method: Thing, status: str) -> Thing:
        made = self.add(
            "ch", amount=intent["amount"], amount_captured=0, amount_refunded=0, captured=False, refunded=False,
            disputed=False, currency=intent["currency"], customer=intent["customer"], payment_intent=intent["id"],
            payment_method=method["id"], status=status, metadata=intent["metadata"],
        )  # fmt: skip
        intent["latest_charge"] = made["id"]
        return made

    def _charge(self, intent: Thing, method: Thing) -> None:
        charge = self._add_charge(intent, method, "succeeded")
        intent |= {"payment_method": method["id"], "last_payment_error": None}
        if intent["capture_method"] == "manual":
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
            self.emit("payment_intent.amount_capturable_updated", intent)
            return
        charge |= {"captured": True, "amount_captured": intent["amount"]}
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        self.emit("payment_intent.succeeded", intent)

    def _decline(self, intent: Thing, method: Thing, words: tuple[str, str]) -> None:
        code, decline_code = words
        self._add_charge(intent, method, "failed")
        error = {"type": "card_error", "code": code, "decline_code": decline_code, "message": "Your card was declined."}
        intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error}
        self.emit("payment_intent.payment_failed", intent)
        shown = {name: value for name, value in intent.items() if not name.startswith("_")}
        raise Refusal(402, code, error["message"], decline_code=decline_code, payment_intent=shown)


def _unexpected(intent: Thing) -> Refusal:
    message = f"This PaymentIntent could not be changed because it has a status of {intent['status']}."
    return Refusal(400, "payment_intent_unexpected_state", message)
