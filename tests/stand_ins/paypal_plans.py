"""PayPal's products, plans and subscriptions; months pass when a test says so."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.stand_ins.paypal_books import PAYER, Books, Refusal, Thing, amount, minor, unknown, written

_MONTH = timedelta(days=30)
_SUSPENDED_AFTER = 3


class Plans:
    def __init__(self, books: Books) -> None:
        self._books = books
        self.products: dict[str, Thing] = {}
        self.plans: dict[str, Thing] = {}
        self.subscriptions: dict[str, Thing] = {}
        self.transactions: dict[str, list[Thing]] = {}

    def create_product(self, body: Thing) -> Thing:
        product_id = body.get("id") or self._books.new_id("PROD-")
        if product_id in self.products:
            raise Refusal(422, "DUPLICATE_RESOURCE_IDENTIFIER")
        self.products[product_id] = body | {"id": product_id}
        return self.products[product_id]

    def product(self, product_id: str) -> Thing:
        if product_id not in self.products:
            raise unknown()
        return self.products[product_id]

    def create_plan(self, body: Thing) -> Thing:
        if body["product_id"] not in self.products:
            raise unknown()
        plan_id = self._books.new_id("P-")
        self.plans[plan_id] = body | {"id": plan_id, "status": body.get("status", "ACTIVE")}
        return self.plans[plan_id]

    def plan(self, plan_id: str) -> Thing:
        if plan_id not in self.plans:
            raise unknown()
        return self.plans[plan_id]

    def list_plans(self, asked: dict[str, str]) -> Thing:
        page, size = int(asked.get("page", 1)), int(asked.get("page_size", 10))
        found = [plan for plan in self.plans.values() if asked.get("product_id") in (None, plan["product_id"])]
        return {"plans": found[(page - 1) * size : page * size], "total_items": len(found)}

    def create(self, body: Thing) -> Thing:
        if body["plan_id"] not in self.plans:
            raise unknown()
        remote_id = self._books.new_id("I-")
        page = f"{self._books.url}/webapps/billing/subscriptions?subscription_id={remote_id}"
        self.transactions[remote_id] = []
        self.subscriptions[remote_id] = {
            "id": remote_id,
            "status": "APPROVAL_PENDING",
            "plan_id": body["plan_id"],
            "custom_id": body.get("custom_id"),
            "create_time": written(datetime.now(UTC)),
            "links": [{"rel": "approve", "method": "GET", "href": page}],
            "_context": body["application_context"],
        }
        return self.shown(remote_id)

    def shown(self, remote_id: str) -> Thing:
        if remote_id not in self.subscriptions:
            raise unknown()
        return {name: value for name, value in self.subscriptions[remote_id].items() if not name.startswith("_")}

    def approve(self, remote_id: str) -> bool:
        """The payer agrees, and the first month is paid."""
        subscription = self.subscriptions[remote_id]
        if subscription["status"] != "APPROVAL_PENDING":
            return False
        now = datetime.now(UTC)
        subscription |= {"status": "ACTIVE", "subscriber": PAYER, "start_time": written(now), "links": []}
        subscription["billing_info"] = {"outstanding_balance": self._money(remote_id, 0), "failed_payments_count": 0}
        self._pay(remote_id, now)
        subscription["billing_info"]["next_billing_time"] = written(now + _MONTH)
        return True

    def cancel(self, remote_id: str) -> None:
        if self.shown(remote_id)["status"] not in ("ACTIVE", "SUSPENDED"):
            raise Refusal(422, "SUBSCRIPTION_STATUS_INVALID")
        self.subscriptions[remote_id]["status"] = "CANCELLED"
        self.subscriptions[remote_id]["billing_info"].pop("next_billing_time", None)

    def next_month(self, remote_id: str, *, paid: bool) -> str | None:
        """The next payment is due, or the one that is owed is tried again; the type of the event."""
        subscription = self.subscriptions[remote_id]
        if subscription["status"] not in ("ACTIVE", "SUSPENDED"):
            return None
        info = subscription["billing_info"]
        due = datetime.fromisoformat(info["next_billing_time"])
        is_owed = minor(info["outstanding_balance"]) > 0
        when = due - _MONTH + timedelta(days=1) if is_owed else due
        if not is_owed:
            info["next_billing_time"] = written(due + _MONTH)
        if paid:
            self._pay(remote_id, when)
            info |= {"outstanding_balance": self._money(remote_id, 0), "failed_payments_count": 0}
            subscription["status"] = "ACTIVE"
            return "PAYMENT.SALE.COMPLETED"
        info["failed_payments_count"] += 1
        info["outstanding_balance"] = self._price(remote_id)
        if info["failed_payments_count"] >= _SUSPENDED_AFTER:
            subscription["status"] = "SUSPENDED"
        return "BILLING.SUBSCRIPTION.PAYMENT.FAILED"

    def list_transactions(self, asked: dict[str, str]) -> Thing:
        remote_id = asked["id"]
        start, end = (datetime.fromisoformat(asked[name]) for name in ("start_time", "end_time"))
        self.shown(remote_id)
        found = [
            entry | {"status": self._books.sales[entry["id"]]["status"]}
            for entry in self.transactions[remote_id]
            if start <= datetime.fromisoformat(entry["time"]) <= end
        ]
        return {"transactions": found, "total_items": len(found), "total_pages": 1}

    def _pay(self, remote_id: str, when: datetime) -> None:
        sale: dict[str, Any] = {
            "id": self._books.sell(self._price(remote_id), self.subscriptions[remote_id]["custom_id"]),
            "time": written(when),
            "amount_with_breakdown": {"gross_amount": self._price(remote_id)},
        }
        self.transactions[remote_id].append(sale)
        last = {"amount": self._price(remote_id), "time": written(when)}
        self.subscriptions[remote_id]["billing_info"]["last_payment"] = last

    def _price(self, remote_id: str) -> Thing:
        plan = self.plans[self.subscriptions[remote_id]["plan_id"]]
        price: Thing = plan["billing_cycles"][0]["pricing_scheme"]["fixed_price"]
        return price

    def _money(self, remote_id: str, cents: int) -> Thing:
        return amount(cents, self._price(remote_id)["currency_code"])
