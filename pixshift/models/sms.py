"""What became of the codes we sent: by country, never by number."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pixshift.models.base import Base, Key, UtcDateTime, utcnow


class SmsMessage(Base):
    """One code that was sent. ``message_id`` is the vendor's; ``code_key`` names the code, and shows no number."""

    __tablename__ = "sms_messages"
    __table_args__ = (Index(None, "created_at"), Index(None, "code_key"))

    id: Mapped[Key]
    message_id: Mapped[str] = mapped_column(String(64), unique=True)
    code_key: Mapped[str] = mapped_column(String(64))
    region: Mapped[str] = mapped_column(String(2))
    status: Mapped[str] = mapped_column(String(20))  # accepted, then what the vendor reports
    error_code: Mapped[str | None] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when its code let somebody in
