"""PayPal's books: orders, authorizations, captures, refunds; amounts in minor units are counted apart from ours."""

import itertools
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Thing = dict[str, Any]
PAYER: Thing = {
    "payer_id": "QYR5Z8XDVJNXQ",
    "email_address": "lady.lovelace@example.com",
    "name": {"given_name": "Augusta", "surname": "Lovelace"},
}  # what must not be logged


class Refusal(Exception):
    """PayPal's no: ``issue`` is its word."""

    def __init__(self, status: int, issue: str, name: str = "UNPROCESSABLE_ENTITY", description: str = "") -> None:
        super().__init__(issue)
        self.status, self.issue, self.name, self.description = status, issue, name, description


def unknown() -> Refusal:
    return Refusal(404, "INVALID_RESOURCE_ID", "RESOURCE_NOT_FOUND")


def written(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def minor(amount: Thing) -> int:
    return int(Decimal(amount["value"]) * (1 if amount["currency_code"] == "JPY" else 100))


def amount(parts: int, currency: str) -> Thing:
    return {"currency_code": currency, "value": str(parts) if currency == "JPY" else f"{Decimal(parts) / 100:.2f}"}


class Books:
    """Orders and what became of them. What is not possible raises Refusal; every method takes the lock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lock = threading.RLock()
        self.orders: dict[str, Thing] = {}
        self.authorizations: dict[str, Thing] = {}
        self.captures: dict[str, Thing] = {}
        self.sales: dict[str, Thing] = {}  # months that were paid: captures without an order
        self.refunds: dict[str, Thing] = {}
        self.disputes: dict[str, Thing] = {}
        self.decline_next: set[str] = set()  # orders whose money is not there when it is to be held
        self._numbers = itertools.count(1)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._numbers):0{17 - len(prefix)}d}"

    def create_order(self, body: Thing) -> Thing:
        order_id = self.new_id("5O")
        order = {
            "id": order_id,
            "intent": body["intent"],
            "status": "PAYER_ACTION_REQUIRED",
            "purchase_units": [dict(unit) for unit in body["purchase_units"]],
            "payment_source": {"paypal": {}},
            "create_time": written(datetime.now(UTC)),
            "links": self._links(order_id, is_open=True),
        }
        self.orders[order_id] = order | {"_context": body["payment_source"]["paypal"]["experience_context"]}
        return self.order(order_id)

    def order(self, order_id: str) -> Thing:
        """As PayPal shows it, with its payments."""
        kept = self._of(self.orders, order_id)
        payments = {
            name: [
                entry
                for entry in things.values()
                if entry["supplementary_data"]["related_ids"].get("order_id") == order_id
            ]
            for name, things in (
                ("authorizations", self.authorizations),
                ("captures", self.captures),
                ("refunds", self.refunds),
            )
        }
        made = {name: [_shown(entry) for entry in entries] for name, entries in payments.items() if entries}
        unit = kept["purchase_units"][0] | ({"payments": made} if made else {})
        return _shown(kept) | {"purchase_units": [unit]}

    def approve(self, order_id: str) -> bool:
        order = self.orders[order_id]
        if order["status"] != "PAYER_ACTION_REQUIRED":
            return False
        order["status"], order["payer"] = "APPROVED", PAYER
        order["links"] = self._links(order_id, is_open=False)
        return True

    def expire(self, order_id: str) -> None:
        """An order that nobody approved is forgotten after some hours."""
        if self.orders[order_id]["status"] in ("PAYER_ACTION_REQUIRED", "APPROVED"):
            del self.orders[order_id]

    def authorize(self, order_id: str) -> Thing:
        order = self._of(self.orders, order_id)
        if order["status"] == "COMPLETED":
            raise Refusal(422, "ORDER_ALREADY_AUTHORIZED")
        if order["status"] != "APPROVED":
            raise Refusal(422, "ORDER_NOT_APPROVED")
        if order_id in self.decline_next:
            self.decline_next.discard(order_id)
            order["status"], order["links"] = "PAYER_ACTION_REQUIRED", self._links(order_id, is_open=True)
            raise Refusal(422, "INSTRUMENT_DECLINED")
        unit = order["purchase_units"][0]
        authorization_id = self.new_id("8A")
        self.authorizations[authorization_id] = {
            "id": authorization_id,
            "status": "CREATED",
            "amount": unit["amount"],
            "custom_id": unit["custom_id"],
            "invoice_id": unit["invoice_id"],
            "expiration_time": written(datetime.now(UTC) + timedelta(days=29)),
            "create_time": written(datetime.now(UTC)),
            "supplementary_data": {"related_ids": {"order_id": order_id}},
        }
        order["status"] = "COMPLETED"
        return self.order(order_id)

    def authorization(self, authorization_id: str) -> Thing:
        return self._of(self.authorizations, authorization_id)

    def void(self, authorization_id: str) -> None:
        authorization = self.authorization(authorization_id)
        if authorization["status"] == "VOIDED":
            raise Refusal(422, "PREVIOUSLY_VOIDED")
        if authorization["status"] != "CREATED":
            raise Refusal(422, "PREVIOUSLY_CAPTURED")
        authorization["status"] = "VOIDED"

    def capture(self, authorization_id: str, body: Thing) -> Thing:
        authorization = self.authorization(authorization_id)
        if authorization["status"] != "CREATED":
            is_taken = authorization["status"] == "CAPTURED"
            raise Refusal(422, "AUTHORIZATION_ALREADY_CAPTURED" if is_taken else "AUTHORIZATION_VOIDED")
        asked = body.get("amount") or authorization["amount"]
        if asked["currency_code"] != authorization["amount"]["currency_code"]:
            raise Refusal(422, "AUTH_CAPTURE_CURRENCY_MISMATCH")
        if minor(asked) > minor(authorization["amount"]):
            raise Refusal(422, "MAX_CAPTURE_AMOUNT_EXCEEDED")
        capture_id = self.new_id("2C")
        related = authorization["supplementary_data"]["related_ids"] | {"authorization_id": authorization_id}
        self.captures[capture_id] = {
            "id": capture_id,
            "status": "COMPLETED",
            "amount": dict(asked),
            "final_capture": body["final_capture"],
            "custom_id": authorization["custom_id"],
            "invoice_id": authorization["invoice_id"],
            "create_time": written(datetime.now(UTC)),
            "supplementary_data": {"related_ids": related},
        }
        authorization["status"] = "CAPTURED"
        return self.captures[capture_id]

    def capture_of(self, payment_id: str) -> Thing:
        """A capture by its own id or by its authorization's."""
        for capture in self.captures.values():
            if payment_id in (capture["id"], capture["supplementary_data"]["related_ids"]["authorization_id"]):
                return capture
        raise unknown()

    def taken(self, capture_id: str) -> Thing:
        """A picture's capture, or a month's."""
        return self._of({**self.captures, **self.sales}, capture_id)

    def sell(self, price: Thing, custom_id: str | None) -> str:
        """A month's payment; its id."""
        sale_id = self.new_id("7S")
        self.sales[sale_id] = {
            "id": sale_id,
            "status": "COMPLETED",
            "amount": dict(price),
            "custom_id": custom_id,
            "supplementary_data": {"related_ids": {}},
        }
        return sale_id

    def given_back(self, capture_id: str) -> int:
        return sum(minor(entry["amount"]) for entry in self.refunds.values() if entry["_capture"] == capture_id)

    def refund(self, capture_id: str, body: Thing) -> Thing:
        capture = self.taken(capture_id)
        currency = capture["amount"]["currency_code"]
        left = minor(capture["amount"]) - self.given_back(capture_id)
        asked = body.get("amount") or amount(left, currency)
        if capture_id in self.disputes:
            raise Refusal(422, "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")
        if left <= 0:
            raise Refusal(422, "CAPTURE_FULLY_REFUNDED")
        if asked["currency_code"] != currency:
            raise Refusal(422, "REFUND_CAPTURE_CURRENCY_MISMATCH")
        if minor(asked) > left:
            raise Refusal(422, "REFUND_AMOUNT_EXCEEDED")
        refund_id = self.new_id("1R")
        refund = {
            "id": refund_id,
            "status": "COMPLETED",
            "amount": dict(asked),
            "create_time": written(datetime.now(UTC)),
            "links": [{"rel": "up", "method": "GET", "href": f"{self.url}/v2/payments/captures/{capture_id}"}],
            "supplementary_data": capture["supplementary_data"],
            "_capture": capture_id,
        }
        self.refunds[refund_id] = refund | {name: body[name] for name in ("custom_id", "note_to_payer") if name in body}
        capture["status"] = "REFUNDED" if minor(asked) == left else "PARTIALLY_REFUNDED"
        return _shown(self.refunds[refund_id])

    def totals(self) -> tuple[int, int, int]:
        """Held, captured before refunds, refunded; in minor units."""
        with self.lock:
            held = sum(minor(entry["amount"]) for entry in self.authorizations.values() if entry["status"] == "CREATED")
            captured = sum(minor(entry["amount"]) for entry in [*self.captures.values(), *self.sales.values()])
            return held, captured, sum(minor(entry["amount"]) for entry in self.refunds.values())

    def transactions(self, start: datetime, end: datetime) -> list[Thing]:
        """As the search shows them."""
        found = []
        for entry in [*self.authorizations.values(), *self.captures.values()]:
            if start <= datetime.fromisoformat(entry["create_time"]) <= end:
                info = {
                    "transaction_id": entry["id"],
                    "transaction_event_code": "T1300" if entry["id"] in self.authorizations else "T0006",
                    "transaction_amount": entry["amount"],
                    "invoice_id": entry["invoice_id"],
                    "custom_field": entry["custom_id"],
                }
                found.append({"transaction_info": info})
        return found

    def _links(self, order_id: str, *, is_open: bool) -> list[Thing]:
        links = [{"rel": "self", "method": "GET", "href": f"{self.url}/v2/checkout/orders/{order_id}"}]
        if is_open:
            links.append({"rel": "payer-action", "method": "GET", "href": f"{self.url}/checkoutnow?token={order_id}"})
        return links

    @staticmethod
    def _of(things: dict[str, Thing], thing_id: str) -> Thing:
        if thing_id not in things:
            raise unknown()
        return things[thing_id]


def _shown(thing: Thing) -> Thing:
    return {name: value for name, value in thing.items() if not name.startswith("_")}
