"""Links that show one picture to whoever holds them."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pixshift.models.base import Base, Key, UtcDateTime, utcnow
from pixshift.models.transformation import Transformation


class ShareLink(Base):
    """A link its owner made. The token in its address is made from ``id`` and our secret, and is not stored."""

    __tablename__ = "share_links"
    __table_args__ = (Index(None, "transformation_id"), Index(None, "user_id"), Index(None, "expires_at"))

    id: Mapped[Key]
    transformation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("transformations.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reports: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    report_reason: Mapped[str | None] = mapped_column(String(40))  # of the latest report

    transformation: Mapped[Transformation] = relationship()
