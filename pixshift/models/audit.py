"""What admins and operators did. Rows are only ever added: the database refuses to change or delete one."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from pixshift.models.base import Base, Key, UtcDateTime, utcnow

_Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class AdminAction(Base):
    """One act.

    ``actor`` says who in words (``cli:name``, ``admin``); ``before`` and ``after`` are the fields that changed,
    ``details`` other ids and values: never personal data, and numbers as text where they may be no integers.
    ``hash`` covers the row and the hash of the one before it.
    """

    __tablename__ = "admin_actions"
    __table_args__ = (
        Index(None, "admin_user_id"),
        Index(None, "action_type"),
        Index(None, "entity_type"),
        Index(None, "timestamp"),
    )

    id: Mapped[Key]
    admin_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    actor: Mapped[str] = mapped_column(String(80))
    action_type: Mapped[str] = mapped_column(String(40))
    entity_type: Mapped[str] = mapped_column(String(40))
    entity_id: Mapped[uuid.UUID | None]
    details: Mapped[dict[str, Any] | None] = mapped_column(_Json)
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    sequence: Mapped[int | None] = mapped_column(unique=True)  # from 1; NULL: written before there was a chain
    request_id: Mapped[str | None] = mapped_column(String(36))
    before: Mapped[dict[str, Any] | None] = mapped_column(_Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(_Json)
    hash: Mapped[str | None] = mapped_column(String(64))


class AuditHead(Base):
    """The one row that says where the chain ends. Whoever adds an act holds it until the commit."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="is_the_only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
