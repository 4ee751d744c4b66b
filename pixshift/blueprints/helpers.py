"""Small things every route needs: the toolbox, the caller, links."""

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import current_app, request, session
from flask_login import current_user

from pixshift.domain import devices
from pixshift.errors import InvalidInput
from pixshift.services.sessions import Caller
from pixshift.services.toolbox import Toolbox

DEEPEST_JSON = 20
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)  # a string, to its end or the text's; a bracket
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


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
    """The words a person knows it by; the rest of what a browser says of itself is not kept."""
    return devices.name(request.user_agent.string)


def page_link(kind: str, object_id: UUID) -> str:
    """A signed link to a photo or picture, relative to this site."""
    tools = toolbox()
    return tools.gateways.links.path(kind, object_id, tools.now())


def api_link(kind: str, object_id: UUID) -> str:
    """The same link for programs, with the address they called."""
    return request.host_url.rstrip("/") + page_link(kind, object_id)


def json_body(*also: str) -> Any:
    """The JSON body; ``also`` names media types that are JSON though they do not say so.

    Raises InvalidInput (field ``body``) when it is of another media type, no JSON in UTF-8, nested too deep, or holds
    what no text can: NUL and half characters.
    """
    if not request.is_json and request.mimetype not in also:
        raise InvalidInput("Send JSON, with Content-Type: application/json.", field="body")
    try:
        text = request.get_data().decode("utf-8-sig")
        _require_flat(text)
        value = json.loads(text, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise InvalidInput("The body is not UTF-8 text.", field="body") from None
    except ValueError:
        raise InvalidInput("The body is not valid JSON.", field="body") from None
    if "\\u" in text:
        _require_text(value)
    return value


def _require_flat(text: str) -> None:
    """Before it is parsed: the parser calls itself for every level. Brackets within strings do not count."""
    if text.count("[") + text.count("{") <= DEEPEST_JSON:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > DEEPEST_JSON:
            raise InvalidInput(
                f"The JSON is nested too deep: {DEEPEST_JSON} levels are possible. Send only the fields described.",
                field="body",
                details={"limit": DEEPEST_JSON},
            )


def _require_text(value: Any) -> None:
    fields = value if isinstance(value, dict) else {"body": value}
    for field, item in fields.items():
        if any(_NO_TEXT.search(word) for word in (field, *_words(item))):
            name = "body" if _NO_TEXT.search(field) else field
            raise InvalidInput("This holds a character that no text has, such as \\u0000.", field=name)


def _words(value: Any) -> Iterator[str]:
    """Every string in it, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _words(item)
    elif isinstance(value, list):
        for item in value:
            yield from _words(item)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


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
