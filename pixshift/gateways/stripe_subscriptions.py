"""A month of pictures by Stripe's subscriptions."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pixshift.domain.lifecycle import SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import InvalidInput, NotFound
from pixshift.gateways.ports import Hosted, InvoiceState, SubscriptionOrder, SubscriptionRef, SubscriptionState
from pixshift.gateways.stripe_answers import id_of, method_label, our_id
from pixshift.gateways.stripe_client import Answer, RequestRefused, StripeApi
from pixshift.gateways.stripe_pages import expiry, hosted, return_address

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

_STATUSES = {
    "active": SubscriptionStatus.ACTIVE,
    "trialing": SubscriptionStatus.ACTIVE,
    "past_due": SubscriptionStatus.PAST_DUE,
    "unpaid": SubscriptionStatus.PAST_DUE,  # no more tries, but paying the invoice brings it back
    "paused": SubscriptionStatus.PAST_DUE,
    "incomplete": SubscriptionStatus.INCOMPLETE,
}
_MONTHLY = ("subscription_create", "subscription_cycle")  # what an invoice for a whole month is made for
_RUNS = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


class StripeSubscriptions:
    """Plans by Checkout in subscription mode, and Stripe's portal for their cards."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api
        self._prices: dict[str, str] = {}

    def open(self, order: SubscriptionOrder) -> Hosted:
        price = self._price(order)
        options: Any = {"idempotency_key": f"plan:{order.subscription_id}"}
        try:
            page = self._api.ask(lambda v1: v1.checkout.sessions.create(_page(order, price), options))
        except RequestRefused as refusal:
            ref = SubscriptionRef(order.subscription_id, customer_id=order.customer_id)
            found = self._find_page(ref) if refusal.error_code == "idempotency_error" else None
            if found is None or not found.get("url"):
                raise
            page = found  # it was opened before, with other words
        return hosted(page)

    def look(self, ref: SubscriptionRef) -> SubscriptionState | None:
        page = None
        remote_id = ref.remote_id
        if remote_id is None:
            page = self._find_page(ref)
            remote_id = id_of(page.get("subscription")) if page else None
        if remote_id is None:
            return _page_state(page) if page else None
        named = remote_id
        plan = self._api.find(lambda v1: v1.subscriptions.retrieve(named, {"expand": ["default_payment_method"]}))
        return self._state(plan, page["id"] if page else ref.session_id) if plan else None

    def cancel(self, ref: SubscriptionRef, *, at_period_end: bool) -> SubscriptionState:
        """A page that still waits is closed; should the payer have paid meanwhile, what they began is ended."""
        state = self._known(ref)
        for _ in range(2):
            if state.status is SubscriptionStatus.ENDED or (at_period_end and state.cancels_at_period_end):
                return state
            self._end(state, at_period_end=at_period_end)
            state = self._known(ref)
        return state

    def resume(self, ref: SubscriptionRef) -> SubscriptionState:
        state = self._known(ref)
        remote_id = state.remote_id
        if state.status not in _RUNS or remote_id is None:
            raise InvalidInput("This subscription has ended. Start a new one.", field="subscription")
        # No key of ours: it can be cancelled and taken back any number of times, and setting it twice is the same.
        if state.cancels_at_period_end:
            self._api.ask(lambda v1: v1.subscriptions.update(remote_id, {"cancel_at_period_end": False}))
        return self._known(ref)

    def portal_url(self, ref: SubscriptionRef, return_url: str) -> str | None:
        state = None if ref.customer_id else self.look(ref)
        customer_id = ref.customer_id or (state.customer_id if state else None)
        if customer_id is None:
            return None
        asked = customer_id
        page = self._api.ask(
            lambda v1: v1.billing_portal.sessions.create({"customer": asked, "return_url": return_url})
        )
        return str(page["url"])

    def _known(self, ref: SubscriptionRef) -> SubscriptionState:
        state = self.look(ref)
        if state is None:
            raise NotFound("Stripe knows no such subscription.")
        return state

    def _end(self, state: SubscriptionState, *, at_period_end: bool) -> None:
        """End what there is; that it is another thing by now shows at the next look."""
        remote_id, session_id = state.remote_id, state.session_id
        try:
            if remote_id is None:
                self._api.ask(lambda v1: v1.checkout.sessions.expire(str(session_id)))
            elif at_period_end and state.status in _RUNS:
                self._api.ask(lambda v1: v1.subscriptions.update(remote_id, {"cancel_at_period_end": True}))
            else:
                self._api.ask(lambda v1: v1.subscriptions.cancel(remote_id))
        except RequestRefused as refusal:
            if refusal.error_code not in ("resource_missing", None):
                raise

    def _find_page(self, ref: SubscriptionRef) -> Answer | None:
        if session_id := ref.session_id:
            return self._api.find(lambda v1: v1.checkout.sessions.retrieve(session_id))
        if customer_id := ref.customer_id:
            pages = self._api.pages(lambda v1: v1.checkout.sessions.list({"customer": customer_id, "limit": 100}))
            return next((page for page in pages if _is_of(page, ref)), None)
        return None

    def _state(self, plan: Answer, session_id: str | None) -> SubscriptionState:
        status = _STATUSES.get(plan["status"], SubscriptionStatus.ENDED)
        items, plan_id = plan["items"]["data"], plan["id"]
        price = items[0]["price"]
        ends = [_moment(item["current_period_end"]) for item in items]
        listed = self._api.pages(
            lambda v1: v1.invoices.list({"subscription": plan_id, "limit": 100, "expand": ["data.payments"]})
        )
        is_ending = bool(plan.get("cancel_at_period_end") or plan.get("cancel_at"))
        return SubscriptionState(
            status=status,
            money=Money.from_minor(price["unit_amount"], price["currency"]),
            is_live=plan["livemode"],
            subscription_id=our_id(plan.get("metadata"), "subscription_id"),
            user_id=our_id(plan.get("metadata"), "user_id"),
            session_id=session_id,
            remote_id=plan_id,
            customer_id=id_of(plan.get("customer")),
            cancels_at_period_end=is_ending and status in _RUNS,
            period_end=max(ends),
            invoices=tuple(_invoice(found) for found in listed if found.get("billing_reason") in _MONTHLY)[::-1],
            method_label=method_label(plan.get("default_payment_method")),
        )

    def _price(self, order: SubscriptionOrder) -> str:
        """The price of a month, made at the first use; another amount is another price."""
        key = f"premium-month-{order.money.currency.lower()}-{order.money.minor}"
        if key not in self._prices:
            found = self._api.ask(lambda v1: v1.prices.list({"lookup_keys": [key], "active": True, "limit": 1}))["data"]
            self._prices[key] = found[0]["id"] if found else self._make_price(key, order)
        return self._prices[key]

    def _make_price(self, key: str, order: SubscriptionOrder) -> str:
        made = self._api.ask(
            lambda v1: v1.prices.create(
                {
                    "currency": order.money.currency.lower(),
                    "unit_amount": order.money.minor,
                    "recurring": {"interval": "month"},
                    "lookup_key": key,
                    "product_data": {"name": order.name},
                },
                {"idempotency_key": f"price:{key}"},
            )
        )
        return str(made["id"])


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _is_of(page: Answer, ref: SubscriptionRef) -> bool:
    return our_id(page.get("metadata"), "subscription_id") == ref.subscription_id


