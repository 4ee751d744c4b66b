"""How often somebody may call, and how much one request may bring."""

import io
import logging
import math
from enum import Enum
from uuid import UUID

from flask import Flask, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from pixshift.blueprints.helpers import address, toolbox
from pixshift.domain import images
from pixshift.domain.otp import address_block
from pixshift.domain.rates import Rate, masked_address
from pixshift.errors import InvalidInput, RateLimitExceeded

log = logging.getLogger(__name__)
SMALL_BODY = 64 * 1024
MULTIPART_OVERHEAD = 64 * 1024
MOST_PARTS = 20  # of a form
LONGEST_URL = 8 * 1024
MOST_PARAMETERS = 50
_LOTS_OF_A_BURST = 60


class Calls(Enum):
    """What a route's calls are counted as; the rates are in ``config/rate-limits.yaml``."""

    AUTH = "auth"
    UPLOAD = "upload"
    CREATE = "create"
    WRITE = "write"
    REPORT = "report"
    VENDOR = "vendor"
    POLL = "poll"
    READ = "read"
    NONE = "none"


# These come too often for a trip to Redis each: a process takes small parts of a burst at a time.
_IN_LOTS = (Calls.POLL, Calls.READ)


def init_app(app: Flask) -> None:
    settings = app.extensions["toolbox"].settings.rate_limits
    rates = {}
    for calls in set(Calls) - {Calls.NONE}:
        limit = getattr(settings, calls.value)
        lot = max(1, limit.burst // _LOTS_OF_A_BURST) if calls in _IN_LOTS else 1
        rates[calls] = Rate(limit.per_minute, limit.burst, lot)
    app.extensions["rates"] = rates


def count(calls: Calls, person: UUID | None) -> None:
    """Count this call. Raises RateLimitExceeded (``retry_after``, ``details.limit``) when there were too many.

    A person counts wherever they call from, so that many behind one address do not stop each other. Whoever asks for
    codes or tries them counts by address in any case: there a new person is made in a minute.
    """
    rate: Rate = current_app.extensions["rates"][calls]
    keys = [] if person is None else [f"{calls.value}:{person}"]
    if person is None or calls is Calls.AUTH:
        keys.append(f"{calls.value}:{address_block(address())}")
    wait = max(toolbox().gateways.rates.take(key, rate) for key in keys)
    if wait > 0:
        raise _too_often(calls, rate, wait)


def _too_often(calls: Calls, rate: Rate, wait: float) -> RateLimitExceeded:
    log.warning("limit hit", extra={"calls": calls.value, "network": masked_address(address())})
    seconds = max(1, math.ceil(wait))
    return RateLimitExceeded(
        f"That was a bit fast. Please wait {seconds} {'second' if seconds == 1 else 'seconds'} and try again.",
        retry_after=wait,
        details={"limit": rate.per_minute, "per": "minute", "retryAfter": seconds},
    )


def bound_url() -> None:
    """Raises InvalidInput when the address is longer, or asks for more, than any page or program of ours would."""
    query = request.query_string
    if len(request.path) + len(query) > LONGEST_URL:
        raise InvalidInput(
            f"This address is too long: {LONGEST_URL // 1024} kB are possible.",
            field="url",
            details={"limit": LONGEST_URL},
            status=414,
        )
    if query.count(b"&") >= MOST_PARAMETERS:
        raise InvalidInput(
            f"This address has too many parameters: {MOST_PARAMETERS} are possible.",
            field="url",
            details={"limit": MOST_PARAMETERS},
        )


def bound_body(calls: Calls) -> None:
    """How much is read of this request's body, whatever it says of itself; nothing is parsed yet."""
    request.max_form_parts = MOST_PARTS
    if calls is not Calls.UPLOAD:
        request.max_content_length = SMALL_BODY
        _measure()
        return
    limit = images.MAX_BYTES + MULTIPART_OVERHEAD
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        images.require_bytes(request.content_length or 0, "Your photo")


def _measure() -> None:
    """Read a small body that comes in chunks, and so has no length yet: Werkzeug would cut it off at the limit."""
    if "CONTENT_LENGTH" in request.environ or "HTTP_TRANSFER_ENCODING" not in request.environ:
        return
    body = request.environ["wsgi.input"].read(SMALL_BODY + 1)
    if len(body) > SMALL_BODY:
        raise RequestEntityTooLarge
    request.environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
