"""Stripe over HTTP: forms checked against the SDK's own types, keys that are kept, events that are signed.

Moods: ``ok``; ``500`` and ``429`` before anything happens; ``cut`` after it did, ``500_after`` likewise.
"""

import json
import random
import re
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import stripe

from tests.stand_ins.server import Exchange, StandIn
from tests.stand_ins.stripe_books import Books, Thing
from tests.stand_ins.stripe_params import Refusal, check, parse_form
from tests.stand_ins.stripe_plans import Plans

SECRET = "whsec_stand_in"
KEY = "sk_test_stand_in"
_BUTTONS = {
    "pay": "Pay",
    "pay_and_save": "Pay and keep this card",
    "decline": "Card declined",
    "need_bank": "Bank asks first",
    "confirm": "Confirm at the bank",
    "refuse_bank": "Refuse at the bank",
}


class StripeStandIn(StandIn):
    """``deliver_to`` is where events go; ``dice`` drops, doubles and reorders them when ``is_unreliable``."""

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(lambda: self.url, self._tell)
        self.plans = Plans(self.books, self._tell)
        self.deliver_to: str | None = None
        self.is_unreliable = False
        self.dice = random.Random(1)
        self.told: list[tuple[bytes, dict[str, str]]] = []
        self._keys: dict[str, tuple[str, int, Any]] = {}
        self._state = threading.RLock()

    def environ(self) -> dict[str, str]:
        return {
            "STRIPE_API_KEY": KEY,
            "STRIPE_API_BASE": self.url,
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "PAYMENT_GATEWAY": "stripe",
        }

    def counts(self, exchange: Exchange) -> bool:
        return exchange.path.startswith("/v1/")

    def answer(self, exchange: Exchange, mood: str) -> None:
        path = urlsplit(exchange.path).path
        if path.startswith("/c/pay/"):
            self._page(exchange, path.rpartition("/")[2])
            return
        if mood in ("500", "429"):
            exchange.reply_json(int(mood), {"error": {"type": "api_error", "message": "busy"}})
            return
        with self._state:
            status, body = self._once(exchange, path)
        if mood == "cut":
            exchange.cut()
        elif mood == "500_after":
            exchange.reply_json(500, {"error": {"type": "api_error", "message": "busy"}})
        else:
            exchange.reply_json(status, body)

    def _once(self, exchange: Exchange, path: str) -> tuple[int, Any]:
        """The same key with the same form answers what it answered, with another form an error."""
        key, form = exchange.headers.get("Idempotency-Key"), exchange.body.decode()
        if exchange.headers.get("Authorization") != f"Bearer {KEY}":
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key"}}
        if key and exchange.command == "POST" and key in self._keys:
            known, status, body = self._keys[key]
            if known != f"{path} {form}":
                return 400, {"error": {"type": "idempotency_error", "message": "Keys are for the same request."}}
            return status, body
        try:
            status, body, was_run = 200, self._act(exchange, path, form), True
        except Refusal as refusal:
            status, body, was_run = refusal.status, {"error": refusal.error}, refusal.was_run
        body = json.loads(json.dumps(body))
        if key and was_run:
            self._keys[key] = f"{path} {form}", status, body
        return status, body

    def _act(self, exchange: Exchange, path: str, form: str) -> Any:
        query = parse_form(urlsplit(exchange.path).query)
        for method, pattern, act in self._routes():
            if method == exchange.command and (match := re.fullmatch(pattern, path)):
                return act(parse_form(form) if method == "POST" else query, *match.groups())
        raise Refusal(404, None, f"Unrecognized request URL ({exchange.command}: {path}).")

    def _routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        books, plans = self.books, self.plans
        return [
            ("POST", "/v1/customers", lambda f: books.make_customer(check("CustomerCreateParams", f))),
            ("POST", r"/v1/customers/(\w+)", self._change_customer),
            ("POST", "/v1/checkout/sessions", self._open_page),
            ("GET", "/v1/checkout/sessions", lambda f: self._list(books.sessions, f, self._shown_page)),
            ("GET", r"/v1/checkout/sessions/(\w+)", lambda f, i: self._shown_page(books.find(books.sessions, i))),
            ("POST", r"/v1/checkout/sessions/(\w+)/expire", self._expire),
            ("POST", "/v1/payment_intents", self._pay),
            ("GET", "/v1/payment_intents", lambda f: self._list(books.intents, f, self._shown)),
            ("GET", r"/v1/payment_intents/(\w+)", lambda f, i: self._shown(books.find(books.intents, i))),
            ("POST", r"/v1/payment_intents/(\w+)/capture", self._capture),
            ("POST", r"/v1/payment_intents/(\w+)/cancel", self._cancel),
            ("POST", "/v1/refunds", lambda f: books.refund(check("RefundCreateParams", f))),
            ("GET", "/v1/refunds", lambda f: self._list(self._refunds(f["payment_intent"]), {}, dict)),
            ("GET", "/v1/prices", self._find_prices),
            ("POST", "/v1/prices", lambda f: plans.make_price(check("PriceCreateParams", f))),
            ("GET", r"/v1/subscriptions/(\w+)", lambda f, i: books.find(plans.plans, i)),
            ("POST", r"/v1/subscriptions/(\w+)", self._change_plan),
            ("DELETE", r"/v1/subscriptions/(\w+)", self._end_plan),
            ("GET", "/v1/invoices", lambda f: _listed(plans.listed(f["subscription"]))),
            ("POST", "/v1/billing_portal/sessions", lambda f: {"url": f"{self.url}/portal/{f['customer']}"}),
            ("GET", "/v1/balance", lambda f: {"object": "balance", "livemode": False}),
            ("GET", "/v1/webhook_endpoints", lambda f: _listed([{"id": "we_1", "api_version": stripe.api_version}])),
        ]

    # --- what is asked ------------------------------------------------------------------------------------------

    def _change_customer(self, form: Thing, name: str) -> Thing:
        found = self.books.find(self.books.customers, name)
        found |= check("CustomerModifyParams", form)
        return found

    def _open_page(self, form: Thing) -> Thing:
        page = self.books.open_page(check("checkout.SessionCreateParams", form))
        if page["mode"] == "subscription":
            self.plans.price_page(page)
        return self._shown_page(page)

    def _expire(self, form: Thing, name: str) -> Thing:
        page = self.books.find(self.books.sessions, name)
        self.books.expire(page)
        return self._shown_page(page)

    def _pay(self, form: Thing) -> Thing:
        asked = check("PaymentIntentCreateParams", form)
        intent = self.books.make_intent(asked, asked.get("metadata", {}))
        if asked.get("confirm"):
            try:
                self.books.confirm(intent, asked["payment_method"])
            except Refusal as refusal:
                if not refusal.was_run:  # refused before there was a payment
                    del self.books.intents[intent["id"]]
                raise
        return self._shown(intent)

    def _capture(self, form: Thing, name: str) -> Thing:
        asked = check("PaymentIntentCaptureParams", form)
        intent = self.books.find(self.books.intents, name)
        self.books.capture(intent, asked.get("amount_to_capture"))
        return self._shown(intent)

    def _cancel(self, form: Thing, name: str) -> Thing:
        check("PaymentIntentCancelParams", form)
        intent = self.books.find(self.books.intents, name)
        self.books.cancel(intent)
        return self._shown(intent)

    def _find_prices(self, form: Thing) -> Thing:
        keys = form.get("lookup_keys", [])
        return _listed([price for price in self.plans.prices.values() if price["lookup_key"] in keys])

    def _change_plan(self, form: Thing, name: str) -> Thing:
        asked = check("SubscriptionModifyParams", form)
        plan = self.books.find(self.plans.plans, name)
        plan["cancel_at_period_end"] = asked["cancel_at_period_end"]
        return plan

    def _end_plan(self, form: Thing, name: str) -> Thing:
        plan = self.books.find(self.plans.plans, name)
        self.plans.end(plan)
        return plan

    # --- what is shown ------------------------------------------------------------------------------------------

    def _refunds(self, intent_id: str) -> dict[str, Thing]:
        found = self.books.refunds.items()
        return {name: item for name, item in found if item["payment_intent"] == intent_id}

    def _shown(self, intent: Thing) -> Thing:
        charge = self.books.charges.get(intent["latest_charge"] or "")
        refunds = _listed(list(self._refunds(intent["id"]).values())[::-1])
        return intent | {"latest_charge": charge | {"refunds": refunds} if charge else None}

    def _shown_page(self, page: Thing) -> Thing:
        intent = self.books.intents.get(page["payment_intent"] or "")
        shown = {name: value for name, value in page.items() if name != "asked"}
        return shown | {"payment_intent": self._shown(intent) if intent else None}

    def _list(self, where: dict[str, Thing], form: Thing, show: Callable[[Thing], Thing]) -> Thing:
        """Newest first, page by page."""
        found = list(where.values())[::-1]
        if customer := form.get("customer"):
            found = [item for item in found if item["customer"] == customer]
        since = int(form.get("created", {}).get("gte", 0))
        found = [item for item in found if item["created"] >= since]
        names = [item["id"] for item in found]
        begin = names.index(form["starting_after"]) + 1 if "starting_after" in form else 0
        limit = int(form.get("limit", 10))
        return _listed([show(item) for item in found[begin : begin + limit]], len(found) > begin + limit)

    # --- the payer ----------------------------------------------------------------------------------------------

    def decide(self, name: str, what: str) -> str | None:
        """What a payer does on a page, or at their bank for a payment; where they are sent then, None: they stay."""
        with self._state:
            if name in self.books.intents:
                self._at_bank(self.books.intents[name], what)
                return None
            page = self.books.find(self.books.sessions, name)
            if what == "cancel":
                return str(page["cancel_url"])
            if page["status"] != "open":
                return None
            if what == "expire":
                self.books.expire(page)
            elif page["mode"] == "subscription":
                if what in ("pay", "pay_and_save", "confirm"):
                    self.plans.begin(page)
            else:
                self._on_page(page, what)
            is_done = page["status"] == "complete"
            return str(page["success_url"]).replace("{CHECKOUT_SESSION_ID}", page["id"]) if is_done else None

    def _on_page(self, page: Thing, what: str) -> None:
        intent = self.books.intent_of(page)
        if intent["status"] == "requires_action" or what in ("confirm", "refuse_bank"):
            self._at_bank(intent, what)
        else:
            words = {"decline": "pm_card_visa_chargeDeclined", "need_bank": "pm_card_threeDSecure2Required"}
            method = words.get(what, "pm_card_visa")
            self._try(lambda: self.books.confirm(intent, method, keep=what == "pay_and_save"))
        if intent["status"] == "requires_capture":
            self.books.complete(page)

    def _at_bank(self, intent: Thing, what: str) -> None:
        if intent["status"] != "requires_action":
            return
        if what == "confirm":
            self.books.confirm(intent, "pm_card_threeDSecure2Required", is_confirmed=True)
        elif what == "refuse_bank":
            self._try(lambda: self.books.decline(intent, "authentication_required"))

    @staticmethod
    def _try(act: Callable[[], None]) -> None:
        """The page says by itself what its bank refused."""
        try:
            act()
        except Refusal as refusal:
            if refusal.status != 402:
                raise

    def _page(self, exchange: Exchange, name: str) -> None:
        if exchange.command == "POST":
            what = parse_qs(exchange.body.decode()).get("what", [""])[0]
            onwards = self.decide(name, what) or exchange.path
            exchange.reply(303, b"", "text/plain", Location=onwards)
            return
        page = self.books.find(self.books.sessions, name)
        rows = "".join(f'<button name="what" value="{word}">{says}</button>' for word, says in _BUTTONS.items())
        leave = '<button name="what" value="cancel">Leave</button>'
        total = f"{page['amount_total'] / 100:.2f} {page['currency'].upper()}"
        html = (
            f"<!doctype html><title>Stripe stand-in</title><h1>Pay {total}</h1><form method=post>{rows}{leave}</form>"
        )
        exchange.reply(200, html.encode(), "text/html; charset=utf-8")

    # --- events -------------------------------------------------------------------------------------------------

    def _tell(self, kind: str, about: Thing) -> None:
        shown = {name: value for name, value in about.items() if name != "asked"}
        body, headers = self.event(kind, shown)
        self.told.append((body, headers))

    def event(self, kind: str, about: Thing) -> tuple[bytes, dict[str, str]]:
        said = self.books.new(
            "event", "evt", type=kind, api_version=stripe.api_version, data={"object": about}, pending_webhooks=1,
            request={"id": None, "idempotency_key": None},
        )  # fmt: skip
        body = json.dumps(said, default=str).encode()
        header = stripe.WebhookSignature.generate_signature_header(body.decode(), SECRET, timestamp=int(time.time()))
        return body, {"Stripe-Signature": header, "Content-Type": "application/json"}

    def deliver(self) -> list[int]:
        """Send what was not sent yet; when unreliable some is lost, some comes twice, and in any order."""
        waiting, self.told = self.told, []
        if self.is_unreliable:
            waiting = [item for item in waiting for _ in range(self.dice.choice((0, 1, 1, 2)))]
            self.dice.shuffle(waiting)
        assert self.deliver_to is not None
        return [
            requests.post(self.deliver_to, data=body, headers=headers, timeout=10).status_code
            for body, headers in waiting
        ]


def _listed(found: list[Thing], has_more: bool = False) -> Thing:
    return {"object": "list", "data": found, "has_more": has_more, "url": "/v1/list"}
