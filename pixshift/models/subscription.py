"""Premium plans and their paid months."""

import uuid
from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from pixshift.domain.lifecycle import SubscriptionStatus
from pixshift.models.base import Base, Key, UtcDateTime, text_enum, utcnow

_NOT_ENDED = text("status <> 'ENDED'")


class Subscription(Base):
    """A premium plan; of a person's plans at most one has not ended. ``past_due_at`` begins the days of grace."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("gateway", "remote_id"),
        UniqueConstraint("gateway", "session_id"),
        Index("uq_subscriptions_live", "user_id", unique=True, postgresql_where=_NOT_ENDED, sqlite_where=_NOT_ENDED),
        Index(None, "user_id"),
        Index("ix_subscriptions_look", "status", "next_look_at"),
    )

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    gateway: Mapped[str] = mapped_column(String(20))
    is_live: Mapped[bool] = mapped_column(default=False, server_default=false())
    status: Mapped[SubscriptionStatus] = mapped_column(
        text_enum(SubscriptionStatus, "status"),
        default=SubscriptionStatus.INCOMPLETE,
        server_default=SubscriptionStatus.INCOMPLETE.value,
    )
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))  # a month, locked when it was asked for
    currency: Mapped[str] = mapped_column(String(3))
    monthly_limit: Mapped[int]
    customer_id: Mapped[str | None] = mapped_column(String(255))
    session_id: Mapped[str | None] = mapped_column(String(255))
    remote_id: Mapped[str | None] = mapped_column(String(255))
    url: Mapped[str | None] = mapped_column(String(2000))
    method_label: Mapped[str | None] = mapped_column(String(80))
    cancels_at_period_end: Mapped[bool] = mapped_column(default=False, server_default=false())
    period_end: Mapped[datetime | None] = mapped_column(UtcDateTime)
    past_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    grace_ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str | None] = mapped_column(String(40))  # mismatch, or missing at the gateway
    next_look_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)  # of the page, while INCOMPLETE
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)


class QuotaPeriod(Base):
    """The pictures of one paid month, granted once per invoice, for [starts_at, ends_at)."""

    __tablename__ = "quota_periods"
    __table_args__ = (
        CheckConstraint("used >= 0 AND used <= granted", name="used_at_most_the_granted"),
        UniqueConstraint("subscription_id", "invoice_id"),
        Index("ix_quota_periods_current", "user_id", "ends_at"),
    )

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id", ondelete="CASCADE"))
    invoice_id: Mapped[str] = mapped_column(String(255))
    granted: Mapped[int]
    used: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
