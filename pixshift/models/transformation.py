"""Styles, photos, and the jobs that turn one into a picture."""

import uuid
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pixshift.domain.lifecycle import Reservation, Stage, Status
from pixshift.models.base import Base, Key, UtcDateTime, text_enum, utcnow
from pixshift.models.user import User

_MADE = text("status <> 'FAILED'")


class TransformationType(Base):
    """A style.

    ``slug`` names its thumbnail, its downloads and its preview filter; ``model`` overrides the configured one.
    """

    __tablename__ = "transformation_types"
    __table_args__ = (CheckConstraint("enabled IN (true, false)", name="enabled_is_boolean"), Index(None, "enabled"))

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(80), unique=True)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    prompt_template: Mapped[str] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(String(80))
    position: Mapped[int] = mapped_column(default=100, server_default=text("100"))
    enabled: Mapped[bool] = mapped_column(default=True, server_default=true())
    aspect_ratio: Mapped[str | None] = mapped_column(String(10))  # such as 3:2; NULL: the photo's own
    prompt_version: Mapped[int] = mapped_column(default=1, server_default=text("1"))  # the published one's number
    edits: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # whoever edits an older state is told
    thumbnail: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)  # made in the lab; NULL: slug's file
    thumbnail_tag: Mapped[str | None] = mapped_column(String(12))  # the start of its SHA-256
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)


class Upload(Base):
    """A photo as we keep it: our own upright JPEG. ``source_*`` tell what arrived; ``name`` is only ever shown."""

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("width > 0 AND height > 0 AND stored_bytes > 0", name="has_a_size"),
        Index(None, "user_id"),
        Index("ix_uploads_due", "deleted_at", "delete_due_at"),
    )

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    storage_key: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str | None] = mapped_column(String(80))
    width: Mapped[int]
    height: Mapped[int]
    stored_bytes: Mapped[int]
    source_width: Mapped[int]
    source_height: Mapped[int]
    source_bytes: Mapped[int]
    had_location: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    delete_due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deletion_record: Mapped[str | None] = mapped_column(String(64))


class Transformation(Base):
    """A job and, once COMPLETED, its picture. The row is the truth; a message in the queue is only a nudge.

    ``original_image_url`` and ``transformed_image_url`` hold storage keys, which nobody outside ever sees. A worker
    owns the job while ``lease_token`` is its own and ``lease_expires_at`` lies ahead.
    """

    __tablename__ = "transformations"
    __table_args__ = (
        CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        CheckConstraint(
            "status <> 'COMPLETED' OR (result_bytes IS NOT NULL AND result_bytes > 0)", name="completed_has_a_picture"
        ),
        CheckConstraint("status <> 'PROCESSING' OR lease_token IS NOT NULL", name="processing_has_a_lease"),
        Index(None, "user_id"),
        Index(None, "transformation_type_id"),
        Index(None, "status"),
        Index(None, "created_at"),
        Index(None, "upload_id"),
        Index(None, "user_id", "status"),
        Index("ix_transformations_history", "user_id", "created_at", "id"),
        Index("ix_transformations_claim", "status", "due_at"),
        Index("ix_transformations_typical", "transformation_type_id", "status", "finished_at"),
        Index("ix_transformations_due", "deleted_at", "delete_due_at"),
        Index("uq_transformations_rerolled", "reroll_of", unique=True, postgresql_where=_MADE, sqlite_where=_MADE),
        Index(None, "quota_period_id"),
        Index(None, "lab_run_id"),
        Index(None, "finished_at"),
    )

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    transformation_type_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("transformation_types.id"))
    upload_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("uploads.id", ondelete="SET NULL"))
    original_image_url: Mapped[str] = mapped_column(String(200))
    transformed_image_url: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[Status] = mapped_column(
        text_enum(Status, "status"), default=Status.PENDING, server_default=Status.PENDING.value
    )
    stage: Mapped[Stage] = mapped_column(
        text_enum(Stage, "stage"), default=Stage.WAITING, server_default=Stage.WAITING.value
    )
    error_code: Mapped[str | None] = mapped_column(String(40))
    failure_reason: Mapped[str | None] = mapped_column(String(40))
    error_message: Mapped[str | None] = mapped_column(Text)

    pricing_tier_locked: Mapped[str | None] = mapped_column(String(20))
    reservation: Mapped[Reservation | None] = mapped_column(text_enum(Reservation, "reservation"))
    quota_period_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("quota_periods.id", ondelete="SET NULL"))
    prompt_version: Mapped[int | None]  # that it was made with; the lab's jobs are given theirs beforehand
    lab_run_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("lab_runs.id", ondelete="SET NULL"))
    reroll_of: Mapped[uuid.UUID | None] = mapped_column(  # the paid picture it replaces, free of charge
        ForeignKey("transformations.id", ondelete="SET NULL")
    )

    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # NULL while it waits for money
    lease_token: Mapped[uuid.UUID | None]
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    result_media_type: Mapped[str | None] = mapped_column(String(20))
    result_bytes: Mapped[int | None]
    result_width: Mapped[int | None]
    result_height: Mapped[int | None]
    thumbnail: Mapped[bytes | None] = mapped_column(
        LargeBinary, deferred=True
    )  # a few kB of WebP, gone with the picture
    is_preview: Mapped[bool] = mapped_column(default=False)

    downloaded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delete_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deletion_record: Mapped[str | None] = mapped_column(String(64))

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)

    user: Mapped[User] = relationship()
    type: Mapped[TransformationType] = relationship()
    upload: Mapped[Upload | None] = relationship()


class Attempt(Base):
    """One call of the model for a job, written before the call is made: what it cost and how it ended."""

    __tablename__ = "transformation_attempts"
    __table_args__ = (
        UniqueConstraint("transformation_id", "number"),
        Index("ix_transformation_attempts_calls", "model", "started_at"),
        Index(None, "started_at"),
        Index(
            "ix_transformation_attempts_stored",
            "transformation_id",
            postgresql_where=text("storage_key IS NOT NULL"),
            sqlite_where=text("storage_key IS NOT NULL"),
        ),
        CheckConstraint("number > 0", name="number_positive"),
    )

    id: Mapped[Key]
    transformation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("transformations.id", ondelete="CASCADE"))
    number: Mapped[int]
    model: Mapped[str | None] = mapped_column(String(80))  # the one that was asked; ``model_version`` is what it says
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    storage_key: Mapped[str | None] = mapped_column(String(200))  # its picture, until the job names it
    outcome: Mapped[str | None] = mapped_column(String(40))  # COMPLETED or a failure reason; NULL: the worker was lost
    model_version: Mapped[str | None] = mapped_column(String(80))
    response_id: Mapped[str | None] = mapped_column(String(80))
    prompt_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    total_tokens: Mapped[int | None]
    cost: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))  # US dollars, by the prices of that day
