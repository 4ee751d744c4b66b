"""Which purse pays for the next picture: a free one, one of this month's, or the price of one."""

from uuid import UUID

from sqlalchemy import func, select

from pixshift.domain.lifecycle import Purse, Status
from pixshift.domain.pricing import Money
from pixshift.errors import ConfigurationError, FreeTierExhausted, InvalidInput, PaymentRequired
from pixshift.extensions import db
from pixshift.models import Transformation, User
from pixshift.models.base import read_rows
from pixshift.services import billing, payment_rules, plans
from pixshift.services.toolbox import Toolbox


def image_price(toolbox: Toolbox) -> Money:
    """What one picture costs now; a job keeps the price it was created with."""
    tier = toolbox.settings.tier(Purse.BASIC)
    if tier.cost_per_image is None:
        raise ConfigurationError(["config/pricing-tiers.yaml: basic has no costPerImage"])
    return Money(tier.cost_per_image, tier.currency)


def reserve(toolbox: Toolbox, user_id: UUID, tier: str | None) -> tuple[Purse, UUID | None]:
    """Which purse pays, with a picture taken from it; of a paid month, which."""
    try:
        billing.reserve_free(user_id, toolbox.settings.free_tier.limit)
    except FreeTierExhausted as exhausted:
        db.session.rollback()
        return _reserve_paid(toolbox, user_id, tier, exhausted)
    return Purse.FREE, None


def _reserve_paid(
    toolbox: Toolbox, user_id: UUID, tier: str | None, exhausted: FreeTierExhausted
) -> tuple[Purse, UUID | None]:
    payment_rules.require_unblocked(user_id)
    has_month = billing.quota(user_id, toolbox.now()) is not None
    chosen = tier or _chosen(user_id, has_month)
    if has_month:
        try:
            return Purse.PREMIUM, billing.reserve_quota(user_id, toolbox.now())
        except PaymentRequired:
            db.session.rollback()
    if chosen is None:
        exhausted.way_out = "Choose Basic to pay for single pictures, or Premium for a month."
        raise exhausted
    if chosen == Purse.PREMIUM:
        price = image_price(toolbox)
        raise PaymentRequired(
            "Your plan has no pictures left this month, or is not paid.",
            way_out=f"Pay {price.text} for this one by choosing Basic, or see your plan on the billing page.",
            details={"pricingTier": chosen},
        )
    _require_few_unpaid(toolbox, user_id)
    return Purse.BASIC, None


def _require_few_unpaid(toolbox: Toolbox, user_id: UUID) -> None:
    limit = toolbox.settings.billing.unpaid_jobs
    unpaid = (Transformation.status == Status.PENDING) & Transformation.due_at.is_(None)
    waiting = select(func.count()).select_from(Transformation).where(Transformation.user_id == user_id, unpaid)
    if int(read_rows(waiting)[0][0]) >= limit:
        raise InvalidInput(
            f"{limit} of your pictures wait to be paid for, and more are not possible.",
            way_out="Pay for one of them or cancel it: they are in your history.",
            details={"limit": limit},
        )


def _chosen(user_id: UUID, has_month: bool) -> str | None:
    """The tier they chose for when nothing is free any more.

    Premium is no choice any more once it is over: what costs something else is asked for first.
    """
    tier: str | None = read_rows(select(User.pricing_tier).where(User.id == user_id))[0].pricing_tier
    is_over = tier == Purse.PREMIUM and not has_month and plans.live(user_id) is None
    return None if is_over else tier
