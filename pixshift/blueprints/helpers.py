"""Small things every route needs: the toolbox, the caller, links."""

import secrets
from typing import Any
from uuid import UUID

from flask import current_app, request, session
from flask_login import current_user
from werkzeug.exceptions import BadRequest

from pixshift.errors import InvalidInput
from pixshift.services.sessions import Caller
from pixshift.services.toolbox import Toolbox


def toolbox() -> Toolbox:
    tools: Toolbox = current_app.extensions["toolbox"]
    return tools


def caller() -> Caller:
    who: Caller = current_user.caller
    return who


def user_id() -> UUID:
    return caller().user_id


def flow() -> str:
    """What binds a code to this browser: a random word in the signed ``flow`` cookie, made when first needed."""
    if "flow" not in session:
        session["flow"] = secrets.token_urlsafe(16)
    return str(session["flow"])


def address() -> str:
    """Whom limits count. A dual-stack socket shows IPv4 callers as ``::ffff:192.0.2.1``, all of them in one /64."""
    address = request.remote_addr or "unknown"
    return address.removeprefix("::ffff:") if "." in address else address


def device() -> str:
    return (request.user_agent.string or "unknown")[:80]


def page_link(kind: str, object_id: UUID) -> str:
    """A signed link to a photo or picture, relative to this site."""
    tools = toolbox()
    return tools.gateways.links.path(kind, object_id, tools.now())


def api_link(kind: str, object_id: UUID) -> str:
    """The same link for programs, with the address they called."""
    return request.host_url.rstrip("/") + page_link(kind, object_id)


def json_body() -> Any:
    """The JSON body. Raises InvalidInput when it is no JSON, of another media type, or nested beyond reason."""
    if not request.is_json:
        raise InvalidInput("Send JSON, with Content-Type: application/json.", field="body")
    try:
        return request.get_json()
    except BadRequest:
        raise InvalidInput("The body is not valid JSON.", field="body") from None
    except RecursionError:
        raise InvalidInput("The JSON is nested too deeply.", field="body") from None


def safe_next(target: str | None) -> str | None:
    """A path on this site to return to, or None: never another host, whatever a browser makes of slashes."""
    if not target or len(target) > 500 or not target.startswith("/") or target.startswith(("//", "/\\")):
        return None
    return None if "\\" in target or any(ord(letter) < 32 for letter in target) else target


def asset_url(path: str) -> str | None:
    """The URL of a static file, None when there is none (a style that came without a thumbnail)."""
    try:
        return str(current_app.jinja_env.globals["static_url"](path))  # type: ignore[operator]
    except KeyError:
        return None
