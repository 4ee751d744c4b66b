"""Payments for practice: a twin that holds, takes and gives back in books of its own. Nobody is charged."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from pixshift.domain.lifecycle import PaymentStatus
from pixshift.domain.pricing import Money
from pixshift.errors import InvalidInput, NotFound, PaymentFailed
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
from pixshift.gateways.practice_books import Books, Payment, Plan, key_of
from pixshift.gateways.practice_decisions import (
    Decision,
    PracticePage,
    choices,
    decide,
    give_back,
    given,
    hold,
    settle_by_clock,
)
from pixshift.gateways.practice_subscriptions import PracticeSubscriptions, is_of_month

METHODS: dict[str, Decline | None] = {
    "pm_practice_good": None,
    "pm_practice_declined": Decline.CARD_DECLINED,
    "pm_practice_no_funds": Decline.NO_FUNDS,
    "pm_practice_needs_bank": None,
}
_KEPT = "pm_practice_kept_"


def _utcnow() -> datetime:
    return datetime.now(UTC)


class PracticeGateway:
    """Deterministic: every id is made of ours, so the same call finds what the first one made."""

    name = "practice"
    title = "practice"
    is_twin = True
    is_live = False
    takes_methods = True
    return_parameter = "session_id"

    def __init__(self, instance: Path, app_url: str, now: Callable[[], datetime] = _utcnow) -> None:
        self._books = Books(instance / "practice-payments.sqlite3")
        self._pages = f"{app_url.rstrip('/')}/practice"
        self._now = now
        self._plans = PracticeSubscriptions(self._books, self._pages, now)

    def customer(self, user_id: UUID, email: str | None) -> str | None:
        return f"pcus_{user_id.hex}"

    def open_checkout(self, order: Order) -> Hosted:
        payment = self._books.add(self._payment(order, has_page=True))
        session_id = f"ps_{payment.key}"
        return Hosted(session_id, f"{self._pages}/{session_id}", datetime.fromisoformat(payment.expires_at))

    def pay(self, order: Order) -> PaymentState:
        first = self._payment(order, has_page=False)
        self._use_method(first, order.method_id)
        payment = self._books.add(first)
        state = self._state(payment)
        if state.status is PaymentStatus.FAILED and state.decline:
            raise _declined(state.decline)
        return state

    def authorize(self, ref: PaymentRef) -> PaymentState:
        """Nothing is ever only approved here: what is held already is answered."""
        state = self.look(ref)
        if state is None or state.status not in (PaymentStatus.HELD, PaymentStatus.CAPTURED):
            raise PaymentFailed("The payer has not agreed to this payment.")
        return state

    def look(self, ref: PaymentRef) -> PaymentState | None:
        payment = self._books.find(_key(ref))
        return self._state(payment) if isinstance(payment, Payment) else None

    def capture(self, ref: PaymentRef, money: Money) -> PaymentState:
        with self._change(_key(ref)) as payment:
            if payment.status == PaymentStatus.CAPTURED:
                return self._state(payment)
            if payment.status != PaymentStatus.HELD:
                raise PaymentFailed("Nothing is held any more that could be taken.")
            if money.currency != payment.currency or not 0 < money.minor <= payment.minor:
                raise InvalidInput(f"Up to {payment.money.text} can be taken.", field="amount")
            payment.status, payment.captured = PaymentStatus.CAPTURED, money.minor
            return self._state(payment)

    def void(self, ref: PaymentRef) -> PaymentState:
        with self._change(_key(ref)) as payment:
            if payment.status == PaymentStatus.HELD:
                payment.status = PaymentStatus.VOIDED
            elif payment.status in (PaymentStatus.OPEN, PaymentStatus.ACTION):
                payment.status = PaymentStatus.FAILED
            return self._state(payment)

    def refund(self, ref: PaymentRef, capture_id: str, money: Money, cause: str) -> RefundState:
        if is_of_month(capture_id):
            return self._plans.refund(capture_id, money, cause)
        with self._change(_key(ref)) as payment:
            known = given(payment.refunds, payment.currency)
            if made := next((refund for refund in known if refund.cause == cause), None):
                return made
            if payment.status != PaymentStatus.CAPTURED or capture_id != f"pc_{payment.key}" or payment.is_disputed:
                raise PaymentFailed("This payment cannot be given back.")
            return give_back(payment.refunds, payment.key, _taken(payment), money, cause)

    def open_subscription(self, order: SubscriptionOrder) -> Hosted:
        return self._plans.open(order, order.customer_id or f"pcus_{order.user_id.hex}")

    def look_subscription(self, ref: SubscriptionRef) -> SubscriptionState | None:
        return self._plans.look(ref)

    def cancel_subscription(self, ref: SubscriptionRef, *, at_period_end: bool) -> SubscriptionState:
        return self._plans.cancel(ref, at_period_end=at_period_end)

    def resume_subscription(self, ref: SubscriptionRef) -> SubscriptionState:
        return self._plans.resume(ref)

    def portal_url(self, ref: SubscriptionRef, return_url: str) -> str | None:
        return self._plans.portal_url(ref)

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        raise InvalidInput("Practice payments send no events.", field="body")

    def payments_since(self, since: datetime) -> list[PaymentState]:
        return [self._state(payment) for payment in self._books.payments_since(since)]

    def check(self) -> str:
        return (
            f"practice: nobody is charged; {self._books.count()} payments and subscriptions in {self._books.file.name}"
        )

    def page(self, session_id: str) -> PracticePage | None:
        """What its page shows; None for a page that was never opened."""
        entry = self._books.find(key_of(session_id))
        if entry is None:
            return None
        settle_by_clock(entry, self._now())
        is_plan = isinstance(entry, Plan)
        return PracticePage(
            session_id=session_id,
            user_id=UUID(entry.user_id),
            money=entry.money,
            description=entry.description,
            is_subscription=is_plan,
            status=self._plans.state(entry).status if isinstance(entry, Plan) else PaymentStatus(entry.status),
            choices=choices(entry),
            decline=Decline(entry.decline) if entry.decline else None,
            return_url=f"{entry.return_url}?session_id={session_id}",
            cancel_url=entry.cancel_url,
            paid_until=self._plans.state(entry).period_end if isinstance(entry, Plan) else None,
        )

    def decide(self, session_id: str, what: str) -> None:
        """What the payer does on the page. Raises NotFound, InvalidInput (no such word)."""
        if what not in set(Decision):
            raise InvalidInput("There is no such button.", field="what")
        with self._books.change(key_of(session_id)) as entry:
            settle_by_clock(entry, self._now())
            decide(entry, Decision(what), self._now())

    def refund_elsewhere(self, payment_id: str, minor: int) -> None:
        """Give back by hand, as in a gateway's dashboard."""
        with self._change(key_of(payment_id)) as payment:
            give_back(payment.refunds, payment.key, _taken(payment), Money.from_minor(minor, payment.currency), None)

    def dispute(self, payment_id: str) -> None:
        """The payer asks their bank for the money."""
        with self._change(key_of(payment_id)) as payment:
            payment.is_disputed = payment.status == PaymentStatus.CAPTURED

    def _payment(self, order: Order, *, has_page: bool) -> Payment:
        return Payment(
            key=order.attempt_id.hex,
            record_id=order.record_id.hex,
            user_id=order.user_id.hex,
            minor=order.money.minor,
            currency=order.money.currency,
            description=order.description,
            return_url=order.return_url,
            cancel_url=order.cancel_url,
            created_at=self._now().isoformat(),
            expires_at=order.expires_at.isoformat(),
            customer_id=order.customer_id or f"pcus_{order.user_id.hex}",
            has_page=has_page,
        )

    def _use_method(self, payment: Payment, method_id: str | None) -> None:
        """What becomes of a payment with this method. Raises PaymentFailed for one that does not exist."""
        if method_id is None:
            raise InvalidInput("Say with which method to pay.", field="paymentMethodId")
        if method_id.startswith(_KEPT):
            if not self._is_kept(method_id, payment.customer_id):
                raise _declined(Decline.UNKNOWN_METHOD)
            payment.method_id = method_id
        elif method_id not in METHODS:
            raise _declined(Decline.UNKNOWN_METHOD)
        if method_id == "pm_practice_needs_bank":
            payment.status = PaymentStatus.ACTION
        elif decline := METHODS.get(method_id):
            payment.status, payment.decline = PaymentStatus.FAILED, decline
        else:
            hold(payment, self._now())

    def _is_kept(self, method_id: str, customer_id: str) -> bool:
        keeper = self._books.find(method_id.removeprefix(_KEPT))
        return isinstance(keeper, Payment) and (keeper.method_id, keeper.customer_id) == (method_id, customer_id)

    @contextmanager
    def _change(self, key: str | None) -> Iterator[Payment]:
        """Raises NotFound for a payment that was never begun here."""
        with self._books.change(key) as payment:
            if not isinstance(payment, Payment):
                raise NotFound("The practice gateway knows no such payment.")
            settle_by_clock(payment, self._now())
            yield payment

    def _state(self, payment: Payment) -> PaymentState:
        settle_by_clock(payment, self._now())
        status, payment_id = PaymentStatus(payment.status), f"pp_{payment.key}"
        session_id = f"ps_{payment.key}" if payment.has_page else None
        waits = status in (PaymentStatus.OPEN, PaymentStatus.ACTION)
        return PaymentState(
            status=status,
            money=payment.money,
            is_live=False,
            attempt_id=UUID(payment.key),
            record_id=UUID(payment.record_id),
            user_id=UUID(payment.user_id),
            session_id=session_id,
            payment_id=payment_id,
            capture_id=f"pc_{payment.key}" if payment.captured else None,
            captured=_taken(payment).amount,
            refunds=given(payment.refunds, payment.currency),
            is_disputed=payment.is_disputed,
            decline=Decline(payment.decline) if payment.decline else None,
            method_id=payment.method_id,
            method_label="Practice card" if payment.held_at else None,
            customer_id=payment.customer_id,
            url=f"{self._pages}/{session_id or payment_id}" if waits else None,
            client_secret=f"{payment_id}_secret" if status is PaymentStatus.ACTION else None,
        )


def _key(ref: PaymentRef) -> str | None:
    named = ref.payment_id or ref.session_id
    return key_of(named) if named else ref.attempt_id.hex


def _taken(payment: Payment) -> Money:
    return Money.from_minor(payment.captured, payment.currency)


def _declined(reason: Decline) -> PaymentFailed:
    return PaymentFailed(details={"reason": reason.value})
