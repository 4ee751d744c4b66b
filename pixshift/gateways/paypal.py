"""PayPal: an order is approved on its page, held by our authorize, taken or let go later."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pixshift.domain.lifecycle import PaymentStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound, PaymentFailed
from pixshift.gateways.paypal_answers import (
    DECLINES,
    amount_of,
    link,
    order_body,
    our_ids,
    payment_state,
    refund_body,
    refund_state,
    uuid_of,
)
from pixshift.gateways.paypal_client import Answer, PayPalApi, RequestRefused, reading
from pixshift.gateways.paypal_subscriptions import PayPalSubscriptions
from pixshift.gateways.paypal_webhooks import PayPalWebhooks
from pixshift.gateways.ports import (
    Event,
    Hosted,
    Order,
    PaymentRef,
    PaymentState,
    RefundState,
    SubscriptionOrder,
    SubscriptionRef,
    SubscriptionState,
)
from pixshift.settings_sections import PayPal

logger = logging.getLogger(__name__)
_WHOLE = "return=representation"
_WINDOW = timedelta(days=31)  # the longest that a search of transactions may span
_WAITS = (PaymentStatus.OPEN, PaymentStatus.APPROVED)


class PayPalGateway:
    """A session is an order, a payment an authorization.

    A plan's page comes back with ``subscription_id`` (its session) next to ``token``, which is then none of ours.
    """

    name = "paypal"
    title = "PayPal"
    is_twin = False
    takes_methods = False
    return_parameter = "token"

    def __init__(self, settings: PayPal) -> None:
        self._api = PayPalApi(settings)
        self.is_live = self._api.is_live
        self._plans = PayPalSubscriptions(self._api)
        self._webhooks = PayPalWebhooks(self._api, settings.webhook_id)
        self._lock = threading.Lock()
        self._may_see_disputes = True

    def customer(self, user_id: UUID, email: str | None) -> str | None:
        return None

    def open_checkout(self, order: Order) -> Hosted:
        """PayPal cannot be told when to close a page: what is approved after ``expires_at`` is never authorized."""
        asked = {
            "body": order_body(order),
            "paypal_request_id": f"order:{order.attempt_id}",
            "prefer": _WHOLE,
        }
        answer = self._api.ask(lambda client: client.orders.create_order(asked))
        with reading():
            # an order that needs its payer no more has no page: our own return page looks it up
            url = link(answer, "payer-action", "approve") or f"{order.return_url}?token={answer['id']}"
            return Hosted(answer["id"], url, order.expires_at)

    def pay(self, order: Order) -> PaymentState:
        raise InvalidInput("With PayPal you pay on PayPal's own page.", field="paymentMethodId")

    def authorize(self, ref: PaymentRef) -> PaymentState:
        asked = {"id": self._order_id(ref), "paypal_request_id": f"authorize:{ref.attempt_id}", "body": {}}
        refusal = self._try(lambda: self._api.ask(lambda client: client.orders.authorize_order(asked)))
        state = self._known(ref)
        if state.status in (PaymentStatus.HELD, PaymentStatus.CAPTURED, PaymentStatus.ACTION):
            return state
        raise _failed(refusal, "The payer has not agreed to this payment.")

    def look(self, ref: PaymentRef) -> PaymentState | None:
        """PayPal finds nothing by our id alone, so a try without ``session_id`` and ``payment_id`` is None.

        Nobody was ever shown the page of such an order, so no money can come of it.
        """
        order_id = ref.session_id or (self._order_of_payment(ref.payment_id) if ref.payment_id else None)
        order = self._api.find(lambda client: client.orders.get_order({"id": order_id})) if order_id else None
        return None if order is None else self._state(order)

    def capture(self, ref: PaymentRef, money: Money) -> PaymentState:
        state = self._known(ref)
        if state.status is PaymentStatus.CAPTURED:
            return state
        if state.status is not PaymentStatus.HELD:
            raise PaymentFailed("Nothing is held any more that could be taken.")
        asked = {
            "authorization_id": state.payment_id,
            "paypal_request_id": f"capture:{ref.attempt_id}",
            "prefer": _WHOLE,
            "body": {"amount": amount_of(money), "final_capture": True},
        }
        refusal = self._try(lambda: self._api.ask(lambda client: client.payments.capture_authorized_payment(asked)))
        state = self._known(ref)
        if state.status is PaymentStatus.CAPTURED:
            return state
        raise _failed(refusal, "What was held could not be taken.")

    def void(self, ref: PaymentRef) -> PaymentState:
        """An order that is not authorized cannot be closed at PayPal; it is answered as FAILED.

        Only our own ``authorize`` makes a hold of it, and an approval alone moves no money: a try that is dead must
        never be authorized. ``look`` goes on to tell what PayPal says of it.
        """
        state = self._known(ref)
        if state.status in _WAITS:
            return replace(state, status=PaymentStatus.FAILED, url=None)
        if state.status not in (PaymentStatus.HELD, PaymentStatus.ACTION):
            return state
        asked = {"authorization_id": state.payment_id, "paypal_request_id": f"void:{ref.attempt_id}"}
        refusal = self._try(lambda: self._api.ask(lambda client: client.payments.void_payment(asked)))
        state = self._known(ref)
        if refusal and state.status in (PaymentStatus.HELD, PaymentStatus.ACTION):
            raise refusal
        return state

    def refund(self, ref: PaymentRef, capture_id: str, money: Money, cause: str) -> RefundState:
        """PayPal keeps a request id for 45 days; after that what it knows of ``cause`` is the guard."""
        if known := self._refund_for(ref, capture_id, cause):
            return known
        asked = {
            "capture_id": capture_id,
            "paypal_request_id": f"refund:{ref.attempt_id}:{cause}"[:108],
            "prefer": _WHOLE,
            "body": refund_body(money, cause),
        }
        try:
            refund = self._api.ask(lambda client: client.payments.refund_captured_payment(asked))
        except RequestRefused as refusal:
            if refusal.http_status not in (404, 422):
                raise
            if known := self._refund_for(ref, capture_id, cause):
                return known
            raise PaymentFailed("PayPal does not give this payment back.") from None
        with reading():
            return replace(refund_state(refund), amount=money, cause=cause)

    def open_subscription(self, order: SubscriptionOrder) -> Hosted:
        return self._plans.open(order)

    def look_subscription(self, ref: SubscriptionRef) -> SubscriptionState | None:
        return self._plans.look(ref)

    def cancel_subscription(self, ref: SubscriptionRef, *, at_period_end: bool) -> SubscriptionState:
        return self._plans.cancel(ref)

    def resume_subscription(self, ref: SubscriptionRef) -> SubscriptionState:
        raise InvalidInput(
            "PayPal cannot take a cancellation back. Start a new plan when your month ends.", field="subscription"
        )

    def portal_url(self, ref: SubscriptionRef, return_url: str) -> str | None:
        return None

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        return self._webhooks.read(body, headers)

    def payments_since(self, since: datetime) -> Iterator[PaymentState]:
        """By PayPal's search of transactions, which is up to three hours late and knows no order that is not paid.

        Nothing for an account that may not search; what we know of is still compared one by one.
        """
        seen: set[str] = set()
        for entry in self._transactions(since):
            record_id, _ = our_ids(entry.get("custom_field"))
            attempt_id = uuid_of(entry.get("invoice_id"))
            order_id = self._order_of_payment(entry["transaction_id"]) if record_id and attempt_id else None
            if attempt_id and order_id and order_id not in seen:
                seen.add(order_id)
                if state := self.look(PaymentRef(attempt_id, session_id=order_id)):
                    yield state

    def check(self) -> str:
        self._api.check_token()
        mode = "live" if self.is_live else "sandbox"
        return f"PayPal accepts our keys, {mode} mode, {self._webhooks.check()}"

    def close(self) -> None:
        self._api.close()

    def _state(self, order: Answer) -> PaymentState:
        with reading():
            state = payment_state(order, is_live=self.is_live)
        if state.capture_id is None:
            return state
        return replace(state, is_disputed=self._is_disputed(state.capture_id))

    def _known(self, ref: PaymentRef) -> PaymentState:
        state = self.look(ref)
        if state is None:
            raise NotFound("PayPal knows no such payment.")
        return state

    def _order_id(self, ref: PaymentRef) -> str:
        return ref.session_id or str(self._known(ref).session_id)

    def _order_of_payment(self, payment_id: str) -> str | None:
        """The order that an authorization or a capture belongs to."""
        asked = {"authorization_id": payment_id, "capture_id": payment_id}
        found = self._api.find(lambda client: client.payments.get_authorized_payment(asked))
        found = found or self._api.find(lambda client: client.payments.get_captured_payment(asked)) or {}
        with reading():
            order_id: str | None = (found.get("supplementary_data") or {}).get("related_ids", {}).get("order_id")
            return order_id

    def _refund_for(self, ref: PaymentRef, capture_id: str, cause: str) -> RefundState | None:
        state = self.look(replace(ref, payment_id=ref.payment_id or capture_id))
        return next((refund for refund in state.refunds if refund.cause == cause), None) if state else None

    def _is_disputed(self, capture_id: str) -> bool:
        """Whether the payer ever asked PayPal or their bank for this money; False where the app may not see that."""
        if not self._may_see_disputes:
            return False
        try:
            found = self._api.raw("GET", f"/v1/customer/disputes?disputed_transaction_id={capture_id}")
        except RequestRefused as refusal:
            if refusal.http_status not in (403, 404):
                raise
            with self._lock:
                self._may_see_disputes = refusal.http_status == 404
            logger.warning("paypal does not show disputes to this app: only its webhooks tell of them")
            return False
        return bool(found.get("items"))

    def _transactions(self, since: datetime) -> Iterator[Answer]:
        start, now = since, datetime.now(UTC)
        while start < now:
            end = min(start + _WINDOW, now)
            yield from self._transactions_between(start, end)
            start = end

    def _transactions_between(self, start: datetime, end: datetime) -> Iterator[Answer]:
        asked = {
            "start_date": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "end_date": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "fields": "transaction_info",
            "page_size": 500,
        }
        page, pages = 1, 1
        while page <= pages:
            options = asked | {"page": page}
            try:
                found = self._api.ask(lambda client, o=options: client.transaction_search.search_transactions(o))  # type: ignore[misc]
            except RequestRefused as refusal:
                if refusal.http_status != 403:
                    raise
                logger.warning("paypal does not let this app search transactions")
                return
            with reading():
                entries = [entry["transaction_info"] for entry in found.get("transaction_details") or []]
                page, pages = page + 1, int(found.get("total_pages") or 1)
            yield from entries

    def _try(self, call: Callable[[], object]) -> RequestRefused | None:
        """What PayPal said against it, when it did; the truth is looked up in either case."""
        try:
            call()
        except RequestRefused as refusal:
            if refusal.http_status in (401, 403):
                raise
            return refusal
        return None


def _failed(refusal: RequestRefused | None, text: str) -> PaymentFailed | ExternalServiceError:
    """Why nothing came of it: the payer's side in our words; a request of ours that is wrong is not theirs to hear."""
    if refusal is None or refusal.http_status == 422:
        reason = DECLINES.get(refusal.issue) if refusal else None
        return PaymentFailed(None if reason else text, details={"reason": reason.value} if reason else None)
    return refusal
