"""Stripe at the wire: its API for payments and subscriptions, its pages, its events, and books of its own.

``python -m tests.stand_ins.stripe --port 9005 --deliver-to http://127.0.0.1:8000/webhooks/stripe`` runs it by hand.
"""

import argparse
import contextlib
import json
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from pixshift.settings_sections import Stripe
from tests.stand_ins import stripe_pages
from tests.stand_ins.server import Exchange, StandIn
from tests.stand_ins.stripe_books import Books, Thing
from tests.stand_ins.stripe_checkout import Checkout, shown
from tests.stand_ins.stripe_params import Refusal, check, parse_form
from tests.stand_ins.stripe_webhooks import Webhooks

KEY, SECRET = "sk_test_" + "standin", "whsec_" + "standin"
_LISTS = {
    "checkout/sessions": ("checkout.session", "checkout.SessionListParams"),
    "payment_intents": ("payment_intent", "PaymentIntentListParams"),
    "refunds": ("refund", "RefundListParams"),
    "subscriptions": ("subscription", "SubscriptionListParams"),
    "invoices": ("invoice", "InvoiceListParams"),
    "prices": ("price", "PriceListParams"),
    "disputes": ("dispute", "DisputeListParams"),
    "webhook_endpoints": ("webhook_endpoint", "WebhookEndpointListParams"),
}
_KINDS = {path: kind for path, (kind, _) in _LISTS.items()} | {
    "customers": "customer",
    "payment_methods": "payment_method",
}
Handler = Callable[[str, Thing], Thing]


