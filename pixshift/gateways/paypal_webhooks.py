"""PayPal's webhooks: verified by PayPal itself on the bytes that came, read as hints."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pixshift.errors import ExternalServiceError, InvalidInput
from pixshift.gateways.paypal_answers import our_ids
from pixshift.gateways.paypal_client import Answer, PayPalApi, RequestRefused
from pixshift.gateways.ports import Event, EventKind

_HEADERS = {
    "auth_algo": "paypal-auth-algo",
    "cert_url": "paypal-cert-url",
    "transmission_id": "paypal-transmission-id",
    "transmission_sig": "paypal-transmission-sig",
    "transmission_time": "paypal-transmission-time",
}
_LONGEST_HEADER = 500
_FORGED = "This did not come from PayPal."


class PayPalWebhooks:
    """PayPal's events: verified by PayPal itself on the bytes as they came."""

    def __init__(self, api: PayPalApi, webhook_ids: str | None) -> None:
        """``webhook_ids``: two with a comma while one takes over from the other."""
        self._api = api
        self._ids = [part.strip() for part in (webhook_ids or "").split(",") if part.strip()]

    def read(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Raises InvalidInput, or ExternalServiceError (retryable: PayPal delivers again) when nobody verifies."""
        event = _parsed(body)
        signed = _signed(headers)
        if not any(self._is_verified(webhook_id, signed, body) for webhook_id in self._ids):
            raise InvalidInput(_FORGED, field="body")
        return _event(event, is_live=self._api.is_live)

    def check(self) -> str:
        """Raises ExternalServiceError when PayPal does not know one of our webhooks."""
        if not self._ids:
            return "no webhook"
        known = {entry.get("id") for entry in self._api.raw("GET", "/v1/notifications/webhooks").get("webhooks") or []}
        if missing := [webhook_id for webhook_id in self._ids if webhook_id not in known]:
            raise ExternalServiceError(f"PayPal knows no webhook {', '.join(missing)} of this app.")
        return f"webhook {', '.join(self._ids)}"

    def _is_verified(self, webhook_id: str, signed: Mapping[str, str], body: bytes) -> bool:
        head = json.dumps({**signed, "webhook_id": webhook_id}).encode()
        # the event goes in as it came: written anew, its bytes and so its signature would be others
        asked = head[:-1] + b', "webhook_event": ' + body + b"}"
        try:
            answer = self._api.raw("POST", "/v1/notifications/verify-webhook-signature", asked)
        except RequestRefused as refusal:
            if refusal.http_status in (401, 403):
                raise
            return False
        return answer.get("verification_status") == "SUCCESS"


def _parsed(body: bytes) -> Answer:
    """One whole JSON object, or it could say more than an event once it stands inside of ours."""
    try:
        event = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise InvalidInput(_FORGED, field="body") from None
    if not isinstance(event, dict):
        raise InvalidInput(_FORGED, field="body")
    if not (isinstance(event.get("id"), str) and event["id"] and isinstance(event.get("event_type"), str)):
        raise InvalidInput(_FORGED, field="body")
    return event


def _signed(headers: Mapping[str, str]) -> dict[str, str]:
    """Raises InvalidInput when a header is missing or no sane one."""
    given = {name.lower(): value for name, value in headers.items()}
    signed = {field: given.get(name, "") for field, name in _HEADERS.items()}
    if not all(value and len(value) <= _LONGEST_HEADER and value.isascii() for value in signed.values()):
        raise InvalidInput(_FORGED, field="headers")
    return signed


def _event(event: Answer, *, is_live: bool) -> Event:
    kind, hints = _hints(event["event_type"], _object(event.get("resource")))
    return Event(event_id=event["id"], type=event["event_type"], is_live=is_live, kind=kind, **hints)


def _hints(type_: str, resource: Answer) -> tuple[EventKind, dict[str, Any]]:
    if type_.startswith("CHECKOUT.ORDER."):
        units = resource.get("purchase_units")
        unit = _object(units[0]) if isinstance(units, list) and units else {}
        hints = {"session_id": _text(resource.get("id")), "record_id": our_ids(unit.get("custom_id"))[0]}
        return EventKind.PAYMENT, hints
    if type_.startswith(("PAYMENT.AUTHORIZATION.", "PAYMENT.CAPTURE.", "PAYMENT.REFUND.")):
        return EventKind.PAYMENT, _payment_hints(resource)
    if type_.startswith("PAYMENT.SALE.") and resource.get("billing_agreement_id"):
        return EventKind.SUBSCRIPTION, {"remote_id": _text(resource["billing_agreement_id"])}
    if type_.startswith("BILLING.SUBSCRIPTION."):
        return EventKind.SUBSCRIPTION, {"remote_id": _text(resource.get("id"))}
    if type_.startswith("CUSTOMER.DISPUTE."):
        return EventKind.DISPUTE, _dispute_hints(resource)
    return EventKind.OTHER, {}


def _payment_hints(resource: Answer) -> dict[str, Any]:
    """Of an authorization, a capture or a refund: the authorization where it is named, else what it is about."""
    related = _object(_object(resource.get("supplementary_data")).get("related_ids"))
    payment_id = related.get("authorization_id") or _captured_in(resource) or resource.get("id")
    return {
        "session_id": _text(related.get("order_id")),
        "payment_id": _text(payment_id),
        "record_id": our_ids(resource.get("custom_id"))[0],
    }


def _captured_in(refund: Answer) -> str | None:
    """The capture that a refund's link "up" names."""
    for entry in refund.get("links") or []:
        path = urlsplit(str(_object(entry).get("href"))).path
        if _object(entry).get("rel") == "up" and "/captures/" in path:
            return path.rsplit("/", 1)[-1]
    return None


def _dispute_hints(resource: Answer) -> dict[str, Any]:
    """``payment_id`` is the capture's id: what PayPal calls the seller's transaction."""
    disputed = resource.get("disputed_transactions")
    first = _object(disputed[0]) if isinstance(disputed, list) and disputed else {}
    return {"payment_id": _text(first.get("seller_transaction_id")), "record_id": our_ids(first.get("custom"))[0]}


def _object(value: object) -> Answer:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
