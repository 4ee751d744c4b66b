"""Talking to PayPal: one client for the process, answers as plain dicts, errors as ours."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pixshift.errors import ConfigurationError, ExternalServiceError, PixShiftError
from pixshift.settings_sections import PayPal

if TYPE_CHECKING:
    from paypalserversdk.exceptions.api_exception import ApiException
    from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient
    from requests import Session

logger = logging.getLogger(__name__)
Answer = dict[str, Any]
T = TypeVar("T")

_AWAY = "PayPal did not answer. Please try again in a minute."
_REFUSED = "PayPal refused our request. We have noted it."
_BAD_KEY = "PayPal does not accept our keys. We have noted it."
_TIMEOUT_SECONDS = 10
_REPEATS = 2
_PAUSE_SECONDS = 0.1  # times the number of the repeat
_CLOCK_SKEW_SECONDS = 60  # a token is renewed this much before its end
_BUSY = "PREVIOUS_REQUEST_IN_PROGRESS"
_BASES = {"live": "https://api-m.paypal.com", "sandbox": "https://api-m.sandbox.paypal.com"}
# What comes of it when an answer is not what was promised.
_UNREADABLE = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError)


class RequestRefused(ExternalServiceError):
    """PayPal says no to the request itself; ``http_status`` and ``issue`` are its own words."""

    def __init__(self, http_status: int, issue: str) -> None:
        super().__init__(_REFUSED)
        self.http_status = http_status
        self.issue = issue


class _Lost(ExternalServiceError):
    """Nobody knows what became of the call; ``may_repeat`` where asking again at once may help."""

    def __init__(self, *, may_repeat: bool, category: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(_AWAY, category=category, retryable=True, retry_after=retry_after)
        self.may_repeat = may_repeat


class PayPalApi:
    """Any number of threads may share one. Calls are repeated as they are, so their request ids stay the same."""

    def __init__(self, settings: PayPal) -> None:
        if not (settings.client_id and settings.client_secret):
            raise ConfigurationError(["PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET belong together"])
        self._id = settings.client_id
        self._secret = settings.client_secret.get_secret_value()
        self.is_live = settings.mode == "live"
        self.base = (settings.api_base or _BASES[settings.mode]).rstrip("/")
        self._lock = threading.Lock()
        self._made: PaypalServersdkClient | None = None
        self._local = threading.local()
        self._sessions: list[Session] = []

    def ask(self, call: "Callable[[PaypalServersdkClient], Any]") -> Answer:
        """One call's answer. Raises RequestRefused, or ExternalServiceError (retryable: outcome unknown)."""
        return self._persist(lambda client: _parsed(call(client).text))

    def find(self, call: "Callable[[PaypalServersdkClient], Any]") -> Answer | None:
        """As ``ask``; None for what PayPal does not know."""
        try:
            return self.ask(call)
        except RequestRefused as refusal:
            if refusal.http_status != 404:
                raise
            return None

    def raw(self, method: str, path: str, body: bytes | None = None, request_id: str | None = None) -> Answer:
        """A call that the SDK does not have. ``body`` is JSON, sent as it is. Raises as ``ask``."""
        return self._persist(lambda client: self._raw(client, method, path, body, request_id))

    def check_token(self) -> None:
        """Whether the keys work. Raises as ``ask``."""
        self._persist(_token)

    def close(self) -> None:
        """Hang up. The next call connects anew."""
        with self._lock:
            made, self._made = self._made, None
            sessions, self._sessions = self._sessions, []
            self._local = threading.local()
        if made is not None:
            made.config.http_client.session.close()
        for session in sessions:
            session.close()

    def _raw(
        self, client: "PaypalServersdkClient", method: str, path: str, body: bytes | None, request_id: str | None
    ) -> Answer:
        headers = {"Authorization": f"Bearer {_token(client)}", "Content-Type": "application/json"}
        if request_id:
            headers["PayPal-Request-Id"] = request_id
        answer = self._session().request(
            method, f"{self.base}{path}", data=body, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False
        )
        if not 200 <= answer.status_code < 300:
            raise _refusal(answer.status_code, answer.text, answer.headers)
        return _parsed(answer.text)

    def _persist(self, call: "Callable[[PaypalServersdkClient], T]") -> T:
        """Repeat what may have failed on the way only, and once more with a new token when this one is refused."""
        has_new_token, number = False, 0
        while True:
            number += 1
            try:
                return self._once(call)
            except ExternalServiceError as error:
                is_stale = isinstance(error, RequestRefused) and error.http_status == 401 and not has_new_token
                may_repeat = is_stale or (isinstance(error, _Lost) and error.may_repeat)
                if not may_repeat or number > _REPEATS:
                    raise
                has_new_token = has_new_token or is_stale
                if is_stale:
                    self._forget()
            time.sleep(_PAUSE_SECONDS * number)

    def _once(self, call: "Callable[[PaypalServersdkClient], T]") -> T:
        import requests
        from paypalserversdk.exceptions.api_exception import ApiException

        failure: PixShiftError
        try:
            return call(self._client())
        except PixShiftError:
            raise
        except ApiException as error:
            failure = _translated(error)
        except requests.RequestException as error:
            failure = _lost(error)
        except Exception as error:
            # the SDK reads an answer with every decoder that is installed, YAML's too: each has errors of its own
            failure = _unreadable(error)
        raise failure  # out here it is not chained to the SDK's error, which holds request and answer

    def _client(self) -> "PaypalServersdkClient":
        with self._lock:
            if self._made is None:
                self._made = _connect(self._id, self._secret, self.base, is_live=self.is_live)
            return self._made

    def _forget(self) -> None:
        with self._lock:
            self._made = None

    def _session(self) -> "Session":
        if not hasattr(self._local, "session"):
            import requests

            self._local.session = requests.Session()
            self._local.session.trust_env = False  # a .netrc would take the place of the token
            self._sessions.append(self._local.session)
        session: Session = self._local.session
        return session


