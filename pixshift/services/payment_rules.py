"""Who may pay for what, where, how often, and which price."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select

from pixshift.domain.pricing import Money
from pixshift.errors import InvalidInput, PaymentFailed, RateLimitExceeded
from pixshift.gateways.ports import PaymentGateway
from pixshift.models import BillingRecord, PaymentAttempt, User
from pixshift.models.base import read_rows
from pixshift.services.toolbox import Toolbox

TRIES_AN_HOUR = 10


def chosen(toolbox: Toolbox, gateway_name: str | None = None) -> PaymentGateway:
    """The gateway of that name, or the one that is offered first. Raises InvalidInput."""
    gateways = toolbox.gateways.payments
    if gateway_name is None:
        return next(iter(gateways.values()))
    if gateway_name not in gateways:
        raise InvalidInput("That way to pay is not offered. Choose another one.", field="gateway")
    return gateways[gateway_name]


def require_unblocked(user_id: UUID) -> None:
    """Raises PaymentFailed while a payment of theirs is disputed."""
    rows = read_rows(select(User.spending_blocked_at).where(User.id == user_id))
    if rows and rows[0].spending_blocked_at is not None:
        raise PaymentFailed(
            "A payment of yours is disputed with your bank.",
            way_out="Until that is settled you cannot pay here. Write to us if you think this is wrong.",
            details={"reason": "disputed"},
        )


def require_patience(toolbox: Toolbox, user_id: UUID) -> None:
    """So many tries an hour: who needs more tests cards. Raises RateLimitExceeded."""
    since = toolbox.now() - timedelta(hours=1)
    mine = (PaymentAttempt.user_id == user_id) & (PaymentAttempt.created_at > since)
    tries, oldest = read_rows(select(func.count(), func.min(PaymentAttempt.created_at)).where(mine))[0]
    if tries >= TRIES_AN_HOUR:
        wait = (oldest - since).total_seconds()
        raise RateLimitExceeded(
            f"That were {TRIES_AN_HOUR} tries to pay within an hour. Nothing was charged.",
            way_out="Please wait a little, or ask your bank what it says.",
            retry_after=max(1.0, wait),
        )


def require_price(record: BillingRecord, amount: Decimal | None, currency: str | None) -> None:
    """What a caller believes to pay is what they pay. Raises InvalidInput."""
    price = Money(record.amount, record.currency)
    right = {"amount": float(price.amount), "currency": price.currency}
    if amount is not None and amount != price.amount:
        raise InvalidInput(f"This picture costs {price.text}. Nothing was charged.", field="amount", details=right)
    if currency is not None and currency != price.currency:
        raise InvalidInput(
            f"This picture is paid in {price.currency}. Nothing was charged.", field="currency", details=right
        )