def _page(order: SubscriptionOrder, price: str) -> "SessionCreateParams":
    metadata = {"subscription_id": str(order.subscription_id), "user_id": str(order.user_id)}
    params: SessionCreateParams = {
        "mode": "subscription",
        "line_items": [{"quantity": 1, "price": price}],
        "client_reference_id": str(order.subscription_id),
        "metadata": metadata,
        "subscription_data": {"metadata": metadata},
        "success_url": return_address(order.return_url),
        "cancel_url": order.cancel_url,
        "expires_at": expiry(order.expires_at),
    }
    if order.customer_id:
        params["customer"] = order.customer_id
    return params


def _page_state(page: Answer) -> SubscriptionState:
    """Of a page that nobody has paid on yet."""
    is_open = page["status"] != "expired"
    metadata = page.get("metadata")
    return SubscriptionState(
        status=SubscriptionStatus.INCOMPLETE if is_open else SubscriptionStatus.ENDED,
        money=Money.from_minor(page["amount_total"], page["currency"]),
        is_live=page["livemode"],
        subscription_id=our_id(metadata, "subscription_id"),
        user_id=our_id(metadata, "user_id"),
        session_id=page["id"],
        customer_id=id_of(page.get("customer")),
        url=page.get("url") if is_open else None,
    )


def _invoice(invoice: Answer) -> InvoiceState:
    """The month is its line's: the invoice's own period is the one before."""
    is_paid, lines = invoice["status"] == "paid", invoice["lines"]["data"]
    period = max((line["period"] for line in lines), key=lambda found: int(found["end"]))
    payments = [entry for entry in (invoice.get("payments") or {}).get("data", []) if entry["status"] == "paid"]
    return InvoiceState(
        invoice_id=invoice["id"],
        is_paid=is_paid,
        money=Money.from_minor(invoice["amount_paid"] if is_paid else invoice["amount_due"], invoice["currency"]),
        starts_at=_moment(period["start"]),
        ends_at=_moment(period["end"]),
        payment_id=id_of(payments[0]["payment"].get("payment_intent")) if payments else None,
    )
