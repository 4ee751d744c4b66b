"""Copies of an account, for its owner to take away."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pixshift.models.base import Base, Key, UtcDateTime, text_enum, utcnow


class ExportStatus(StrEnum):
    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"
    DELETED = "DELETED"


class AccountExport(Base):
    """A zip of JSON and live pictures, made by a worker. A worker owns it until ``lease_expires_at``."""

    __tablename__ = "account_exports"
    __table_args__ = (Index(None, "user_id"), Index(None, "status"), Index(None, "expires_at"))

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    status: Mapped[ExportStatus] = mapped_column(
        text_enum(ExportStatus, "status"), default=ExportStatus.PENDING, server_default=ExportStatus.PENDING.value
    )
    storage_key: Mapped[str | None] = mapped_column(String(200))
    size_bytes: Mapped[int | None]
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
