"""PayPal at the wire: tokens, orders, payments, subscriptions, webhooks, and the page on which a payer says yes.

``python -m tests.stand_ins.paypal --port 9004`` runs it by hand.
"""

import argparse
import base64
import contextlib
import html
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
from tests.stand_ins.paypal_plans import Plans
from tests.stand_ins.server import Exchange, StandIn

CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID = "paypal-client", "paypal-secret", "4JH86294D6297924G"
_PAGES = ("/checkoutnow", "/webapps/billing/subscriptions")
Handler = Callable[[Thing, dict[str, str]], Any]


class PayPalStandIn(StandIn):
    """Moods: ok, 500 (before anything is done), lost (all is done, no answer), cut, hang, 429, html, busy.

    ``token_mood``: ok, down, refused. ``contracts``: whether bodies are compared with PayPal's own description too.
    """

    def __init__(self, mood: str = "ok", port: int = 0, *, contracts: bool = True) -> None:
        super().__init__(mood, port)
        self.token_mood, self.shows_disputes, self.may_search = "ok", True, True
        self.books = Books(self.url)
        self.plans = Plans(self.books)
        self.events = Events([WEBHOOK_ID])
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
        elif mood in ("500", "429", "busy"):
            issue = "PREVIOUS_REQUEST_IN_PROGRESS" if mood == "busy" else "INTERNAL_SERVER_ERROR"
            _refuse(exchange, Refusal(422 if mood == "busy" else int(mood), issue, issue))
        else:
            self._api(exchange, mood)

    def _token(self, exchange: Exchange) -> None:
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if self.token_mood == "down":
            exchange.reply_json(503, {"error": "temporarily_unavailable"})
        elif self.token_mood == "refused" or exchange.headers.get("Authorization") != f"Basic {basic}":
            exchange.reply_json(401, {"error": "invalid_client", "error_description": "Client Authentication failed"})
        else:
            self.token_calls += 1
            token = {"access_token": f"A21-{self.token_calls}", "token_type": "Bearer", "expires_in": 32400}
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
            ("GET", taken, None, lambda _, ids: books._of(books.captures, ids["id"])),
            ("POST", f"{taken}/refund", checks.REFUND, lambda body, ids: self.refund(ids["id"], body)),
            ("GET", r"/v1/customer/disputes", None, lambda _, ids: self._disputes(ids)),
            ("GET", r"/v1/reporting/transactions", None, lambda _, ids: self._search(ids)),
            ("POST", product, checks.PRODUCT, lambda body, _: plans.create_product(body)),
            ("GET", rf"{product}/(?P<id>[\w-]+)", None, lambda _, ids: plans.product(ids["id"])),
            ("POST", plan, checks.PLAN, lambda body, _: plans.create_plan(body)),
            ("GET", plan, None, lambda _, ids: _listed(plans, ids)),
            ("GET", rf"{plan}/(?P<id>[\w-]+)", None, lambda _, ids: plans.plan(ids["id"])),
            ("POST", subscription, checks.SUBSCRIPTION, lambda body, _: plans.create(body)),
            ("GET", one, None, lambda _, ids: plans.shown(ids["id"])),
            ("POST", f"{one}/cancel", checks.CANCEL, lambda _, ids: self._cancel(ids["id"])),
            ("GET", f"{one}/transactions", None, lambda _, ids: _paid(plans, ids)),
            ("GET", r"/v1/notifications/webhooks", None, lambda _, __: self._webhooks()),
            ("POST", r"/v1/notifications/verify-webhook-signature", None, lambda body, _: self._verify(body)),
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
        self.events.emit("PAYMENT.CAPTURE.REFUNDED", refund)
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

    def _webhooks(self) -> Thing:
        known = self.events.webhook_ids
        return {"webhooks": [{"id": each, "url": "https://pixshift.example/hook", "event_types": []} for each in known]}

    def _verify(self, body: Thing) -> Thing:
        is_authentic = self.events.is_authentic(body, body["_raw"])
        return {"verification_status": "SUCCESS" if is_authentic else "FAILURE"}

    def next_month(self, remote_id: str, *, paid: bool) -> None:
        with self.books.lock:
            type_ = self.plans.next_month(remote_id, paid=paid)
        if type_:
            named = {"billing_agreement_id": remote_id} if type_.startswith("PAYMENT.SALE") else {"id": remote_id}
            self.events.emit(type_, named)

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

    def _page(self, exchange: Exchange, path: str, query: dict[str, str]) -> None:
        session_id = query.get("token") or query.get("subscription_id") or ""
        if exchange.command == "POST":
            form = dict(parse_qsl(exchange.body.decode()))
            goal = self.decide(session_id, form.get("what", ""))
            exchange.reply(303, b"", Location=goal or exchange.path)
            return
        buttons = "".join(
            f'<button name="what" value="{what}">{label}</button>'
            for what, label in (("approve", "Pay"), ("decline", "Card is declined"), ("cancel", "Cancel and return"))
        )
        action = html.escape(exchange.path, quote=True)
        page = f'<title>PayPal stand-in</title><h1>PayPal stand-in</h1><form method="post" action="{action}">{buttons}'
        exchange.reply(200, f"<!doctype html>{page}</form>".encode(), "text/html; charset=utf-8")


def _listed(plans: Plans, asked: dict[str, str]) -> Thing:
    return plans.list_plans(asked.get("product_id"), int(asked.get("page", 1)), int(asked.get("page_size", 10)))


def _paid(plans: Plans, asked: dict[str, str]) -> Thing:
    start, end = (datetime.fromisoformat(asked[name]) for name in ("start_time", "end_time"))
    return plans.list_transactions(asked["id"], start, end)


def _refuse(exchange: Exchange, refusal: Refusal) -> None:
    details = [{"issue": refusal.issue, "description": refusal.description}]
    said = {"name": refusal.name, "message": "No.", "debug_id": "d3b06", "details": details, "links": []}
    exchange.reply_json(refusal.status, said)


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
