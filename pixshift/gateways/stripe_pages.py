"""What Stripe is asked for: the page of an order, or its payment at once; a page has an end and a way back."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pixshift.gateways.ports import Hosted, Order
from pixshift.gateways.stripe_answers import WITH_PAYMENT
from pixshift.gateways.stripe_client import Answer

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParams
    from stripe.params.checkout import SessionCreateParams

_SHORTEST, _LONGEST = timedelta(minutes=31), timedelta(hours=23, minutes=59)  # Stripe's are 30 min and 24 h


def expiry(wanted: datetime) -> int:
    """When the page closes, in seconds since 1970: as wanted, within what Stripe allows."""
    now = datetime.now(UTC)
    return int(min(max(wanted, now + _SHORTEST), now + _LONGEST).timestamp())


def return_address(url: str) -> str:
    """Stripe fills in the id of the page."""
    return f"{url}{'&' if '?' in url else '?'}session_id={{CHECKOUT_SESSION_ID}}"


def hosted(page: Answer) -> Hosted:
    return Hosted(page["id"], page["url"], datetime.fromtimestamp(page["expires_at"], UTC))


def _metadata(order: Order) -> dict[str, str]:
    return {
        "attempt_id": str(order.attempt_id),
        "record_id": str(order.record_id),
        "user_id": str(order.user_id),
    }


def page_params(order: Order) -> "SessionCreateParams":
    """A page on which the price is held, for this picture only."""
    params: SessionCreateParams = {
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": order.money.currency.lower(),
                    "unit_amount": order.money.minor,
                    "product_data": {"name": order.description},
                },
            }
        ],
        "client_reference_id": str(order.record_id),
        "metadata": _metadata(order),
        "payment_intent_data": {
            "capture_method": "manual",
            "description": order.description,
            "metadata": _metadata(order),
        },
        "success_url": return_address(order.return_url),
        "cancel_url": order.cancel_url,
        "expires_at": expiry(order.expires_at),
    }
    if order.customer_id:
        params["customer"] = order.customer_id
        params["saved_payment_method_options"] = {"payment_method_save": "enabled"}  # the payer's own choice
    return params


def payment_params(order: Order, method_id: str) -> "PaymentIntentCreateParams":
    """The same at once, with a method that the payer gave."""
    params: PaymentIntentCreateParams = {
        "amount": order.money.minor,
        "currency": order.money.currency.lower(),
        "capture_method": "manual",
        "confirm": True,
        "payment_method": method_id,
        "description": order.description,
        "metadata": _metadata(order),
        # Without a page there is nowhere to come back to: a bank's question is answered in the payer's own program.
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "expand": WITH_PAYMENT,
    }
    if order.customer_id:
        params["customer"] = order.customer_id
    return params
