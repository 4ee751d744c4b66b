"""The tier that pays for a person's pictures once the free ones are used."""

from uuid import UUID

from sqlalchemy import update

from pixshift.domain.lifecycle import Purse
from pixshift.errors import InvalidInput
from pixshift.extensions import db
from pixshift.models import User
from pixshift.models.base import change

CHOICES = (Purse.BASIC.value, Purse.PREMIUM.value)


def choose(user_id: UUID, tier: str) -> None:
    """Remember the tier; nothing is charged by that. Raises InvalidInput that names the choices."""
    if tier not in CHOICES:
        raise InvalidInput(
            f"Choose one of these: {', '.join(CHOICES)}.", field="pricingTier", details={"choices": list(CHOICES)}
        )
    change(update(User).where(User.id == user_id).values(pricing_tier=tier))
    db.session.commit()
