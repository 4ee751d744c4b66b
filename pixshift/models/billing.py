"""Money: what a picture cost, every try to pay for it, subscriptions and their months, and what gateways told us."""

import uuid
from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, RefundStatus
from pixshift.models.base import Base, Key, UtcDateTime, text_enum, utcnow

_LIVE = text("status NOT IN ('VOIDED', 'FAILED')")


class BillingRecord(Base):
    """One per picture that costs money, and one per paid month. Amounts are in whole currency units, to the cent.

    Held is PENDING with ``authorized_at``. ``receipt_number`` is given at the first charge.
    """

    __tablename__ = "billing_records"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("captured >= 0 AND captured <= amount", name="captured_at_most_the_amount"),
        CheckConstraint("refunded >= 0 AND refunded <= captured", name="refunded_at_most_the_captured"),
        UniqueConstraint("gateway", "invoice_id"),
        Index(None, "user_id"),
        Index(None, "status"),
        Index(None, "created_at"),
        Index(None, "captured_at"),
        Index(None, "user_id", "created_at"),
        Index("ix_billing_records_open", "status", "next_look_at"),
    )

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    transformation_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("transformations.id", ondelete="SET NULL"), unique=True
    )
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subscriptions.id", ondelete="SET NULL"))
    invoice_id: Mapped[str | None] = mapped_column(String(255))  # the gateway's, of a paid month
    description: Mapped[str] = mapped_column(String(120), default="", server_default=text("''"))
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    currency: Mapped[str] = mapped_column(String(3), default="USD", server_default=text("'USD'"))
    status: Mapped[BillingStatus] = mapped_column(
        text_enum(BillingStatus, "status"), default=BillingStatus.PENDING, server_default=BillingStatus.PENDING.value
    )
    captured: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0), server_default=text("0"))
    refunded: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0), server_default=text("0"))
    gateway: Mapped[str | None] = mapped_column(String(20))
    payment_gateway_transaction_id: Mapped[str | None] = mapped_column(String(255))
    method_label: Mapped[str | None] = mapped_column(String(80))
    failure: Mapped[str | None] = mapped_column(String(40))
    receipt_number: Mapped[int | None] = mapped_column(unique=True)
    looks: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # in vain: the next comes later
    next_look_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    authorized_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    captured_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refunded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disputed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class PaymentAttempt(Base):
    """One try to pay at one gateway; of a record's tries at most one is live."""

    __tablename__ = "payment_attempts"
    __table_args__ = (
        UniqueConstraint("gateway", "session_id"),
        Index("uq_payment_attempts_live", "billing_record_id", unique=True, postgresql_where=_LIVE, sqlite_where=_LIVE),
        Index(None, "payment_id"),
        Index(None, "capture_id"),
        Index("ix_payment_attempts_user", "user_id", "created_at"),
    )

    id: Mapped[Key]
    billing_record_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("billing_records.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    gateway: Mapped[str] = mapped_column(String(20))
    is_live: Mapped[bool] = mapped_column(default=False, server_default=false())  # real money, not the gateway's test
    status: Mapped[PaymentStatus] = mapped_column(
        text_enum(PaymentStatus, "status"), default=PaymentStatus.CREATED, server_default=PaymentStatus.CREATED.value
    )
    customer_id: Mapped[str | None] = mapped_column(String(255))
    method_id: Mapped[str | None] = mapped_column(String(255))  # paid with it at once; None: on the hosted page
    session_id: Mapped[str | None] = mapped_column(String(255))
    payment_id: Mapped[str | None] = mapped_column(String(255))
    capture_id: Mapped[str | None] = mapped_column(String(255))
    url: Mapped[str | None] = mapped_column(String(2000))
    failure: Mapped[str | None] = mapped_column(String(40))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)


class Refund(Base):
    """Money given back, once per cause; one made in the gateway's own pages has ``cause`` external and its id."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        UniqueConstraint("billing_record_id", "cause"),
        Index(None, "status"),
        Index(None, "finished_at"),
    )

    id: Mapped[Key]
    billing_record_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("billing_records.id", ondelete="CASCADE"))
    cause: Mapped[str] = mapped_column(String(300))
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    status: Mapped[RefundStatus] = mapped_column(
        text_enum(RefundStatus, "status"), default=RefundStatus.PENDING, server_default=RefundStatus.PENDING.value
    )
    refund_id: Mapped[str | None] = mapped_column(String(255))
    tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class GatewayCustomer(Base):
    """A person as a gateway knows them, with the method they let it keep."""

    __tablename__ = "gateway_customers"
    __table_args__ = (UniqueConstraint("user_id", "gateway"),)

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    gateway: Mapped[str] = mapped_column(String(20))
    customer_id: Mapped[str] = mapped_column(String(255))
    method_id: Mapped[str | None] = mapped_column(String(255))
    method_label: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class WebhookEvent(Base):
    """One event of a gateway, kept as the hint it is: names and ids, nothing of what it claims."""

    __tablename__ = "webhook_events"
    __table_args__ = (
        UniqueConstraint("gateway", "event_id"),
        Index("ix_webhook_events_waiting", "processed_at", "next_try_at"),
        Index("ix_webhook_events_last", "gateway", "received_at"),
    )

    id: Mapped[Key]
    gateway: Mapped[str] = mapped_column(String(20))
    event_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(20))
    is_live: Mapped[bool]
    session_id: Mapped[str | None] = mapped_column(String(255))
    payment_id: Mapped[str | None] = mapped_column(String(255))
    remote_id: Mapped[str | None] = mapped_column(String(255))
    record_id: Mapped[uuid.UUID | None]
    outcome: Mapped[str | None] = mapped_column(String(40))  # applied, unknown, ignored or other_mode
    tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    processed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
