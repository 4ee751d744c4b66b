"""Stripe's webhooks: verified on the raw bytes, read as hints."""

import time
from collections.abc import Mapping
from typing import Any

from pixshift.errors import ExternalServiceError, InvalidInput
from pixshift.gateways.ports import Event, EventKind
from pixshift.gateways.stripe_answers import id_of, our_id
from pixshift.gateways.stripe_client import Answer, StripeApi
from pixshift.settings_sections import Stripe

_TOLERANCE = 300  # seconds, into the past and into the future
_KINDS = {
    "payment_intent.": EventKind.PAYMENT,
    "charge.dispute.": EventKind.DISPUTE,
    "charge.": EventKind.PAYMENT,
    "refund.": EventKind.PAYMENT,
    "invoice.": EventKind.SUBSCRIPTION,
    "customer.subscription.": EventKind.SUBSCRIPTION,
    "radar.early_fraud_warning.": EventKind.PAYMENT,  # a warning, no dispute yet
}


class StripeEvents:
    """``webhook_secret`` may be several, with commas: while one is replaced, both are good."""

    def __init__(self, api: StripeApi, settings: Stripe) -> None:
        self._api = api
        given = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
        self._secrets = [secret.strip() for secret in given.split(",") if secret.strip()]

    def read(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Raises InvalidInput for what is not signed by Stripe, within five minutes of now."""
        signature = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), "")
        event = next((found for secret in self._secrets if (found := self._verified(body, signature, secret))), None)
        try:
            return _hint(event or {})
        except KeyError:  # not signed by Stripe, or signed and yet no event
            raise InvalidInput("This is not an event of Stripe.", field="body") from None

    def _verified(self, body: bytes, signature: str, secret: str) -> Answer | None:
        from stripe import SignatureVerificationError

        if not signature.isascii():  # the SDK compares text, and fails on any other
            return None
        try:
            event: Answer = self._api.client().construct_event(body, signature, secret, _TOLERANCE).to_dict()
        except (ValueError, SignatureVerificationError):  # bytes that are no text or no JSON are ValueErrors
            return None
        return None if _is_from_the_future(signature) else event

    def check(self) -> str:
        """Raises ExternalServiceError when the key does not work or is of the other mode."""
        import stripe

        balance = self._api.ask(lambda v1: v1.balance.retrieve())
        if balance["livemode"] != self._api.is_live:
            raise ExternalServiceError("STRIPE_API_KEY is of the other mode than it says.")
        hooks = list(self._api.pages(lambda v1: v1.webhook_endpoints.list({"limit": 100})))
        other = sum(hook.get("api_version") != stripe.api_version for hook in hooks)
        mode = "live" if self._api.is_live else "test"
        notes = [f"stripe: the key works, in {mode} mode", f"{len(hooks)} webhook endpoints"]
        if other:
            notes.append(f"{other} of them not at API version {stripe.api_version}")
        if not self._secrets:
            notes.append("STRIPE_WEBHOOK_SECRET is missing, so every event is refused")
        return ", ".join(notes)


def _is_from_the_future(signature: str) -> bool:
    """The SDK looks into the past only. Called for a signature that is verified, so its time can be read."""
    said = next(part[2:] for part in signature.split(",") if part.startswith("t="))
    return int(said) > time.time() + _TOLERANCE


def _hint(event: Answer) -> Event:
    kind, about = _kind(event), event["data"]["object"]
    session_id = about["id"] if about.get("object") == "checkout.session" else None
    is_payment = about.get("object") == "payment_intent"
    return Event(
        event_id=event["id"],
        type=event["type"],
        is_live=event["livemode"],
        kind=kind,
        session_id=session_id,
        payment_id=about["id"] if is_payment else id_of(about.get("payment_intent")),
        remote_id=_subscription_of(about) if kind is EventKind.SUBSCRIPTION else None,
        record_id=our_id(about.get("metadata"), "record_id"),
    )


def _kind(event: Answer) -> EventKind:
    said = event["type"]
    if said.startswith("checkout.session."):
        is_plan = event["data"]["object"].get("mode") == "subscription"
        return EventKind.SUBSCRIPTION if is_plan else EventKind.PAYMENT
    return next((kind for start, kind in _KINDS.items() if said.startswith(start)), EventKind.OTHER)


def _subscription_of(about: Any) -> str | None:
    if about.get("object") == "subscription":
        found: str = about["id"]
        return found
    parent = (about.get("parent") or {}).get("subscription_details") or {}
    return id_of(about.get("subscription") or parent.get("subscription"))
