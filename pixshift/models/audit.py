"""What admins and operators did. Rows are only ever added."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from pixshift.models.base import Base, Key, UtcDateTime, utcnow


class AdminAction(Base):
    """One act.

    ``actor`` says who in words (``cli``, ``admin``); ``details`` hold ids and values, never personal data.
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
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