@contextmanager
def reading() -> Iterator[None]:
    """Around what is made of an answer. Raises ExternalServiceError (retryable) where it is not what was promised."""
    failure = None
    try:
        yield
    except _UNREADABLE as error:
        failure = _unreadable(error)
    if failure:
        raise failure  # not chained, as in ``_once``


def _unreadable(error: Exception) -> ExternalServiceError:
    logger.warning("paypal's answer could not be read: %s", type(error).__name__)
    return ExternalServiceError(_AWAY, retryable=True)


def _connect(client_id: str, secret: str, base: str, *, is_live: bool) -> "PaypalServersdkClient":
    from paypalserversdk.configuration import Configuration, Environment, Server
    from paypalserversdk.http.auth.o_auth_2 import ClientCredentialsAuthCredentials
    from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient

    class Addressed(Configuration):
        """The SDK's own configuration can only reach paypal.com."""

        environments = {environment: {Server.DEFAULT: base} for environment in Environment}  # noqa: RUF012

    credentials = ClientCredentialsAuthCredentials(
        o_auth_client_id=client_id,
        o_auth_client_secret=secret,
        # the SDK's own fetch takes an outage and a wrong key alike for "not signed in"
        o_auth_token_provider=lambda _, manager: manager.fetch_token(),
        o_auth_clock_skew=_CLOCK_SKEW_SECONDS,
    )
    return PaypalServersdkClient(
        config=Addressed(
            environment=Environment.PRODUCTION if is_live else Environment.SANDBOX,
            timeout=_TIMEOUT_SECONDS,
            max_retries=0,
            client_credentials_auth_credentials=credentials,
        )
    )


def _token(client: "PaypalServersdkClient") -> str:
    manager = client.oauth_2
    if not manager.is_valid():
        raise ValueError("a token that has ended already")
    token: str = manager._o_auth_token.access_token
    return token


def _parsed(text: str) -> Answer:
    """An answer without a body is an empty one. Raises ValueError."""
    answer = json.loads(text) if text.strip() else {}
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    return answer


def _lost(error: Exception) -> ExternalServiceError:
    """Repeated at once only where that does not mean to wait for a second timeout."""
    import requests

    logger.warning("paypal did not answer: %s", type(error).__name__)
    return _Lost(may_repeat=not isinstance(error, requests.Timeout), category="NETWORK")


def _translated(error: "ApiException") -> ExternalServiceError:
    from paypalserversdk.exceptions.o_auth_provider_exception import OAuthProviderException

    if isinstance(error, OAuthProviderException) and error.response_code < 500 and error.response_code != 429:
        logger.error("paypal refused our keys: HTTP %s", error.response_code)
        return ExternalServiceError(_BAD_KEY)
    return _refusal(error.response_code, error.response.text, error.response.headers)


def _refusal(status: int, text: str, headers: Mapping[str, str]) -> ExternalServiceError:
    """PayPal's error as ours; only words that PayPal chose are logged, never what was sent."""
    issue, debug_id = _issue(text)
    logger.warning("paypal refused: HTTP %s, %s, debug id %s", status, issue, debug_id)
    if status == 429 or status >= 500 or status == 409 or issue == _BUSY:
        return _Lost(may_repeat=status != 429, retry_after=_seconds(headers.get("Retry-After", "")))
    return RequestRefused(status, issue)


def _seconds(wait: str) -> float | None:
    return float(wait) if wait.isdecimal() and len(wait) < 6 else None


def _issue(text: str) -> tuple[str, str]:
    """Its word for what is wrong and the number by which PayPal's support finds the call; cut, as it is logged."""
    try:
        said = json.loads(text)
    except ValueError:
        return "UNREADABLE", "-"
    if not isinstance(said, dict):
        return "UNREADABLE", "-"
    details = said.get("details")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    issue = first.get("issue") or said.get("name") or said.get("error") or "UNREADABLE"
    return str(issue)[:80], str(said.get("debug_id") or "-")[:40]
