"""PayPal at the wire: tokens, orders, payments, subscriptions, webhooks, and the page on which a payer says yes.

``python -m tests.stand_ins.paypal --port 9004`` runs it by hand.
"""

import argparse
import base64
import contextlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from pixshift.settings_sections import PayPal
from tests.stand_ins import paypal_checks as checks
from tests.stand_ins.paypal_books import Books, Refusal, Thing
from tests.stand_ins.paypal_events import Events
from tests.stand_ins.paypal_page import Payer, page
from tests.stand_ins.paypal_plans import Plans
from tests.stand_ins.server import Exchange, StandIn

CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID = "paypal-client", "paypal-secret", "4JH86294D6297924G"
_PAGES = ("/checkoutnow", "/webapps/billing/subscriptions")
_USELESS = {"garbage": b"{", "list": b"[]", "empty": b"{}"}
Handler = Callable[[Thing, dict[str, str]], Any]


class PayPalStandIn(StandIn):
    """Moods. Nothing is done: cut, hang, html, busy, ``<status>`` or ``<status>:<issue>``, ``429:<seconds to wait>``.
    All is done and yet nobody hears it: lost (no answer), truncated, garbage (no JSON), list, empty (no fields).

    ``token_mood``: ok, down, hang, refused; ``token_life`` in seconds. ``contracts``: whether bodies are compared with
    PayPal's own description too.
    """

    def __init__(self, mood: str = "ok", port: int = 0, *, contracts: bool = True) -> None:
        super().__init__(mood, port)
        self.token_mood, self.token_life = "ok", 32400
        self.shows_disputes, self.may_search = True, True
        self.books = Books(self.url)
        self.plans = Plans(self.books)
        self.events = Events([WEBHOOK_ID])
        self.payer = Payer(self.books, self.plans, self.events)
        self.token_calls = 0
        self.faults: list[str] = []  # what was wrong in requests that should have been right
        self._contracts = contracts
        self._kept: dict[tuple[str, str], tuple[bytes, int, Any]] = {}
        self._routes = self._table()

    def environ(self) -> dict[str, str]:
        return {
            "PAYMENT_GATEWAY": "paypal",
            "PAYPAL_CLIENT_ID": CLIENT_ID,
            "PAYPAL_CLIENT_SECRET": CLIENT_SECRET,
            "PAYPAL_WEBHOOK_ID": WEBHOOK_ID,
            "PAYPAL_API_BASE": self.url,
            "PAYPAL_MODE": "sandbox",
        }

    def settings(self, **more: Any) -> PayPal:
        values: dict[str, Any] = {
            "client_id": CLIENT_ID,
            "client_secret": SecretStr(CLIENT_SECRET),
            "webhook_id": WEBHOOK_ID,
            "api_base": self.url,
            "mode": "sandbox",
        }
        return PayPal.model_construct(**values | more)

    def change_token(self) -> None:
        """What was given out is not taken any more."""
        self.token_calls += 1000

    def counts(self, exchange: Exchange) -> bool:
        return urlsplit(exchange.path).path not in ("/v1/oauth2/token", *_PAGES)

    def answer(self, exchange: Exchange, mood: str) -> None:
        address = urlsplit(exchange.path)
        if address.path == "/v1/oauth2/token":
            self._token(exchange)
        elif address.path in _PAGES:
            self._page(exchange, address.path, dict(parse_qsl(address.query)))
        elif mood == "hang":
            exchange.hang()
        elif mood == "cut":
            exchange.cut()
        elif mood == "html":
            exchange.reply(503, b"<html>Down</html>", "text/html")
        elif mood == "busy" or mood[:3].isdigit():
            _refuse_by(exchange, "422:PREVIOUS_REQUEST_IN_PROGRESS" if mood == "busy" else mood)
        else:
            self._api(exchange, mood)

    def _token(self, exchange: Exchange) -> None:
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if self.token_mood == "hang":
            exchange.hang()
        elif self.token_mood == "down":
            exchange.reply_json(503, {"error": "temporarily_unavailable"})
        elif self.token_mood == "refused" or exchange.headers.get("Authorization") != f"Basic {basic}":
            exchange.reply_json(401, {"error": "invalid_client", "error_description": "Client Authentication failed"})
        else:
            self.token_calls += 1
            token = {"access_token": f"A21-{self.token_calls}", "token_type": "Bearer", "expires_in": self.token_life}
            exchange.reply_json(200, token | {"scope": "openid", "app_id": "APP-1", "nonce": "n"})

    def _api(self, exchange: Exchange, mood: str) -> None:
        try:
            if exchange.headers.get("Authorization") != f"Bearer A21-{self.token_calls}":
                raise Refusal(401, "INVALID_TOKEN", "AUTHENTICATION_FAILURE")
            with self.books.lock:
                status, answer = self._once(exchange)
        except Refusal as refusal:
            _refuse(exchange, refusal)
            return
        if mood == "lost":
            exchange.cut()
        elif mood == "truncated":
            exchange.head(status, 1000)
            exchange.wfile.write(b'{"id": "')
            exchange.close_connection = True
        elif mood in _USELESS:
            exchange.reply(status, _USELESS[mood])
        elif answer is None:
            exchange.reply(204, b"")
        else:
            exchange.reply_json(status, answer)

    def _once(self, exchange: Exchange) -> tuple[int, Any]:
        """The same request id is answered as it was the first time, and refused with another body."""
        key = (exchange.path, exchange.headers.get("PayPal-Request-Id") or "")
        if key[1] and key in self._kept:
            body, status, answer = self._kept[key]
            if body != exchange.body:
                raise Refusal(422, "DUPLICATE_REQUEST_ID")
            return 200 if status == 201 else status, answer
        status, answer = self._do(exchange)
        if key[1] and exchange.command == "POST":
            self._kept[key] = (exchange.body, status, json.loads(json.dumps(answer)))
        return status, answer

    def _do(self, exchange: Exchange) -> tuple[int, Any]:
        address = urlsplit(exchange.path)
        query = dict(parse_qsl(address.query))
        for method, pattern, check, handler in self._routes:
            found = re.fullmatch(pattern, address.path)
            if found and method == exchange.command:
                body = self._read(exchange, address.path, query, check)
                return 200 if method == "GET" else 201, handler(body, query | found.groupdict())
        raise Refusal(404, "NOT_FOUND", "RESOURCE_NOT_FOUND")

    def _read(self, exchange: Exchange, path: str, query: dict[str, str], check: Any) -> Thing:
        try:
            body = json.loads(exchange.body) if exchange.body.strip() else {}
        except ValueError:
            raise Refusal(400, "MALFORMED_REQUEST_JSON", "INVALID_REQUEST") from None
        wrong = checks.fault(body, check, "") if check is not None else None
        if wrong is None and self._contracts:
            headers = {name.lower(): value for name, value in exchange.headers.items()}
            wrong = checks.contract_fault(exchange.command, path, query, headers, exchange.body)
        if wrong:
            self.faults.append(f"{exchange.command} {path}: {wrong}")
            raise Refusal(400, "INVALID_PARAMETER", "INVALID_REQUEST", wrong)
        raw = exchange.body.partition(b'"webhook_event": ')[2][:-1]
        return body | {"_raw": raw} if raw else body

    def _table(self) -> list[tuple[str, str, Any, Handler]]:
        books, plans = self.books, self.plans
        order, payment = r"/v2/checkout/orders/(?P<id>\w+)", r"/v2/payments"
        held, taken = rf"{payment}/authorizations/(?P<id>\w+)", rf"{payment}/captures/(?P<id>\w+)"
        plan, subscription = r"/v1/billing/plans", r"/v1/billing/subscriptions"
        one, product = rf"{subscription}/(?P<id>[\w-]+)", r"/v1/catalogs/products"
        return [
            ("POST", r"/v2/checkout/orders", checks.ORDER, lambda body, _: books.create_order(body)),
            ("GET", order, None, lambda _, ids: books.order(ids["id"])),
            ("POST", f"{order}/authorize", {}, lambda _, ids: self._authorize(ids["id"])),
            ("GET", held, None, lambda _, ids: books.authorization(ids["id"])),
            ("POST", f"{held}/capture", checks.CAPTURE, lambda body, ids: self._capture(ids["id"], body)),
            ("POST", f"{held}/void", None, lambda _, ids: self._void(ids["id"])),
            ("GET", taken, None, lambda _, ids: books.taken(ids["id"])),
            ("POST", f"{taken}/refund", checks.REFUND, lambda body, ids: self.refund(ids["id"], body)),
            ("GET", r"/v1/customer/disputes", None, lambda _, ids: self._disputes(ids)),
            ("GET", r"/v1/reporting/transactions", None, lambda _, ids: self._search(ids)),
            ("POST", product, checks.PRODUCT, lambda body, _: plans.create_product(body)),
            ("GET", rf"{product}/(?P<id>[\w-]+)", None, lambda _, ids: plans.product(ids["id"])),
            ("POST", plan, checks.PLAN, lambda body, _: plans.create_plan(body)),
            ("GET", plan, None, lambda _, ids: plans.list_plans(ids)),
            ("GET", rf"{plan}/(?P<id>[\w-]+)", None, lambda _, ids: plans.plan(ids["id"])),
            ("POST", subscription, checks.SUBSCRIPTION, lambda body, _: plans.create(body)),
            ("GET", one, None, lambda _, ids: plans.shown(ids["id"])),
            ("POST", f"{one}/cancel", checks.CANCEL, lambda _, ids: self._cancel(ids["id"])),
            ("GET", f"{one}/transactions", None, lambda _, ids: plans.list_transactions(ids)),
            ("GET", r"/v1/notifications/webhooks", None, lambda _, __: self.events.webhooks()),
            ("POST", r"/v1/notifications/verify-webhook-signature", None, lambda body, _: self.events.verify(body)),
        ]

    def _authorize(self, order_id: str) -> Thing:
        order = self.books.authorize(order_id)
        authorization = order["purchase_units"][0]["payments"]["authorizations"][0]
        self.events.emit("PAYMENT.AUTHORIZATION.CREATED", self.books.authorization(authorization["id"]))
        return order

    def _capture(self, authorization_id: str, body: Thing) -> Thing:
        capture = self.books.capture(authorization_id, body)
        self.events.emit("PAYMENT.CAPTURE.COMPLETED", capture)
        return capture

    def _void(self, authorization_id: str) -> None:
        self.books.void(authorization_id)
        self.events.emit("PAYMENT.AUTHORIZATION.VOIDED", self.books.authorization(authorization_id))

    def refund(self, capture_id: str, body: Thing) -> Thing:
        refund = self.books.refund(capture_id, body)
        kind = "SALE" if capture_id in self.books.sales else "CAPTURE"
        self.events.emit(f"PAYMENT.{kind}.REFUNDED", refund)
        return refund

    def dispute(self, payment_id: str) -> None:
        with self.books.lock:
            capture = self.books.capture_of(payment_id)
            first = {"seller_transaction_id": capture["id"], "custom": capture["custom_id"]}
            dispute = {"dispute_id": self.books.new_id("PP-D-"), "status": "OPEN", "disputed_transactions": [first]}
            self.books.disputes[capture["id"]] = dispute
        self.events.emit("CUSTOMER.DISPUTE.CREATED", dispute)

    def _disputes(self, asked: dict[str, str]) -> Thing:
        if not self.shows_disputes:
            raise Refusal(403, "PERMISSION_DENIED", "NOT_AUTHORIZED")
        found = self.books.disputes.get(asked["disputed_transaction_id"])
        return {"items": [found] if found else [], "links": []}

    def _search(self, asked: dict[str, str]) -> Thing:
        if not self.may_search:
            raise Refusal(403, "PERMISSION_DENIED", "NOT_AUTHORIZED")
        start, end = (datetime.fromisoformat(asked[name]) for name in ("start_date", "end_date"))
        if (end - start).days > 31:
            raise Refusal(400, "INVALID_DATE_RANGE", "INVALID_REQUEST")
        found = self.books.transactions(start, end)
        return {"transaction_details": found, "page": 1, "total_pages": 1, "total_items": len(found)}

    def _cancel(self, remote_id: str) -> None:
        self.plans.cancel(remote_id)
        self.events.emit("BILLING.SUBSCRIPTION.CANCELLED", self.plans.shown(remote_id))

    def next_month(self, remote_id: str, *, paid: bool) -> None:
        with self.books.lock:
            type_ = self.plans.next_month(remote_id, paid=paid)
        if type_:
            named = {"billing_agreement_id": remote_id} if type_.startswith("PAYMENT.SALE") else {"id": remote_id}
            self.events.emit(type_, named)

    def decide(self, session_id: str, what: str) -> str | None:
        """What the payer does on the page; see Payer."""
        return self.payer.decide(session_id, what)

    def _page(self, exchange: Exchange, path: str, query: dict[str, str]) -> None:
        session_id = query.get("token") or query.get("subscription_id") or ""
        if exchange.command == "POST":
            form = dict(parse_qsl(exchange.body.decode()))
            goal = self.decide(session_id, form.get("what", ""))
            exchange.reply(303, b"", Location=goal or exchange.path)
            return
        exchange.reply(200, page(exchange.path), "text/html; charset=utf-8")


def _refuse(exchange: Exchange, refusal: Refusal) -> None:
    details = [{"issue": refusal.issue, "description": refusal.description}]
    said = {"name": refusal.name, "message": "No.", "debug_id": "d3b06", "details": details, "links": []}
    exchange.reply_json(refusal.status, said)


def _refuse_by(exchange: Exchange, mood: str) -> None:
    status, _, word = mood.partition(":")
    if status == "429":
        exchange.reply_json(429, {"name": "RATE_LIMIT_REACHED"}, **({"Retry_After": word} if word else {}))
    else:
        issue = word or "INTERNAL_SERVER_ERROR"
        _refuse(exchange, Refusal(int(status), issue, issue))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=9004)
    chosen = options.parse_args()
    with PayPalStandIn(port=chosen.port) as stand_in:
        print(" ".join(f"{name}={value}" for name, value in stand_in.environ().items()), flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            stand_in.stopping.wait()


if __name__ == "__main__":
    main()
