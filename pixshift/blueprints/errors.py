"""One error, three skins: JSON for programs, a fragment for HTMX, a page for people. Same code, same status."""

import logging
import math
import time
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, jsonify, make_response, request
from flask_wtf.csrf import CSRFError
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from pixshift.blueprints import access, limits
from pixshift.blueprints.helpers import safe_next
from pixshift.blueprints.rendering import is_fragment, leave_for, render
from pixshift.domain import images
from pixshift.errors import (
    AuthExpired,
    AuthForbidden,
    AuthInvalid,
    AuthRequired,
    FileTooLarge,
    InternalError,
    InvalidInput,
    NotFound,
    PixShiftError,
)

log = logging.getLogger(__name__)
_STEPS_OF_BROWSERS = ("api.auth.oauth", "api.auth.callback")  # on the way to another site and back
_LARGEST_DRAIN = 32 * 1024 * 1024
_LONGEST_DRAIN_SECONDS = 5.0


def init_app(app: Flask) -> None:
    app.register_error_handler(PixShiftError, answer)
    app.register_error_handler(CSRFError, lambda _: answer(_csrf_failed()))
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(Exception, _unexpected)


def answer(error: PixShiftError) -> Response:
    """The error as whoever asked can read it. ``Retry-After`` goes with every limit."""
    _drain()
    if error.status >= 500 or isinstance(error, AuthForbidden):
        log.warning("request refused", extra={"code": error.code, "status": error.status})
    response = _skin(error)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if g.get("auth_error") is error and not g.get("is_bearer"):
        access.forget_cookie(response)
    return response


def wants_json() -> bool:
    if request.path.startswith(("/api/", "/webhooks/")) or request.path == "/csp-report":
        is_step = access.canonical(request.endpoint or "") in _STEPS_OF_BROWSERS
        return not (is_step and "text/html" in request.headers.get("Accept", ""))
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"]) == "application/json" and not accepted.accept_html


def body_of(error: PixShiftError) -> dict[str, Any]:
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "category": error.category,
            "details": error.details,
            "requestId": g.request_id,
        }
    }


def _skin(error: PixShiftError) -> Response:
    if wants_json():
        return make_response(jsonify(body_of(error)), error.status)
    again = g.pop("on_error", None)
    if again is None and isinstance(error, AuthRequired | AuthExpired | AuthInvalid):
        # A part is asked for only by a page that was signed in, though its cookie may be gone by now.
        has_ended = isinstance(error, AuthExpired) or is_fragment()
        return leave_for(f"/login?next={quote(_return_to())}" + ("&ended=1" if has_ended else ""))
    if again is not None and not isinstance(error, InternalError):
        response: Response = again(error)
        response.status_code = error.status
        return response
    template = "errors/_fragment.html" if is_fragment() else "errors/error.html"
    response = render(
        template,
        message=error.message,
        way_out=error.way_out,
        code=error.code,
        request_id=g.request_id,
        status=error.status,
    )
    response.status_code = error.status
    return response


def _return_to() -> str:
    """Where a person goes on after signing in: this page, or the one whose form or part this is."""
    if request.method == "GET" and not is_fragment():
        return request.full_path.rstrip("?")
    came_from = request.referrer or ""
    if came_from.startswith(request.host_url):
        return safe_next("/" + came_from.removeprefix(request.host_url)) or "/transform"
    return "/transform"


def _csrf_failed() -> AuthForbidden:
    return AuthForbidden("This form was open for too long. Reload the page and try again.", details={"reason": "csrf"})


def _from_werkzeug(error: HTTPException) -> Response:
    """The framework's own refusals in our words."""
    if isinstance(error, RequestEntityTooLarge):
        request.form = ImmutableMultiDict()  # a page that is shown again must not read on
        return answer(_too_large())
    if isinstance(error, MethodNotAllowed):
        response = answer(InvalidInput("This address does not work that way.", status=405))
        response.headers["Allow"] = ", ".join(error.valid_methods or [])
        return response
    if error.code == 404:
        return answer(NotFound("There is no such page."))
    if error.code is not None and 300 <= error.code < 400:
        return make_response(error.get_response())
    if error.code is not None and error.code < 500:
        return answer(InvalidInput("The request could not be read.", field="body"))
    return _unexpected(error)


def _too_large() -> PixShiftError:
    size, limit = request.content_length or 0, request.max_content_length or 0
    if 0 < size <= limit:
        return _too_many_parts()
    if limit > limits.SMALL_BODY:
        try:
            images.require_bytes(max(size, images.MAX_BYTES + 1), "Your photo")
        except FileTooLarge as error:
            return error
    return InvalidInput(
        f"The request is too large. Up to {limits.SMALL_BODY // 1024} kB are possible here.",
        field="body",
        details={"limit": limits.SMALL_BODY},
    )


def _too_many_parts() -> InvalidInput:
    text = min(request.max_form_memory_size or 0, request.max_content_length or 0)
    return InvalidInput(
        f"The form has too many fields, or one that is too long: {limits.MOST_PARTS} parts and {text // 1000} kB of "
        "text are possible. Send only the fields that the form has.",
        field="body",
        details={"limit": limits.MOST_PARTS, "textLimit": text},
    )


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return answer(InternalError())


def _drain() -> None:
    """Read what is left of a refused body: a client still sending would miss the answer otherwise.

    Up to a bound, and for some seconds: whoever sends slowly must not hold a thread for what nobody wants.
    """
    if g.get("is_unread"):
        return  # there is no thread to wait for it
    is_chunked = "Transfer-Encoding" in request.headers  # then its end is seen when it is reached
    left = _LARGEST_DRAIN if is_chunked else min(request.content_length or 0, _LARGEST_DRAIN)
    stream = request.environ.get("wsgi.input")
    ends = time.monotonic() + _LONGEST_DRAIN_SECONDS
    while stream is not None and left > 0 and time.monotonic() < ends:
        chunk = stream.read(min(left, 4096))
        if not chunk:
            return
        left -= len(chunk)
