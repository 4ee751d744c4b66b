"""Stripe's side of its own pages and of what comes back every month: sessions, subscriptions, invoices."""

import calendar
import time
from datetime import UTC, datetime
from typing import Any

from tests.stand_ins.stripe_books import Books, Thing
from tests.stand_ins.stripe_params import Refusal

_CARD_FOR = {
    "pay": "pm_card_visa",
    "pay_and_save": "pm_card_visa",
    "decline": "pm_card_visa_chargeDeclined",
    "no_funds": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "need_bank": "pm_card_threeDSecure2Required",
}


class Checkout:
    """``base`` is where the pages are."""

    def __init__(self, books: Books, base: str) -> None:
        self.books = books
        self.base = base

    def open(self, params: Thing) -> Thing:
        now = int(time.time())
        ends = params.get("expires_at", now + 86_400)
        if not now + 1800 <= ends <= now + 86_400:
            raise Refusal(400, None, "`expires_at` is 30 minutes to 24 hours away.", "expires_at", was_run=False)
        for needed in ("line_items", "success_url", "mode"):
            if not params.get(needed):
                raise Refusal(400, "parameter_missing", f"Missing {needed}.", needed, was_run=False)
        if params.get("customer"):
            self.books.get(params["customer"], "customer", "customer")
        amount, currency = self._total(params["line_items"], params["mode"])
        made = self.books.add(
            "cs",
            amount_total=amount,
            currency=currency,
            mode=params["mode"],
            customer=params.get("customer"),
            client_reference_id=params.get("client_reference_id"),
            metadata=params.get("metadata") or {},
            success_url=params["success_url"],
            cancel_url=params.get("cancel_url"),
            expires_at=ends,
            status="open",
            payment_status="unpaid",
            payment_intent=None,
            subscription=None,
            _params=params,
            _bank=False,
        )
        made["url"] = f"{self.base}/c/pay/{made['id']}"
        return made

    def settle(self, session: Thing) -> Thing:
        """What the clock did to it."""
        if session["status"] == "open" and session["expires_at"] <= time.time():
            self._close(session)
        return session

    def expire(self, named: str) -> Thing:
        session = self.settle(self.books.get(named, "checkout.session"))
        if session["status"] != "open":
            raise Refusal(400, None, "Only Checkout Sessions with a status of open can be expired.")
        self._close(session)
        return session

    def decide(self, named: str, what: str) -> None:
        """What the payer does on the page; nothing where the page is not open any more."""
        session = self.settle(self.books.get(named, "checkout.session"))
        if session["status"] != "open" or what == "cancel":
            return
        if what == "expire":
            session["expires_at"] = int(time.time()) - 1
            self.settle(session)
        elif session["mode"] == "subscription":
            self._decide_plan(session, what)
        else:
            self._decide_payment(session, what)

    def waits_for_bank(self, session: Thing) -> bool:
        intent = self.books.things.get(session["payment_intent"] or "")
        return bool(session["_bank"] or (intent and intent["status"] == "requires_action"))

    def cancel_plan(self, named: str) -> Thing:
        plan = self.books.get(named, "subscription")
        if plan["status"] == "canceled":
            raise Refusal(404, "resource_missing", f"No such subscription: '{named}'", "id")
        self._end_plan(plan)
        return plan

    def update_plan(self, named: str, params: Thing) -> Thing:
        plan = self.books.get(named, "subscription")
        if plan["status"] == "canceled":
            raise Refusal(400, None, "A canceled subscription can only update its cancellation_details and metadata.")
        if "cancel_at_period_end" in params:
            is_ending = params["cancel_at_period_end"]
            plan["cancel_at_period_end"] = is_ending
            plan["cancel_at"] = plan["items"]["data"][0]["current_period_end"] if is_ending else None
        self.books.emit("customer.subscription.updated", plan)
        return plan

    def next_month(self, named: str, *, paid: bool) -> None:
        """The month is over already now; an invoice that is owed is tried again instead."""
        plan = self.books.get(named, "subscription")
        item = plan["items"]["data"][0]
        owed = [found for found in self.invoices(named) if found["status"] == "open"]
        if plan["status"] == "canceled":
            return
        if plan["cancel_at_period_end"]:
            self._end_plan(plan)
        elif owed:
            self._settle_invoice(plan, owed[0], paid=paid)
        else:
            item["current_period_start"] = item["current_period_end"]
            item["current_period_end"] = _month_after(item["current_period_end"])
            self._settle_invoice(plan, self._invoice(plan, "subscription_cycle"), paid=paid)

    def invoices(self, plan_id: str) -> list[Thing]:
        found = self.books.all("invoice")
        return [one for one in found if one["parent"]["subscription_details"]["subscription"] == plan_id]

    def _close(self, session: Thing) -> None:
        session |= {"status": "expired", "url": None, "_bank": False}
        intent = self.books.things.get(session["payment_intent"] or "")
        if intent and intent["status"] in ("requires_payment_method", "requires_action"):
            self.books.end_intent(intent, "automatic")
        self.books.emit("checkout.session.expired", session)

    def _total(self, items: list[Thing], mode: str) -> tuple[int, str]:
        total, currency = 0, ""
        for number, item in enumerate(items):
            price = item.get("price_data")
            if item.get("price"):
                price = self.books.get(item["price"], "price", f"line_items[{number}][price]")
            if not price or (mode == "subscription") != bool(price.get("recurring")):
                raise Refusal(400, None, "The price does not fit the mode.", f"line_items[{number}]", was_run=False)
            total += price["unit_amount"] * item.get("quantity", 1)
            currency = price["currency"]
        return total, currency

    def _decide_payment(self, session: Thing, what: str) -> None:
        intent = self.books.things.get(session["payment_intent"] or "") or self._begin(session)
        if what in ("confirm", "refuse_bank"):
            self.books.authenticate(intent, passed=what == "confirm")
        elif intent["status"] == "requires_payment_method":
            method = self.books.method(_CARD_FOR[what], session["customer"])
            may_keep = (session["_params"].get("saved_payment_method_options") or {}).get("payment_method_save")
            if what == "pay_and_save" and may_keep == "enabled":
                method["customer"] = session["customer"]
            try:
                self.books.confirm(intent, method)
            except Refusal:
                return  # the page says so, and another card can be tried
        if intent["status"] in ("requires_capture", "succeeded"):
            is_paid = intent["status"] == "succeeded"
            session |= {"status": "complete", "url": None, "payment_status": "paid" if is_paid else "unpaid"}
            self.books.emit("checkout.session.completed", session)

    def _begin(self, session: Thing) -> Thing:
        """The payment of a page is made when the payer first presses the button."""
        wanted = session["_params"].get("payment_intent_data") or {}
        base = {"amount": session["amount_total"], "currency": session["currency"], "customer": session["customer"]}
        intent = self.books.intent(base | wanted, _session=session["id"])
        session["payment_intent"] = intent["id"]
        return intent

    def _decide_plan(self, session: Thing, what: str) -> None:
        if what == "need_bank":
            session["_bank"] = True
        elif what in ("decline", "no_funds", "refuse_bank"):
            session["_bank"] = False
        elif what in ("pay", "pay_and_save") or session["_bank"]:
            self._subscribe(session)

    def _subscribe(self, session: Thing) -> None:
        books, wanted = self.books, session["_params"].get("subscription_data") or {}
        method = books.method("pm_card_visa", session["customer"])
        method["customer"] = session["customer"]
        price = books.things[session["_params"]["line_items"][0]["price"]]
        now = int(time.time())
        item = {"id": f"si_{session['id'][-14:]}", "object": "subscription_item", "price": price, "quantity": 1}
        item |= {"current_period_start": now, "current_period_end": _month_after(now)}
        plan = books.add(
            "sub", status="incomplete", customer=session["customer"], metadata=wanted.get("metadata") or {},
            cancel_at_period_end=False, cancel_at=None, canceled_at=None, ended_at=None, currency=session["currency"],
            default_payment_method=method["id"], latest_invoice=None, items={"object": "list", "data": [item]},
        )  # fmt: skip
        books.emit("customer.subscription.created", plan)
        self._settle_invoice(plan, self._invoice(plan, "subscription_create"), paid=True)
        session |= {"status": "complete", "url": None, "payment_status": "paid", "subscription": plan["id"]}
        session["_bank"] = False
        books.emit("checkout.session.completed", session)

    def _invoice(self, plan: Thing, reason: str) -> Thing:
        item = plan["items"]["data"][0]
        period = {"start": item["current_period_start"], "end": item["current_period_end"]}
        amount = item["price"]["unit_amount"] * item["quantity"]
        about = {"subscription": plan["id"], "metadata": plan["metadata"]}
        line = {"id": f"il_{len(self.books.things)}", "object": "line_item", "amount": amount, "period": period}
        line["parent"] = {"type": "subscription_item_details"}
        made = self.books.add(
            "in", status="open", billing_reason=reason, amount_due=amount, amount_paid=0, currency=plan["currency"],
            customer=plan["customer"], parent={"type": "subscription_details", "subscription_details": about},
            lines={"object": "list", "data": [line], "has_more": False}, metadata={}, _payments=[],
            period_start=period["start"], period_end=period["start"],
        )  # fmt: skip
        plan["latest_invoice"] = made["id"]
        return made

    def _settle_invoice(self, plan: Thing, invoice: Thing, *, paid: bool) -> None:
        books = self.books
        if paid:
            params = {"amount": invoice["amount_due"], "currency": invoice["currency"], "customer": invoice["customer"]}
            intent = books.confirm(books.intent(params), books.things[plan["default_payment_method"]])
            payment = {"type": "payment_intent", "payment_intent": intent["id"]}
            invoice["_payments"].append({"object": "invoice_payment", "status": "paid", "payment": payment})
            invoice |= {"status": "paid", "amount_paid": invoice["amount_due"]}
        plan["status"] = "active" if paid else "past_due"
        books.emit("invoice.paid" if paid else "invoice.payment_failed", invoice)
        books.emit("customer.subscription.updated", plan)

    def _end_plan(self, plan: Thing) -> None:
        now = int(time.time())
        plan |= {"status": "canceled", "canceled_at": now, "ended_at": now}
        for invoice in self.invoices(plan["id"]):
            if invoice["status"] == "open":
                invoice["status"] = "void"
        self.books.emit("customer.subscription.deleted", plan)


