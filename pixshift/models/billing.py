"""Money: what a picture cost and where that payment stands."""

import uuid
from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, text
from sqlalchemy.orm import Mapped, mapped_column

from pixshift.domain.lifecycle import BillingStatus
from pixshift.models.base import Base, Key, UtcDateTime, text_enum, utcnow


class BillingRecord(Base):
    """One per paid transformation. ``amount`` is in whole currency units, to the cent."""

    __tablename__ = "billing_records"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        Index(None, "user_id"),
        Index(None, "status"),
        Index(None, "created_at"),
        Index(None, "user_id", "created_at"),
    )

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    transformation_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("transformations.id", ondelete="SET NULL"), unique=True
    )
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    currency: Mapped[str] = mapped_column(String(3), default="USD", server_default=text("'USD'"))
    status: Mapped[BillingStatus] = mapped_column(
        text_enum(BillingStatus, "status"), default=BillingStatus.PENDING, server_default=BillingStatus.PENDING.value
    )
    payment_gateway_transaction_id: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
