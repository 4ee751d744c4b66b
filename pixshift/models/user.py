"""People, their ways in, and their sessions."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pixshift.domain.roles import AuthProvider, UserRole
from pixshift.models.base import Base, Key, UtcDateTime, text_enum, utcnow


class User(Base):
    """A person. ``email`` and ``phone`` are verified or NULL; an erased person keeps only the row (``erased_at``)."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("free_tier_used >= 0", name="free_tier_used_not_negative"),
        CheckConstraint("free_bonus >= 0", name="free_bonus_not_negative"),
        Index(None, "auth_provider"),
        Index(None, "role"),
        Index(None, "phone"),
        Index(None, "created_at"),
        Index("ix_users_email_start", "email", postgresql_ops={"email": "text_pattern_ops"}),  # LIKE 'start%'
    )

    id: Mapped[Key]
    email: Mapped[str | None] = mapped_column(String(320), unique=True)
    phone: Mapped[str | None] = mapped_column(String(20))
    auth_provider: Mapped[AuthProvider] = mapped_column(text_enum(AuthProvider, "auth_provider"))
    role: Mapped[UserRole] = mapped_column(
        text_enum(UserRole, "role"), default=UserRole.GUEST, server_default=UserRole.GUEST.value
    )
    free_tier_used: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    free_bonus: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # given by an admin
    pricing_tier: Mapped[str | None] = mapped_column(String(20))
    last_claimed_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # when a worker last took a job of theirs: fairness
    spending_blocked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a payment of theirs is disputed
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # by an admin: may not sign in
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)

    identities: Mapped[list["Identity"]] = relationship(back_populates="user", passive_deletes=True)


class Identity(Base):
    """One way in: (provider, subject), never the e-mail. For MOBILE the subject is the number in E.164."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("provider", "subject"), Index(None, "user_id"))

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[AuthProvider] = mapped_column(text_enum(AuthProvider, "provider"))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(320))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    user: Mapped[User] = relationship(back_populates="identities")


class UserSession(Base):
    """A sign-in. Only the SHA-256 of its token is kept; ``expires_at`` is the absolute end."""

    __tablename__ = "user_sessions"
    __table_args__ = (
        Index(None, "user_id"),
        Index(None, "expires_at"),
        Index(None, "created_at"),
        Index(None, "last_seen_at", "user_id"),
    )

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    device: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()
