"""Subscriptions at PayPal: a plan for each price, an invoice for each transaction that was paid."""

import calendar
import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta

from pixshift.domain.lifecycle import SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import NotFound
from pixshift.gateways.paypal_answers import amount_of, link, moment, money_of, our_ids
from pixshift.gateways.paypal_client import Answer, PayPalApi, RequestRefused, reading
from pixshift.gateways.ports import Hosted, InvoiceState, SubscriptionOrder, SubscriptionRef, SubscriptionState

_PRODUCT = "PIXSHIFT-PICTURES"
_PAGE = 20  # as many plans as PayPal lists at once
_TRIES = 3  # months' payments that may fail before PayPal suspends a subscription
_WHOLE = "return=representation"
_PAID = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})
_LONGEST_MONTH = timedelta(days=32)
_ENDED = frozenset({"CANCELLED", "EXPIRED"})


class PayPalSubscriptions:
    """A subscription's session is the subscription itself: its page comes back with ``subscription_id``."""

    def __init__(self, api: PayPalApi) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._plan_ids: dict[str, str] = {}
        self._prices: dict[str, Money] = {}

    def open(self, order: SubscriptionOrder) -> Hosted:
        asked = {
            "body": _subscription_body(order, self._plan(order)),
            "paypal_request_id": f"subscription:{order.subscription_id}",
            "prefer": _WHOLE,
        }
        made = self._api.ask(lambda client: client.subscriptions.create_subscription(asked))
        with reading():
            url = link(made, "approve") or f"{order.return_url}?subscription_id={made['id']}"
            return Hosted(made["id"], url, order.expires_at)

    def look(self, ref: SubscriptionRef) -> SubscriptionState | None:
        """None without the id that PayPal gave it: nobody was shown the page of such a one."""
        remote_id = ref.remote_id or ref.session_id
        if not remote_id:
            return None
        found = self._api.find(lambda client: client.subscriptions.get_subscription({"id": remote_id}))
        return None if found is None else self._state(found)

    def cancel(self, ref: SubscriptionRef) -> SubscriptionState:
        """At PayPal at once in either case, as it knows no later end; what is paid stays in the invoices.

        A page that still waits cannot be closed: INCOMPLETE is answered then, and what is approved after all has to be
        cancelled when it is seen.
        """
        remote_id = ref.remote_id or ref.session_id
        asked = {"id": remote_id, "body": {"reason": "The subscriber asked for it."}}
        refusal = None
        try:
            self._api.ask(lambda client: client.subscriptions.cancel_subscription(asked))
        except RequestRefused as error:
            if error.http_status not in (404, 422):
                raise
            refusal = error
        state = self.look(ref)
        if state is None:
            raise NotFound("PayPal knows no such subscription.")
        if refusal and state.status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE):
            raise refusal
        return state

    @reading()
    def _state(self, found: Answer) -> SubscriptionState:
        money = self._price(found["plan_id"])
        invoices = _invoices(self._transactions(found), found)
        subscription_id, user_id = our_ids(found.get("custom_id"))
        status = _status(found, is_paid=bool(invoices))
        return SubscriptionState(
            status=status,
            money=money,
            is_live=self._api.is_live,
            subscription_id=subscription_id,
            user_id=user_id,
            session_id=found["id"],
            remote_id=found["id"],
            period_end=max((invoice.ends_at for invoice in invoices), default=None),
            invoices=invoices,
            method_label="PayPal" if invoices else None,
            url=link(found, "approve") if found["status"] == "APPROVAL_PENDING" else None,
        )

    def _transactions(self, found: Answer) -> list[Answer]:
        if found["status"] == "APPROVAL_PENDING":
            return []
        info = found.get("billing_info") or {}
        moments = [info.get("next_billing_time"), (info.get("last_payment") or {}).get("time")]
        latest = max([datetime.now(UTC), *(moment(text) for text in moments if text)])
        asked = {
            "id": found["id"],
            "start_time": _written(moment(found["create_time"]) - timedelta(days=1)),
            "end_time": _written(latest + timedelta(days=1)),
        }
        answer = self._api.ask(lambda client: client.subscriptions.list_subscription_transactions(asked))
        return list(answer.get("transactions") or [])

    def _price(self, plan_id: str) -> Money:
        """A plan's price; plans of ours never change theirs, another price is another plan."""
        if plan_id not in self._prices:
            plan = self._api.ask(lambda client: client.subscriptions.get_billing_plan(plan_id))
            price = money_of(plan["billing_cycles"][0]["pricing_scheme"]["fixed_price"])
            with self._lock:
                self._prices[plan_id] = price
        return self._prices[plan_id]

    def _plan(self, order: SubscriptionOrder) -> str:
        """The id of the plan for this name and price, made at its first use."""
        name = f"{order.name}, {order.money.amount} {order.money.currency} a month"[:127]
        if name not in self._plan_ids:
            self._ensure_product(order.name)
            plan_id = self._find_plan(name) or self._make_plan(name, order.money)
            with self._lock:
                self._plan_ids[name] = plan_id
        return self._plan_ids[name]

    def _ensure_product(self, name: str) -> None:
        try:
            self._api.raw("GET", f"/v1/catalogs/products/{_PRODUCT}")
        except RequestRefused as refusal:
            if refusal.http_status != 404:
                raise
            product = {"id": _PRODUCT, "name": name[:127], "type": "SERVICE", "category": "SOFTWARE"}
            self._api.raw("POST", "/v1/catalogs/products", json.dumps(product).encode(), f"product:{_PRODUCT}")

    def _find_plan(self, name: str) -> str | None:
        page, plans = 1, self._plans_on(1)
        while plans:
            for plan in plans:
                if plan.get("name") == name and plan.get("status") == "ACTIVE":
                    return str(plan["id"])
            page += 1
            plans = self._plans_on(page) if len(plans) == _PAGE else []
        return None

    def _plans_on(self, page: int) -> list[Answer]:
        asked = {"product_id": _PRODUCT, "page_size": _PAGE, "page": page, "prefer": _WHOLE}
        return self._api.ask(lambda client: client.subscriptions.list_billing_plans(asked)).get("plans") or []

    @reading()
    def _make_plan(self, name: str, money: Money) -> str:
        key = hashlib.sha256(name.encode()).hexdigest()[:32]
        asked = {"body": _plan_body(name, money), "paypal_request_id": f"plan:{key}", "prefer": _WHOLE}
        return str(self._api.ask(lambda client: client.subscriptions.create_billing_plan(asked))["id"])


