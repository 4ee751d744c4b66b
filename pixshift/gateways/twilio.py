"""Twilio as the SMS sender: each message is sent once, because the Messages API knows no idempotency key."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from pixshift.errors import ConfigurationError, ExternalServiceError, InvalidInput, PixShiftError
from pixshift.gateways.ports import SentSms
from pixshift.settings_sections import Twilio

if TYPE_CHECKING:
    from twilio.rest import Client

logger = logging.getLogger(__name__)

# What Twilio's codes say about a number, in words for the person who typed it.
_NUMBER_FAULTS = {
    21211: "That number does not exist. Check it and try again.",
    21217: "That number does not exist. Check it and try again.",
    21408: "We cannot send codes to that country yet.",
    21610: "This number has opted out of our messages. Reply START to our last message, or use another number.",
    21612: "Our messages do not reach that number. Please use another one.",
    21614: "That is not a mobile number. A code can only go to a mobile.",
    21635: "That is a landline. A code can only go to a mobile.",
}
_AWAY = "We could not send the code just now. Please try again in a minute."
_VALID_SECONDS = 300  # as long as a code lives: a late message would only confuse


class TwilioSmsSender:
    """The SmsSender port on Twilio's Messages API; any number of threads may share one."""

    is_twin = False

    def __init__(self, settings: Twilio, callback: str | None = None) -> None:
        """``callback`` is our public address for what became of a message."""
        if not (settings.account_sid and settings.auth_token and settings.from_number):
            raise ConfigurationError(["TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER belong together"])
        self._account = settings.account_sid
        self._token = settings.auth_token.get_secret_value()
        self._from = settings.from_number
        self._base = settings.api_base
        self._timeout_seconds = settings.timeout / 1000
        self._local = threading.local()
        self._more = {"status_callback": callback} if callback else {}

    def send(self, to: str, text: str) -> SentSms:
        """Send once. Raises InvalidInput (field ``phone``) when the number is at fault, else ExternalServiceError."""
        message = self._ask(
            lambda client: client.messages.create(
                to=to, from_=self._from, body=text, validity_period=_VALID_SECONDS, risk_check="enable", **self._more
            )
        )
        if not message.sid:
            raise ExternalServiceError(_AWAY)
        return SentSms(message_id=message.sid)

    def check(self) -> str:
        """Whether the account answers and is active. Raises ExternalServiceError."""
        account = self._ask(lambda client: client.api.v2010.accounts(self._account).fetch())
        if account.status != "active":
            raise ExternalServiceError(f"The Twilio account is {account.status}.")
        return f"Twilio account is active, sending from {self._from}"

    def is_from_vendor(self, url: str, params: dict[str, str], signature: str) -> bool:
        """Twilio signs its callbacks with the account's token, over the address and every field."""
        from twilio.request_validator import RequestValidator

        return bool(signature) and bool(RequestValidator(self._token).validate(url, params, signature))

    def _ask(self, call: "Callable[[Client], Any]") -> Any:
        try:
            return call(self._client())
        except Exception as error:
            failure = _translated(error)
        raise failure  # out here it is not chained to the SDK's error, which holds account and request

    def _client(self) -> "Client":
        """One client a thread: the SDK's client keeps its last request and answer on itself."""
        if not hasattr(self._local, "client"):
            from twilio.rest import Client

            logging.getLogger("twilio.http_client").setLevel(logging.WARNING)
            http = _http_client(self._base, self._timeout_seconds)
            self._local.client = Client(self._account, self._token, http_client=http)
        client: Client = self._local.client
        return client


def _http_client(base: str, timeout_seconds: float) -> Any:
    """The SDK's HTTP client, talking to ``base`` (the SDK's own settings can only reach twilio.com)."""
    from twilio.http.http_client import TwilioHttpClient

    scheme, netloc = urlsplit(base)[:2]

    class AddressedClient(TwilioHttpClient):
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            return super().request(method, urlunsplit((scheme, netloc, *urlsplit(url)[2:])), *args, **kwargs)

    return AddressedClient(timeout=timeout_seconds, max_retries=0)


def _translated(error: Exception) -> PixShiftError:
    """Any exception of a call as ours; ``retryable`` is for people: a message that seemed lost may have been sent."""
    import requests
    from twilio.base.exceptions import TwilioException

    if isinstance(error, requests.RequestException):
        logger.warning("twilio did not answer: %s", type(error).__name__)
        return ExternalServiceError(_AWAY, category="NETWORK", retryable=True)
    code, status = getattr(error, "code", None), getattr(error, "status", None) or 0
    if isinstance(error, TwilioException) and code in _NUMBER_FAULTS:
        return InvalidInput(_NUMBER_FAULTS[code], field="phone")
    logger.error("twilio call failed: %s, HTTP %s, code %s", type(error).__name__, status, code)
    return ExternalServiceError(_AWAY, retryable=status == 429 or status >= 500)
