"""What every page at Stripe needs: an end, and a way back."""

from datetime import UTC, datetime, timedelta

from pixshift.gateways.ports import Hosted
from pixshift.gateways.stripe_client import Answer

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
