"""The prompt lab: wordings of a style's prompt, trials of them side by side, and what admins think of those."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pixshift.models.base import Base, Key, UtcDateTime, utcnow


class PromptVersion(Base):
    """One wording of a style's prompt; never changed afterwards. ``number`` counts from 1 within the style."""

    __tablename__ = "prompt_versions"
    __table_args__ = (UniqueConstraint("transformation_type_id", "number"),)

    id: Mapped[Key]
    transformation_type_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("transformation_types.id", ondelete="CASCADE"))
    number: Mapped[int]
    prompt_template: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(80))  # as the audit log calls them
    author_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class LabRun(Base):
    """Versions of one style tried on sample photos; its pictures are jobs of the admin who asked."""

    __tablename__ = "lab_runs"
    __table_args__ = (Index(None, "transformation_type_id", "created_at"),)

    id: Mapped[Key]
    transformation_type_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("transformation_types.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class LabVote(Base):
    """What an admin thinks of one picture of the lab: 1 or -1."""

    __tablename__ = "lab_votes"
    __table_args__ = (
        UniqueConstraint("transformation_id", "user_id"),
        CheckConstraint("value IN (-1, 1)", name="value_is_up_or_down"),
    )

    id: Mapped[Key]
    transformation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("transformations.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    value: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
