"""Stripe: a hold on its own page or with a card it keeps, then taken or let go."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pixshift.domain.lifecycle import PaymentStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError, InvalidInput, NotFound, PaymentFailed
from pixshift.gateways.ports import (
    Decline,
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
from pixshift.gateways.stripe_answers import (
    WITH_PAYMENT,
    WITH_SESSION,
    our_id,
    payment_state,
    refund_state,
    session_state,
)
from pixshift.gateways.stripe_client import Answer, Declined, RequestRefused, StripeApi
from pixshift.gateways.stripe_events import StripeEvents
from pixshift.gateways.stripe_pages import hosted, page_params, payment_params
from pixshift.gateways.stripe_subscriptions import StripeSubscriptions
from pixshift.settings_sections import Stripe

_LIVES_AT_MOST = timedelta(days=2)  # a try that nobody gave a customer is looked for among the newest only
_UNDECIDED = (PaymentStatus.OPEN, PaymentStatus.ACTION, PaymentStatus.HELD)


class StripeGateway:
    """Every call is safe to be made again: it looks first, or its key is made of our ids."""

    name = "stripe"
    title = "Stripe"
    is_twin = False
    takes_methods = True
    return_parameter = "session_id"

    def __init__(self, settings: Stripe) -> None:
        self._api = StripeApi(settings)
        self.is_live = self._api.is_live
        self._plans = StripeSubscriptions(self._api)
        self._events = StripeEvents(self._api, settings)

    def customer(self, user_id: UUID, email: str | None) -> str | None:
        """The address is written afterwards: one that changed must not make the same key another request."""
        made = self._api.ask(
            lambda v1: v1.customers.create(
                {"metadata": {"user_id": str(user_id)}}, {"idempotency_key": f"customer:{user_id}"}
            )
        )
        if email and made.get("email") != email:
            self._api.ask(lambda v1: v1.customers.update(made["id"], {"email": email}))
        return str(made["id"])

    def open_checkout(self, order: Order) -> Hosted:
        options: Any = {"idempotency_key": f"page:{order.attempt_id}"}
        try:
            page = self._api.ask(lambda v1: v1.checkout.sessions.create(page_params(order), options))
        except RequestRefused as refusal:
            found = self._find_page(order.attempt_id, order.customer_id) if _is_repeated(refusal) else None
            if found is None or not found.get("url"):
                raise
            page = found  # it was opened before, with other words
        return hosted(page)

    def pay(self, order: Order) -> PaymentState:
        """A refused card leaves a payment that could be tried again: it is ended, so that nothing comes of it."""
        if not order.method_id:
            raise InvalidInput("Say with which method to pay.", field="paymentMethodId")
        method_id = order.method_id
        options: Any = {"idempotency_key": f"pay:{order.attempt_id}"}
        try:
            intent = self._api.ask(lambda v1: v1.payment_intents.create(payment_params(order, method_id), options))
        except Declined as declined:
            self._end_declined(order, declined)
            raise
        except RequestRefused as refusal:
            if refusal.param == "payment_method":
                raise PaymentFailed(details={"reason": Decline.UNKNOWN_METHOD.value}) from None
            if not _is_repeated(refusal):
                raise
            state = self.look(PaymentRef(order.attempt_id, customer_id=order.customer_id))
            if state is None:
                raise
            return state
        return payment_state(intent)

    def authorize(self, ref: PaymentRef) -> PaymentState:
        """Nothing is ever only approved here: what is held already is answered."""
        state = self._known(ref)
        if state.status not in (PaymentStatus.HELD, PaymentStatus.CAPTURED):
            raise PaymentFailed("The payer has not agreed to this payment.")
        return state

    def look(self, ref: PaymentRef) -> PaymentState | None:
        if session_id := ref.session_id:
            page = self._api.find(lambda v1: v1.checkout.sessions.retrieve(session_id, {"expand": WITH_SESSION}))
            return self._complete(session_state(page), page.get("payment_intent")) if page else None
        if payment_id := ref.payment_id:
            intent = self._api.find(lambda v1: v1.payment_intents.retrieve(payment_id, {"expand": WITH_PAYMENT}))
            return self._complete(payment_state(intent), intent) if intent else None
        if page := self._find_page(ref.attempt_id, ref.customer_id):
            return self._complete(session_state(page), page.get("payment_intent"))
        intent = next((found for found in self._intents(ref.customer_id) if _is_of(found, ref.attempt_id)), None)
        return self._complete(payment_state(intent), intent) if intent else None

    def capture(self, ref: PaymentRef, money: Money) -> PaymentState:
        state = self._known(ref)
        if state.status is PaymentStatus.CAPTURED:
            return state
        payment_id = state.payment_id
        if state.status is not PaymentStatus.HELD or payment_id is None:
            raise PaymentFailed("Nothing is held any more that could be taken.")
        if money.currency != state.money.currency or not 0 < money.minor <= state.money.minor:
            raise InvalidInput(f"Up to {state.money.text} can be taken.", field="amount")
        options: Any = {"idempotency_key": f"capture:{ref.attempt_id}:{money.minor}"}
        try:
            self._api.ask(
                lambda v1: v1.payment_intents.capture(payment_id, {"amount_to_capture": money.minor}, options)
            )
        except RequestRefused as refusal:
            if refusal.error_code != "payment_intent_unexpected_state":
                raise
        return self._after_capture(replace(ref, payment_id=payment_id))

    def void(self, ref: PaymentRef) -> PaymentState:
        """A page's payment ends only with its page, and a paid page's payment only by itself: both are tried."""
        state = self._known(ref)
        for _ in range(2):  # the payer may be paying at this moment
            if state.status not in _UNDECIDED:
                return state
            self._let_go(state, ref.attempt_id)
            state = self._known(ref)
        if state.status in _UNDECIDED:
            raise ExternalServiceError("The payment is still being decided. Please try again.", retryable=True)
        return state

    def refund(self, ref: PaymentRef, capture_id: str, money: Money, cause: str) -> RefundState:
        state = self._known(ref)
        known = next((refund for refund in state.refunds if refund.cause == cause), None)
        if known:
            return known
        payment_id = state.payment_id
        if state.status is not PaymentStatus.CAPTURED or state.is_disputed or payment_id is None:
            raise PaymentFailed("This payment cannot be given back.")
        if money.currency != state.money.currency or money.minor <= 0:
            raise PaymentFailed("This amount cannot be given back.")
        options: Any = {"idempotency_key": f"refund:{ref.attempt_id}:{cause}"}
        try:
            made = self._api.ask(
                lambda v1: v1.refunds.create(
                    {
                        "payment_intent": payment_id,
                        "amount": money.minor,
                        "reason": "requested_by_customer",
                        "metadata": {"cause": cause, "attempt_id": str(ref.attempt_id)},
                    },
                    options,
                )
            )
        except RequestRefused as refusal:
            if refusal.error_code in ("charge_already_refunded", "charge_disputed") or refusal.param == "amount":
                raise PaymentFailed("This payment cannot be given back.") from None
            raise
        return refund_state(made)

    def open_subscription(self, order: SubscriptionOrder) -> Hosted:
        return self._plans.open(order)

    def look_subscription(self, ref: SubscriptionRef) -> SubscriptionState | None:
        return self._plans.look(ref)

    def cancel_subscription(self, ref: SubscriptionRef, *, at_period_end: bool) -> SubscriptionState:
        return self._plans.cancel(ref, at_period_end=at_period_end)

    def resume_subscription(self, ref: SubscriptionRef) -> SubscriptionState:
        return self._plans.resume(ref)

    def portal_url(self, ref: SubscriptionRef, return_url: str) -> str | None:
        return self._plans.portal_url(ref, return_url)

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        return self._events.read(body, headers)

    def payments_since(self, since: datetime) -> Iterator[PaymentState]:
        """Pages first: one that still waits has no payment yet."""
        seen = set()
        for page in self._pages(None, since):
            if our_id(page.get("metadata"), "attempt_id"):
                state = self._complete(session_state(page), page.get("payment_intent"))
                seen.add(state.payment_id)
                yield state
        for intent in self._intents(None, since):
            if our_id(intent.get("metadata"), "attempt_id") and intent["id"] not in seen:
                yield self._complete(payment_state(intent), intent)

    def check(self) -> str:
        return self._events.check()

    def _known(self, ref: PaymentRef) -> PaymentState:
        state = self.look(ref)
        if state is None:
            raise NotFound("Stripe knows no such payment.")
        return state

    def _after_capture(self, ref: PaymentRef) -> PaymentState:
        state = self._known(ref)
        if state.status is not PaymentStatus.CAPTURED:
            raise PaymentFailed("Nothing is held any more that could be taken.")
        return state

    def _let_go(self, state: PaymentState, attempt_id: UUID) -> None:
        """End what is still undecided; that it is another thing by now shows at the next look."""
        session_id, payment_id = state.session_id, state.payment_id
        try:
            if session_id and state.status is not PaymentStatus.HELD and state.url:
                self._api.ask(lambda v1: v1.checkout.sessions.expire(session_id))
            elif payment_id:
                options: Any = {"idempotency_key": f"void:{attempt_id}"}
                self._api.ask(
                    lambda v1: v1.payment_intents.cancel(payment_id, {"cancellation_reason": "abandoned"}, options)
                )
        except RequestRefused as refusal:
            if refusal.error_code == "resource_missing":
                raise

    def _end_declined(self, order: Order, declined: Declined) -> None:
        found = declined.payment_id
        ref = PaymentRef(order.attempt_id, payment_id=found, customer_id=order.customer_id)
        state = self.look(ref)
        if state is not None and state.status in _UNDECIDED:
            self.void(replace(ref, payment_id=state.payment_id))

    def _complete(self, state: PaymentState, intent: Any) -> PaymentState:
        """With every refund: a charge brings only its first ten."""
        charge = intent.get("latest_charge") if isinstance(intent, dict) else None
        inline = charge.get("refunds") if isinstance(charge, dict) else None
        if state.status is not PaymentStatus.CAPTURED or (inline and not inline["has_more"]):
            return state
        found = self._api.pages(lambda v1: v1.refunds.list({"payment_intent": intent["id"], "limit": 100}))
        return replace(state, refunds=tuple(refund_state(refund) for refund in found))

    def _find_page(self, attempt_id: UUID, customer_id: str | None) -> Answer | None:
        return next((page for page in self._pages(customer_id) if _is_of(page, attempt_id)), None)

    def _pages(self, customer_id: str | None, since: datetime | None = None) -> Iterator[Answer]:
        params: Any = _filters(customer_id, since) | {"expand": [f"data.{part}" for part in WITH_SESSION]}
        return self._api.pages(lambda v1: v1.checkout.sessions.list(params))

    def _intents(self, customer_id: str | None, since: datetime | None = None) -> Iterator[Answer]:
        params: Any = _filters(customer_id, since) | {"expand": [f"data.{part}" for part in WITH_PAYMENT]}
        return self._api.pages(lambda v1: v1.payment_intents.list(params))


def _filters(customer_id: str | None, since: datetime | None) -> dict[str, Any]:
    if customer_id:
        return {"limit": 100, "customer": customer_id}
    return {"limit": 100, "created": {"gte": int((since or datetime.now(UTC) - _LIVES_AT_MOST).timestamp())}}


def _is_of(found: Answer, attempt_id: UUID) -> bool:
    return our_id(found.get("metadata"), "attempt_id") == attempt_id


def _is_repeated(refusal: RequestRefused) -> bool:
    """The key was used before, for a request that was not quite the same."""
    return refusal.error_code == "idempotency_error"
