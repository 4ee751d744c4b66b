"""Sign-ins that are under way elsewhere: at most three, kept in the signed cookie of the browser that began them."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request, session, url_for

from pixshift.blueprints.helpers import toolbox
from pixshift.domain.roles import AuthProvider
from pixshift.errors import AuthInvalid, NotFound
from pixshift.services import identities

_KEY = "oauth"
_MOST = 3  # the cookie must stay small, however many are abandoned
_LIVES_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Finished:
    """Whom the provider sent back; ``link`` is the id of the person who wanted to add a way in, or empty."""

    provider: AuthProvider
    identity: identities.Elsewhere
    link: str


def provider_named(name: str) -> AuthProvider:
    """``gmail`` or ``facebook``, as they stand in addresses."""
    try:
        return {"gmail": AuthProvider.GMAIL, "facebook": AuthProvider.FACEBOOK}[name]
    except KeyError:
        raise NotFound("There is no such page.") from None


def buttons(endpoint: str) -> list[dict[str, str]]:
    """What is offered here: a name and where its form goes."""
    offered = identities.providers(toolbox())
    return [{"name": identities.NAMES[one], "url": url_for(endpoint, provider=one.value.lower())} for one in offered]


def begin(provider: AuthProvider, link: str = "") -> str:
    """Where to send this browser now."""
    begun = identities.begin(toolbox(), provider, _redirect_uri(provider))
    entry = {
        "provider": provider.value,
        "state": begun.state,
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "at": int(toolbox().now().timestamp()),
        "link": link,
    }
    session[_KEY] = [*session.get(_KEY, []), entry][-_MOST:]
    return begun.url


def finish(provider: AuthProvider) -> Finished:
    """Judge what the provider sent this browser back with; each sign-in that is under way is tried once."""
    params = request.args.to_dict()
    entry = _take(provider, params)
    pending = identities.Started(entry["state"], entry["nonce"], entry["verifier"])
    identity = identities.finish(toolbox(), provider, pending, params, _redirect_uri(provider))
    return Finished(provider, identity, entry["link"])


def _take(provider: AuthProvider, params: Mapping[str, str]) -> dict[str, Any]:
    state = params.get("state", "").encode()
    entries = session.get(_KEY, [])
    found = next((entry for entry in entries if hmac.compare_digest(entry["state"].encode(), state)), None)
    if found is not None:
        session[_KEY] = [entry for entry in entries if entry is not found]
    is_late = found is not None and toolbox().now().timestamp() > found["at"] + _LIVES_SECONDS
    if found is None or is_late or found["provider"] != provider.value:
        raise _not_ours(identities.NAMES[provider], params)
    return dict(found)


def _not_ours(name: str, params: Mapping[str, str]) -> AuthInvalid:
    """Some providers leave the state out when somebody says no; nobody is signed in by that in any case."""
    if params.get("error") == "access_denied" and "state" not in params:
        message = f"{name} was not allowed to sign you in. Nothing was changed."
        return AuthInvalid(message, way_out="Try again, or sign in by a code.", details={"reason": "denied"})
    message = "This sign-in was started elsewhere or has run out. Please start again."
    return AuthInvalid(message, details={"reason": "state"}, status=400)


def _redirect_uri(provider: AuthProvider) -> str:
    return f"{toolbox().settings.app_url}/api/v1/auth/callback/{provider.value.lower()}"