def _month_after(seconds: int) -> int:
    at = datetime.fromtimestamp(seconds, UTC)
    year, month = at.year + at.month // 12, at.month % 12 + 1
    day = min(at.day, calendar.monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp())


def shown(books: Books, thing: Any, expand: list[str]) -> Any:
    """A thing as it is sent: without what is ours, and with those ids replaced that are asked for."""
    plain = {name: value for name, value in thing.items() if not name.startswith("_")}
    wanted: dict[str, list[str]] = {}
    for path in expand:
        first, _, rest = path.partition(".")
        wanted.setdefault(first, []).extend([rest] if rest else [])
    for name, deeper in wanted.items():
        if name == "refunds" and thing["object"] == "charge":
            of_charge = [found for found in books.all("refund") if found["charge"] == thing["id"]]
            data = [shown(books, found, []) for found in of_charge[:10]]
            plain[name] = {"object": "list", "data": data, "has_more": len(of_charge) > 10, "url": "/v1/refunds"}
        elif name == "payments" and thing["object"] == "invoice":
            plain[name] = {"object": "list", "data": thing["_payments"], "has_more": False}
        elif name not in plain:
            raise Refusal(400, None, f"This property cannot be expanded ({name}).", "expand", was_run=False)
        elif isinstance(plain[name], str) and plain[name] in books.things:
            plain[name] = shown(books, books.things[plain[name]], deeper)
    return plain