def _plan_body(name: str, money: Money) -> Answer:
    return {
        "product_id": _PRODUCT,
        "name": name,
        "status": "ACTIVE",
        "billing_cycles": [
            {
                "frequency": {"interval_unit": "MONTH", "interval_count": 1},
                "tenure_type": "REGULAR",
                "sequence": 1,
                "total_cycles": 0,  # until it is cancelled
                "pricing_scheme": {"fixed_price": amount_of(money)},
            }
        ],
        "payment_preferences": {"auto_bill_outstanding": True, "payment_failure_threshold": _TRIES},
    }


def _subscription_body(order: SubscriptionOrder, plan_id: str) -> Answer:
    return {
        "plan_id": plan_id,
        "custom_id": f"{order.subscription_id}:{order.user_id}",
        "application_context": {
            "shipping_preference": "NO_SHIPPING",
            "user_action": "SUBSCRIBE_NOW",
            "return_url": order.return_url,
            "cancel_url": order.cancel_url,
        },
    }


def _status(found: Answer, *, is_paid: bool) -> SubscriptionStatus:
    """One that PayPal calls active before its first month is paid is still INCOMPLETE for us."""
    if found["status"] in _ENDED:
        return SubscriptionStatus.ENDED
    if not is_paid:
        return SubscriptionStatus.INCOMPLETE
    balance = (found.get("billing_info") or {}).get("outstanding_balance")
    is_owed = balance is not None and money_of(balance).amount > 0
    return SubscriptionStatus.PAST_DUE if is_owed or found["status"] == "SUSPENDED" else SubscriptionStatus.ACTIVE


def _invoices(transactions: list[Answer], found: Answer) -> tuple[InvoiceState, ...]:
    """Each paid transaction pays from its own time to the next one's, the last to the next billing: about a month."""
    paid = sorted(
        (entry for entry in transactions if entry["status"] in _PAID), key=lambda entry: moment(entry["time"])
    )
    starts = [moment(entry["time"]) for entry in paid]
    following = (found.get("billing_info") or {}).get("next_billing_time")
    nexts = [*starts[1:], moment(following) if following else None]
    return tuple(
        InvoiceState(
            invoice_id=entry["id"],
            is_paid=True,
            money=money_of(entry["amount_with_breakdown"]["gross_amount"]),
            starts_at=start,
            ends_at=_end(start, after),
            payment_id=entry["id"],
        )
        for entry, start, after in zip(paid, starts, nexts, strict=False)  # none of them is paid: no next
    )


def _end(start: datetime, after: datetime | None) -> datetime:
    """A calendar month where nothing says otherwise, or what does is no month's end."""
    if after is not None and start < after <= start + _LONGEST_MONTH:
        return after
    year, month = start.year + start.month // 12, start.month % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))


def _written(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
