"""Talking to Stripe: one client for the process, answers as plain dicts, errors as ours."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pixshift.errors import ConfigurationError, ExternalServiceError, PaymentFailed, PixShiftError
from pixshift.gateways.ports import Decline
from pixshift.settings_sections import Stripe

if TYPE_CHECKING:
    from stripe import StripeClient, StripeError
    from stripe._v1_services import V1Services

logger = logging.getLogger(__name__)
Answer = dict[str, Any]

_AWAY = "The payment service did not answer. Please try again in a minute."
_REFUSED = "The payment service refused our request. We have noted it."
_TIMEOUT = (3.05, 20.0)  # seconds: to connect, and between two bytes of an answer
_DECLINES = {
    "insufficient_funds": Decline.NO_FUNDS,
    "expired_card": Decline.CARD_EXPIRED,
    "authentication_required": Decline.NOT_CONFIRMED,
    "authentication_failed": Decline.NOT_CONFIRMED,
    "payment_intent_authentication_failure": Decline.NOT_CONFIRMED,
    "resource_missing": Decline.UNKNOWN_METHOD,
}


class RequestRefused(ExternalServiceError):
    """Stripe says that the request itself is wrong; ``error_code`` and ``param`` are its own words."""

    def __init__(self, error_code: str | None, param: str | None) -> None:
        super().__init__(_REFUSED)
        self.error_code = error_code
        self.param = param


class Declined(PaymentFailed):
    """``payment_id`` is the payment the answer no was about."""

    def __init__(self, reason: Decline, payment_id: str | None) -> None:
        super().__init__(details={"reason": reason.value})
        self.payment_id = payment_id


class StripeApi:
    """Any number of threads may share one."""

    def __init__(self, settings: Stripe) -> None:
        if not settings.api_key:
            raise ConfigurationError(["STRIPE_API_KEY is missing"])
        self._key = settings.api_key.get_secret_value()
        self._base = settings.api_base.rstrip("/") if settings.api_base else None
        self._lock = threading.Lock()
        self._made: StripeClient | None = None

    @property
    def is_live(self) -> bool:
        return self._key.startswith(("sk_live_", "rk_live_"))

    def ask(self, call: "Callable[[V1Services], Any]") -> Answer:
        """One call's answer. Raises Declined, RequestRefused, or ExternalServiceError (retryable: outcome unknown)."""
        answer: Answer = self._guard(lambda: call(self.client().v1)).to_dict()
        return answer

    def pages(self, call: "Callable[[V1Services], Any]") -> Iterator[Answer]:
        """Every entry of a list, page after page, newest first."""
        page = self._guard(lambda: call(self.client().v1))
        while True:
            for entry in page.data:
                yield entry.to_dict()
            if not page.has_more:
                return
            page = self._guard(page.next_page)

    def find(self, call: "Callable[[V1Services], Any]") -> Answer | None:
        """As ``ask``; None for what Stripe does not know."""
        try:
            return self.ask(call)
        except RequestRefused as refusal:
            if refusal.error_code != "resource_missing":
                raise
            return None

    def client(self) -> "StripeClient":
        with self._lock:
            if self._made is None:
                self._made = _connect(self._key, self._base)
            return self._made

    def _guard(self, call: Callable[[], Any]) -> Any:
        from stripe import StripeError

        try:
            return call()
        except StripeError as error:
            failure = _translated(error)
        raise failure  # out here it is not chained to the SDK's error, which holds request and answer


def _connect(key: str, base: str | None) -> "StripeClient":
    import stripe

    stripe.enable_telemetry = False
    stripe._util.STRIPE_LOG = None  # the variable of this name would print every request, cards and people included
    logging.getLogger("stripe").setLevel(logging.WARNING)
    return stripe.StripeClient(
        key,
        base_addresses={"api": base} if base else None,
        max_network_retries=2,  # a client does not take over the module's number
        http_client=stripe.RequestsClient(timeout=_TIMEOUT),
    )


def decline_of(error: Answer) -> Decline:
    """Stripe's reason as ours, of an error object or of a payment's ``last_payment_error``."""
    words = (error.get("decline_code"), error.get("code"))
    return next((_DECLINES[word] for word in words if word in _DECLINES), Decline.CARD_DECLINED)


def _translated(error: "StripeError") -> PixShiftError:
    """Any of the SDK's errors as ours; only words that Stripe chose are logged, never what was sent."""
    import stripe

    if isinstance(error, stripe.CardError):
        said = error.json_body if isinstance(error.json_body, dict) else {}
        details: Answer = said.get("error") or {}
        return Declined(decline_of(details), (details.get("payment_intent") or {}).get("id"))
    name = type(error).__name__
    if isinstance(error, stripe.APIConnectionError):
        logger.warning("stripe did not answer: %s", name)
        return ExternalServiceError(_AWAY, category="NETWORK", retryable=True)
    logger.warning("stripe refused: %s, HTTP %s, code %s", name, error.http_status, error.code)
    if isinstance(error, stripe.InvalidRequestError):
        return RequestRefused(error.code, error.param)
    if isinstance(error, stripe.IdempotencyError):
        return RequestRefused("idempotency_error", None)
    is_final = isinstance(error, stripe.AuthenticationError | stripe.PermissionError)
    return ExternalServiceError(_REFUSED if is_final else _AWAY, retryable=not is_final)
