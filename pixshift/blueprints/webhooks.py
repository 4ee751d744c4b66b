"""What other companies' machines and browsers report by themselves: they bring no CSRF token, each is checked here."""

import logging
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, request

from pixshift.blueprints.helpers import json_body, toolbox
from pixshift.errors import AuthForbidden, InvalidInput
from pixshift.services import sms
from pixshift.services import webhooks as events

blueprint = Blueprint("webhooks", __name__)
log = logging.getLogger(__name__)
_LARGEST_REPORT = 8 * 1024
_MOST_REPORTS, _LONGEST_FIELD = 5, 200


@blueprint.post("/webhooks/twilio")
def twilio() -> Response:
    tools = toolbox()
    form = request.form.to_dict()
    signature = request.headers.get("X-Twilio-Signature", "")
    if not tools.gateways.sms.is_from_vendor(tools.settings.app_url + request.path, form, signature):
        raise AuthForbidden
    sms.delivery(form.get("MessageSid", ""), form.get("MessageStatus", ""), form.get("ErrorCode"))
    return make_response("", 204)


@blueprint.post("/webhooks/<any(stripe, paypal):gateway>")
def payments(gateway: str) -> Response:
    """Verified on the bytes as they came, kept, and answered; a worker acts on it."""
    events.receive(toolbox(), gateway, request.get_data(), dict(request.headers))
    return make_response("", 200)


@blueprint.post("/csp-report")
def csp_report() -> Response:
    """What a browser did not load because our policy forbids it: a bug of ours, an extension, or an attack."""
    request.max_content_length = _LARGEST_REPORT
    for report in _reports(json_body("application/csp-report"))[:_MOST_REPORTS]:
        log.warning("a page tried what its policy forbids", extra=_facts(report))
    return make_response("", 204)


def _reports(body: Any) -> list[dict[str, Any]]:
    """The older format is one report under a key, the newer a list of several kinds. Raises InvalidInput."""
    if isinstance(body, dict) and isinstance(body.get("csp-report"), dict):
        return [body["csp-report"]]
    if isinstance(body, list) and all(isinstance(item, dict) for item in body):
        found = [item.get("body") for item in body if item.get("type") == "csp-violation"]
        return [item for item in found if isinstance(item, dict)]
    raise InvalidInput("This is not a report.", field="body")


def _facts(report: dict[str, Any]) -> dict[str, str]:
    """Paths and hosts only: queries carry signatures."""
    page = _first(report, "document-uri", "documentURL")
    blocked = _first(report, "blocked-uri", "blockedURL")
    return {
        "page": _cut(_part(page, "path")),
        "directive": _cut(_first(report, "effective-directive", "effectiveDirective", "violated-directive")),
        "blocked": _cut(_part(blocked, "hostname") or blocked.partition(":")[0].partition("?")[0]),
        "source": _cut(_part(_first(report, "source-file", "sourceFile"), "path")),
    }


def _first(report: dict[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := report.get(name), str) and value), "")


def _part(url: str, name: str) -> str:
    try:
        return getattr(urlsplit(url), name) or ""
    except ValueError:
        return ""


def _cut(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST_FIELD])