class StripeStandIn(StandIn):
    """Moods: ok, 500, 429, cut, hang (nothing happened), and 500_after, cut_after, hang_after (it did)."""

    def __init__(self, mood: str = "ok", port: int = 0) -> None:
        super().__init__(mood, port)
        self.webhooks = Webhooks(SECRET)
        self.books = Books(self.webhooks.emit)
        self.checkout = Checkout(self.books, self.url)
        self._kept: dict[str, tuple[str, tuple[int, Thing] | None]] = {}  # by idempotency key: what was asked, answer
        self._keys = threading.Lock()
        self._handlers = self._routes()

    def settings(self, **more: Any) -> Stripe:
        values: dict[str, Any] = {
            "api_key": SecretStr(KEY),
            "publishable_key": "pk_test_standin",
            "webhook_secret": SecretStr(SECRET),
            "api_base": self.url,
        }
        return Stripe.model_construct(**values | more)

    def environ(self) -> dict[str, str]:
        """For a product that is to be pointed here."""
        return {
            "PAYMENT_GATEWAY": "stripe",
            "STRIPE_API_KEY": KEY,
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_API_BASE": self.url,
        }

    def decide(self, named: str, what: str) -> None:
        """What the payer does: on the page of a session, or at their bank for a payment."""
        with self.books.lock:
            if named.startswith("pi_"):
                intent = self.books.get(named, "payment_intent")
                if what in ("confirm", "refuse_bank"):
                    self.books.authenticate(intent, passed=what == "confirm")
            else:
                self.checkout.decide(named, what)

    def ledger(self) -> dict[str, Thing]:
        """By payment: metadata, and held, captured and refunded in minor units."""
        with self.books.lock:
            rows = {}
            for intent in self.books.all("payment_intent"):
                is_taken = intent["status"] == "succeeded"
                charge = self.books.things.get(intent["latest_charge"] or "")
                rows[intent["id"]] = {
                    "metadata": dict(intent["metadata"]),
                    "held": intent["amount_capturable"],
                    "captured": intent["amount_received"],
                    "refunded": charge["amount_refunded"] if charge and is_taken else 0,
                }
            return rows

    def counts(self, exchange: Exchange) -> bool:
        return exchange.path.startswith("/v1/")

    def answer(self, exchange: Exchange, mood: str) -> None:
        if not self.counts(exchange):
            stripe_pages.answer(self, exchange)
            return
        if mood == "hang":
            exchange.hang()
        elif mood == "cut":
            exchange.cut()
        elif mood in ("500", "429"):
            code = "rate_limit" if mood == "429" else None
            exchange.reply_json(int(mood), {"error": {"type": "api_error", "code": code, "message": "Not now."}})
        else:
            self._reply(exchange, mood, *self._once(exchange, mood))

    def _reply(self, exchange: Exchange, mood: str, status: int, said: Thing) -> None:
        if mood == "hang_after":
            exchange.hang()
        elif mood == "cut_after":
            exchange.cut()
        else:
            more = {"Stripe_Should_Retry": "false"} if status >= 500 else {}  # the same answer would come again
            exchange.reply_json(status, said, Request_Id=f"req_{self.calls}", **more)

    def _once(self, exchange: Exchange, mood: str) -> tuple[int, Thing]:
        """What was asked before with this key is answered as before."""
        key = exchange.headers.get("Idempotency-Key") if exchange.command == "POST" else None
        asked = f"{exchange.path} {exchange.body.decode()}"
        if key is None:
            return _spoilt(mood, self._run(exchange)[:2])
        with self._keys:
            before = self._kept.get(key)
            if before is None:
                self._kept[key] = (asked, None)
        if before is not None:
            if before[0] != asked:
                message = "Keys for idempotent requests can only be used with the same parameters."
                return 400, {"error": {"type": "idempotency_error", "message": message}}
            in_use = {"type": "invalid_request_error", "code": "idempotency_key_in_use", "message": "In use."}
            return before[1] or (409, {"error": in_use})
        status, said, was_run = self._run(exchange)
        answer = _spoilt(mood, (status, said))
        with self._keys:
            if was_run:
                self._kept[key] = (asked, answer)
            else:
                del self._kept[key]
        return answer

    def _run(self, exchange: Exchange) -> tuple[int, Thing, bool]:
        url = urlsplit(exchange.path)
        if exchange.headers.get("Authorization") != f"Bearer {KEY}":
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided."}}, False
        form = parse_form(exchange.body.decode() if exchange.command == "POST" else url.query)
        try:
            with self.books.lock:
                said = self._find(exchange.command, url.path.removeprefix("/v1/"), form)
                return 200, json.loads(json.dumps(said)), True
        except Refusal as refusal:
            return refusal.status, {"error": json.loads(json.dumps(refusal.error))}, refusal.was_run

    def _find(self, method: str, path: str, form: Thing) -> Thing:
        if method == "GET" and path in _LISTS:
            return self._list(path, form)
        for pattern, params_type, handler in self._handlers[method]:
            if found := re.fullmatch(pattern, path):
                params = check(params_type, form) if params_type else form
                named = found.groupdict().get("id", "")
                expand: list[str] = params.pop("expand", [])
                return dict(shown(self.books, handler(named, params), expand))
        kind, _, named = path.rpartition("/")
        if method == "GET" and kind in _KINDS:
            thing = self.books.get(named, _KINDS[kind])
            if kind == "checkout/sessions":
                self.checkout.settle(thing)
            return dict(shown(self.books, thing, form.get("expand", [])))
        raise Refusal(404, None, f"Unrecognized request URL ({method}: /v1/{path}).", was_run=False)

    def _list(self, path: str, form: Thing) -> Thing:
        kind, params_type = _LISTS[path]
        params = check(params_type, form)
        found = [thing for thing in self.books.all(kind) if _fits(thing, params)]
        if kind == "checkout.session":
            found = [self.checkout.settle(thing) for thing in found]
        if after := params.get("starting_after"):
            found = found[[thing["id"] for thing in found].index(after) + 1 :]
        limit = params.get("limit", 10)
        expand = [path.removeprefix("data.") for path in params.get("expand", [])]
        data = [shown(self.books, thing, expand) for thing in found[:limit]]
        return {"object": "list", "data": data, "has_more": len(found) > limit, "url": f"/v1/{path}"}

    def _routes(self) -> dict[str, list[tuple[str, str | None, Handler]]]:
        books, checkout = self.books, self.checkout
        one = r"(?P<id>\w+)"
        return {
            "POST": [
                ("customers", "CustomerCreateParams", lambda _, params: books.customer(params)),
                (f"customers/{one}", "CustomerUpdateParams", self._update_customer),
                ("checkout/sessions", "checkout.SessionCreateParams", lambda _, params: checkout.open(params)),
                (f"checkout/sessions/{one}/expire", "checkout.SessionExpireParams", lambda i, _: checkout.expire(i)),
                ("payment_intents", "PaymentIntentCreateParams", self._create_intent),
                (f"payment_intents/{one}/confirm", "PaymentIntentConfirmParams", self._confirm_intent),
                (f"payment_intents/{one}/capture", "PaymentIntentCaptureParams", books.capture),
                (f"payment_intents/{one}/cancel", "PaymentIntentCancelParams", books.cancel),
                ("refunds", "RefundCreateParams", lambda _, params: books.refund(params)),
                (f"subscriptions/{one}", "SubscriptionUpdateParams", checkout.update_plan),
                ("prices", "PriceCreateParams", self._create_price),
                ("billing_portal/sessions", "billing_portal.SessionCreateParams", self._open_portal),
                ("webhook_endpoints", "WebhookEndpointCreateParams", self._create_endpoint),
            ],
            "DELETE": [(f"subscriptions/{one}", None, lambda named, _: checkout.cancel_plan(named))],
            "GET": [("balance", "BalanceRetrieveParams", lambda *_: {"object": "balance", "livemode": False})],
        }

    def _update_customer(self, named: str, params: Thing) -> Thing:
        customer = self.books.get(named, "customer")
        customer |= params
        return customer

    def _create_intent(self, _: str, params: Thing) -> Thing:
        method = self.books.method(params["payment_method"], params.get("customer")) if params.get("confirm") else None
        intent = self.books.intent(params)
        return self.books.confirm(intent, method) if method else intent

    def _confirm_intent(self, named: str, params: Thing) -> Thing:
        intent = self.books.get(named, "payment_intent")
        return self.books.confirm(intent, self.books.method(params["payment_method"], intent["customer"]))

    def _create_price(self, _: str, params: Thing) -> Thing:
        key = params.get("lookup_key")
        if any(price["lookup_key"] == key for price in self.books.all("price")):
            raise Refusal(400, "resource_already_exists", "A price already uses that lookup key.", "lookup_key")
        product = self.books.add("prod", name=params["product_data"]["name"], metadata={})
        fields = {name: params.get(name) for name in ("currency", "unit_amount", "recurring")}
        return self.books.add("price", active=True, lookup_key=key, product=product["id"], metadata={}, **fields)

    def _open_portal(self, _: str, params: Thing) -> Thing:
        customer = self.books.get(params["customer"], "customer", "customer")
        return {
            "id": "bps_1",
            "object": "billing_portal.session",
            "customer": customer["id"],
            "return_url": params.get("return_url"),
            "livemode": False,
            "url": f"{self.url}/p/session/{customer['id']}",
        }

    def _create_endpoint(self, _: str, params: Thing) -> Thing:
        return self.books.add("we", status="enabled", **params)

    def _handler(self) -> type[Exchange]:
        """A handler that deletes as well."""
        return type("BoundExchange", (Exchange,), {"stand_in": self, "do_DELETE": Exchange.do_POST})


def _spoilt(mood: str, answer: tuple[int, Thing]) -> tuple[int, Thing]:
    """What happened has happened; the answer is another thing."""
    return (500, {"error": {"type": "api_error", "message": "Unknown."}}) if mood == "500_after" else answer


def _fits(thing: Thing, params: Thing) -> bool:
    created = params.get("created")
    if isinstance(created, dict) and thing["created"] < created.get("gte", 0):
        return False
    if "lookup_keys" in params and thing["lookup_key"] not in params["lookup_keys"]:
        return False
    if params.get("subscription") and thing["object"] == "invoice":
        return bool(thing["parent"]["subscription_details"]["subscription"] == params["subscription"])
    same = ("customer", "payment_intent", "charge", "active", "status", "subscription")
    return all(thing.get(name) == params[name] for name in same if name in params and params[name] != "all")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=9005)
    options.add_argument("--deliver-to")
    chosen = options.parse_args()
    with StripeStandIn(port=chosen.port) as stand_in:
        stand_in.webhooks.deliver_to = chosen.deliver_to
        print(" ".join(f"{name}={value}" for name, value in stand_in.environ().items()), flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            stand_in.stopping.wait()


if __name__ == "__main__":
    main()
