"""Stripe's subscriptions: prices, plans, invoices month by month."""

import time
from typing import Any

from tests.stand_ins.stripe_books import DAY, Books, Thing
from tests.stand_ins.stripe_params import Refusal


class Plans:
    """Beside the books, in which a month's payment stands as any other."""

    def __init__(self, books: Books, tell: Any) -> None:
        self._books, self._tell = books, tell
        self.prices: dict[str, Thing] = {}
        self.plans: dict[str, Thing] = {}
        self.invoices: dict[str, Thing] = {}

    def make_price(self, form: Thing) -> Thing:
        made = self._books.new(
            "price", "price", active=True, currency=form["currency"], unit_amount=form["unit_amount"],
            lookup_key=form.get("lookup_key"), recurring=form.get("recurring"),
        )  # fmt: skip
        self.prices[made["id"]] = made
        return made

    def price_page(self, page: Thing) -> None:
        price = self._books.find(self.prices, page["asked"]["line_items"][0]["price"])
        page |= {"amount_total": price["unit_amount"], "currency": price["currency"]}

    def begin(self, page: Thing) -> None:
        price = self.prices[page["asked"]["line_items"][0]["price"]]
        now = int(time.time())
        plan = self._books.new(
            "subscription", "sub", status="active", customer=page["customer"], cancel_at_period_end=False,
            metadata=page["asked"].get("subscription_data", {}).get("metadata", {}),
            items={"object": "list", "data": [{"price": price, "current_period_end": now + 30 * DAY}]},
            default_payment_method={"type": "card", "card": {"brand": "visa", "last4": "4242"}},
        )  # fmt: skip
        self.plans[plan["id"]] = plan
        page |= {"subscription": plan["id"], "payment_status": "paid"}
        self._invoice(plan, now, "subscription_create", paid=True)
        self._books.complete(page)
        self._tell("customer.subscription.created", plan)

    def next_month(self, plan: Thing, *, paid: bool) -> None:
        """What is owed is tried again first; a plan that was cancelled ends."""
        if plan["status"] == "canceled":
            return
        if plan["cancel_at_period_end"]:
            self.end(plan)
            return
        owed = [item for item in self._of(plan["id"]) if item["status"] == "open"]
        if owed:
            if paid:
                self._pay(owed[0])
                plan["status"] = "active"
        else:
            item = plan["items"]["data"][0]
            starts = item["current_period_end"]
            item["current_period_end"] = starts + 30 * DAY
            self._invoice(plan, starts, "subscription_cycle", paid=paid)
            plan["status"] = "active" if paid else "past_due"
        self._tell("customer.subscription.updated", plan)

    def end(self, plan: Thing) -> None:
        if plan["status"] == "canceled":
            raise Refusal(404, "resource_missing", "No such subscription", "id")
        plan["status"] = "canceled"
        self._tell("customer.subscription.deleted", plan)

    def _of(self, plan_id: str) -> list[Thing]:
        found = self.invoices.values()
        return [item for item in found if item["parent"]["subscription_details"]["subscription"] == plan_id]

    def listed(self, plan_id: str) -> list[Thing]:
        """Newest first."""
        return self._of(plan_id)[::-1]

    def _invoice(self, plan: Thing, starts: int, reason: str, *, paid: bool) -> None:
        price = plan["items"]["data"][0]["price"]
        made = self._books.new(
            "invoice", "in", status="open", amount_due=price["unit_amount"], amount_paid=0, currency=price["currency"],
            billing_reason=reason, customer=plan["customer"], payments={"object": "list", "data": []},
            parent={"type": "subscription_details", "subscription_details": {"subscription": plan["id"]}},
            lines={"object": "list", "data": [{"period": {"start": starts, "end": starts + 30 * DAY}}]},
        )  # fmt: skip
        self.invoices[made["id"]] = made
        if paid:
            self._pay(made)
        else:
            self._tell("invoice.payment_failed", made)

    def _pay(self, invoice: Thing) -> None:
        form = {"amount": invoice["amount_due"], "currency": invoice["currency"], "customer": invoice["customer"]}
        intent = self._books.make_intent(form, {})
        self._books.confirm(intent, "pm_card_visa")
        payment = {"type": "payment_intent", "payment_intent": intent["id"]}
        invoice |= {"status": "paid", "amount_paid": invoice["amount_due"]}
        invoice["payments"]["data"].append({"status": "paid", "payment": payment})
        self._tell("invoice.paid", invoice)
