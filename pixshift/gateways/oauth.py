"""Google (OpenID Connect) and Facebook (OAuth 2) as ways in: a code with PKCE, one exchange, no token kept."""

import base64
import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pixshift.errors import AuthInvalid, ConfigurationError, ExternalServiceError, InvalidInput, PixShiftError
from pixshift.gateways.ports.oauth import Begun, OAuthIdentity, PendingSignIn
from pixshift.settings_sections import FacebookLogin, GoogleLogin

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")
TIMEOUT_SECONDS = 5
KEPT_SECONDS = 3600.0
_LEEWAY_SECONDS = 120
_LONGEST_SUBJECT, _LONGEST_EMAIL = 255, 320
_ALGORITHMS = ["RS256", "ES256", "PS256"]  # nothing that a shared secret, or nobody, could sign
# No answer is looked for elsewhere than where it was asked for.
_CALL: dict[str, Any] = {"timeout": TIMEOUT_SECONDS, "allow_redirects": False}


class GoogleSignIn:
    """The OAuthProvider port on any OpenID provider; threads may share one."""

    def __init__(self, settings: GoogleLogin) -> None:
        if not (settings.client_id and settings.client_secret):
            raise ConfigurationError(["GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET belong together"])
        self._client_id = settings.client_id
        self._secret = settings.client_secret.get_secret_value()
        self._metadata_url = settings.server_metadata_url
        self._documents: dict[str, tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def begin(self, redirect_uri: str) -> Begun:
        def call() -> Begun:
            address = self._document(self._metadata_url)["authorization_endpoint"]
            return _begin(self._session(redirect_uri), address, scope="openid email profile")

        return _translated("Google", call)

    def finish(self, pending: PendingSignIn, params: Mapping[str, str], redirect_uri: str) -> OAuthIdentity:
        _require_consent("Google", pending, params)

        def call() -> OAuthIdentity:
            metadata = self._document(self._metadata_url)
            if params.get("iss", metadata["issuer"]) != metadata["issuer"]:
                raise _forged("Google")
            token = _exchange(self._session(redirect_uri), metadata["token_endpoint"], pending, params)
            claims = self._claims(token.get("id_token"), metadata, pending.nonce)
            is_verified = claims.get("email_verified") is True
            return _identity("Google", claims["sub"], claims.get("email"), is_verified, claims.get("name"))

        return _translated("Google", call)

    def subject_of(self, signed_request: str) -> str:
        raise InvalidInput("Google sends no such request.", field="signed_request")

    def check(self) -> str:
        """Whether the provider describes itself. Raises ExternalServiceError."""
        metadata: dict[str, Any] = _translated("Google", lambda: _get_json(self._metadata_url))
        return f"Google describes itself, as {metadata.get('issuer')}"

    def _session(self, redirect_uri: str) -> Any:
        return _session(self._client_id, self._secret, redirect_uri, "client_secret_basic")

    def _claims(self, id_token: Any, metadata: dict[str, Any], nonce: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        if not isinstance(id_token, str):
            raise _forged("Google")
        keys, url = self._document(metadata["jwks_uri"]), metadata["jwks_uri"]
        try:
            token = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)  # type: ignore[arg-type]
        except (JoseError, ValueError):
            # The provider may have changed its keys within the hour: once more, with those of now.
            keys = self._document(url, is_fresh=True)
            token = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)  # type: ignore[arg-type]
        rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": metadata["issuer"]},
            aud={"essential": True, "value": self._client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        rules.validate(token.claims)
        if token.claims.get("azp", self._client_id) != self._client_id:
            raise _forged("Google")
        return dict(token.claims)

    def _document(self, url: str, is_fresh: bool = False) -> dict[str, Any]:
        """A public document of the provider, at most an hour old."""
        with self._lock:
            at, document = self._documents.get(url, (0.0, {}))
        if is_fresh or not document or time.monotonic() > at + KEPT_SECONDS:
            document = _get_json(url)
            with self._lock:
                self._documents[url] = (time.monotonic(), document)
        return document


class FacebookSignIn:
    """The OAuthProvider port on Facebook Login; an e-mail it names may be missing and is nobody's proof."""

    def __init__(self, settings: FacebookLogin) -> None:
        if not (settings.client_id and settings.client_secret):
            raise ConfigurationError(["FACEBOOK_CLIENT_ID and FACEBOOK_CLIENT_SECRET belong together"])
        self._client_id = settings.client_id
        self._secret = settings.client_secret.get_secret_value()
        self._graph, self._dialog = settings.graph_url.rstrip("/"), settings.dialog_url

    def begin(self, redirect_uri: str) -> Begun:
        return _begin(self._session(redirect_uri), self._dialog, scope="email public_profile")

    def finish(self, pending: PendingSignIn, params: Mapping[str, str], redirect_uri: str) -> OAuthIdentity:
        _require_consent("Facebook", pending, params)

        def call() -> OAuthIdentity:
            session = self._session(redirect_uri)
            token = _exchange(session, f"{self._graph}/oauth/access_token", pending, params)["access_token"]
            proof = hmac.new(self._secret.encode(), token.encode(), hashlib.sha256).hexdigest()
            me = _get_json(
                f"{self._graph}/me",
                params={"fields": "id,name,email", "appsecret_proof": proof},
                headers={"Authorization": f"Bearer {token}"},
            )
            return _identity("Facebook", me["id"], me.get("email"), False, me.get("name"))

        return _translated("Facebook", call)

    def subject_of(self, signed_request: str) -> str:
        signature, _, payload = signed_request.partition(".")
        expected = hmac.new(self._secret.encode(), payload.encode(), hashlib.sha256).digest()
        wrong = InvalidInput("This request was not signed by Facebook.", field="signed_request")
        try:
            if not hmac.compare_digest(_decoded(signature), expected):
                raise wrong
            content = json.loads(_decoded(payload))
            if content["algorithm"].upper() != "HMAC-SHA256" or not isinstance(content["user_id"], str | int):
                raise wrong
        except (ValueError, KeyError, TypeError, AttributeError):
            raise wrong from None
        return str(content["user_id"])

    def check(self) -> str:
        """Whether Facebook knows the app and its secret. Raises ExternalServiceError."""

        def call() -> str:
            session = self._session("")
            session.fetch_token(f"{self._graph}/oauth/access_token", grant_type="client_credentials", **_CALL)
            return "Facebook knows the app and its secret"

        try:
            return _translated("Facebook", call)
        except AuthInvalid:
            raise ExternalServiceError("Facebook refuses FACEBOOK_CLIENT_ID or FACEBOOK_CLIENT_SECRET.") from None

    def _session(self, redirect_uri: str) -> Any:
        return _session(self._client_id, self._secret, redirect_uri, "client_secret_post")


def _session(client_id: str, secret: str, redirect_uri: str, method: str) -> Any:
    from authlib.integrations.requests_client import OAuth2Session

    return OAuth2Session(
        client_id, secret, redirect_uri=redirect_uri, token_endpoint_auth_method=method, code_challenge_method="S256"
    )


def _begin(session: Any, address: str, scope: str) -> Begun:
    state, nonce, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(16), secrets.token_urlsafe(48)
    url, _ = session.create_authorization_url(address, state=state, code_verifier=verifier, nonce=nonce, scope=scope)
    return Begun(str(url), state, nonce, verifier)


def _require_consent(name: str, pending: PendingSignIn, params: Mapping[str, str]) -> None:
    if not hmac.compare_digest(pending.state.encode(), params.get("state", "").encode()):
        raise _forged(name)
    if params.get("error") in ("access_denied", "consent_required", "login_required", "interaction_required"):
        raise AuthInvalid(
            f"{name} was not allowed to sign you in. Nothing was changed.",
            details={"reason": "denied"},
            way_out="Try again, or sign in by a code.",
        )
    if "error" in params or not params.get("code"):
        raise _forged(name)


def _exchange(session: Any, address: str, pending: PendingSignIn, params: Mapping[str, str]) -> dict[str, Any]:
    token = session.fetch_token(address, code=params["code"], code_verifier=pending.verifier, **_CALL)
    if not isinstance(token, dict) or not isinstance(token.get("access_token"), str):
        raise ValueError("no token")
    return token


def _get_json(url: str, **more: Any) -> dict[str, Any]:
    import requests

    answer = requests.get(url, **more, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    answer.raise_for_status()
    document = answer.json()
    if answer.status_code != 200 or not isinstance(document, dict):
        raise ValueError("no document")
    return document


def _identity(name: str, subject: Any, email: Any, is_verified: bool, person: Any) -> OAuthIdentity:
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise _forged(name)
    is_address = isinstance(email, str) and "@" in email and len(email) <= _LONGEST_EMAIL
    return OAuthIdentity(
        subject, email if is_address else None, is_address and is_verified, person if isinstance(person, str) else None
    )


def _translated(name: str, call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except PixShiftError:
        raise
    except Exception as error:
        failure = _failure(name, error)
    raise failure  # out here it is not chained to the library's error, which may hold a token


def _failure(name: str, error: Exception) -> PixShiftError:
    """Any other exception of a call as ours; only its type is logged, for its text may hold what was sent."""
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError

    logger.warning("sign-in with %s failed: %s", name, type(error).__name__)
    if isinstance(error, AuthlibBaseError | JoseError):
        return _forged(name)
    return ExternalServiceError(
        f"{name} does not answer as it should.",
        category="NETWORK",
        retryable=True,
        way_out="Try again in a minute, or sign in by a code.",
    )


def _forged(name: str) -> AuthInvalid:
    return AuthInvalid(
        f"{name} did not confirm this sign-in.",
        details={"reason": "forged"},
        way_out="Please start again, or sign in by a code.",
    )


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
