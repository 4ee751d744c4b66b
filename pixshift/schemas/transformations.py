"""Photos, styles and jobs on the wire, and the richer views that pages show."""

from collections.abc import Callable
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from pixshift.domain import circuits
from pixshift.domain.job_facts import JobFacts, StyleFacts
from pixshift.domain.lifecycle import Status
from pixshift.models import Transformation, TransformationType, Upload
from pixshift.schemas.base import In, Out

Link = Callable[[str, UUID], str]  # ("photo", "picture" or "thumbnail", id) -> a signed URL that expires
Asset = Callable[[str], str | None]  # the path of a static file -> its URL, None when there is no such file


class CreateIn(In):
    transformation_type_id: UUID
    image_id: UUID | None = None
    image_url: str | None = Field(default=None, max_length=2000)


class ChangeIn(In):
    status: str = Field(pattern="^CANCELLED$")


class ListIn(In):
    page: int = Field(default=1, ge=1, le=1_000_000)
    limit: int = Field(default=10, ge=1, le=100)
    status: Status | None = None


class PhotoLinkIn(In):
    expires: str = Field(max_length=12)
    signature: str = Field(max_length=64)


def thumbnail_of(kind: TransformationType | StyleFacts, asset: Asset) -> str | None:
    """The URL of a style's half-and-half: made in the lab, else the file that came with PixShift, else None."""
    if isinstance(kind, TransformationType) and kind.thumbnail_tag:
        return f"/styles/{kind.id}/{kind.thumbnail_tag}.webp"
    return asset(f"types/{kind.slug}.webp")


class TypeOut(Out):
    """A style on offer. ``about_seconds`` is what it usually takes; ``is_paused``: its model fails, its jobs wait."""

    id: UUID
    name: str
    description: str | None
    enabled: bool
    thumbnail_url: str | None
    slug: str = Field(exclude=True)
    about_seconds: int = Field(default=12, exclude=True)
    is_paused: bool = Field(default=False, exclude=True)

    @classmethod
    def of(
        cls,
        kind: TransformationType | StyleFacts,
        asset: Asset,
        typical_seconds: float = 12.0,
        *,
        is_paused: bool = False,
    ) -> Self:
        return cls(
            id=kind.id,
            name=kind.name,
            description=kind.description,
            enabled=kind.enabled,
            thumbnail_url=thumbnail_of(kind, asset),
            slug=kind.slug,
            about_seconds=max(1, round(typical_seconds)),
            is_paused=is_paused,
        )


class TypesOut(Out):
    types: list[TypeOut]


class UploadedOut(Out):
    """The answer to an upload; ``expires_at`` is when an unused photo is deleted."""

    success: bool = True
    image_id: UUID
    image_url: str
    width: int
    height: int
    expires_at: datetime

    @classmethod
    def of(cls, upload: Upload, link: Link) -> Self:
        return cls(
            image_id=upload.id,
            image_url=link("photo", upload.id),
            width=upload.width,
            height=upload.height,
            expires_at=upload.delete_due_at,
        )


class TransformationOut(Out):
    """A job as its owner's program sees it. Image URLs are signed and null once the image is gone."""

    id: UUID
    status: Status
    transformation_type_id: UUID
    original_image_url: str | None
    transformed_image_url: str | None
    thumbnail_url: str | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    updated_at: datetime
    downloaded_at: datetime | None
    expires_at: datetime | None
    notice: str | None = None

    @classmethod
    def of(cls, job: Transformation | JobFacts, link: Link | None, *, is_paused: bool = False) -> Self:
        """Without ``link`` (an admin looks at somebody's job) the facts alone: pictures are their owner's.

        ``is_paused``: the job waits for a model that fails, and ``notice`` says so.
        """
        photo = job.upload if job.upload is not None and job.upload.deleted_at is None else None
        has_picture = job.status is Status.COMPLETED and job.deleted_at is None
        return cls(
            id=job.id,
            status=job.status,
            transformation_type_id=job.transformation_type_id,
            original_image_url=link("photo", photo.id) if link and photo else None,
            transformed_image_url=link("picture", job.id) if link and has_picture else None,
            thumbnail_url=link("thumbnail", job.id) if link and has_picture else None,
            error_code=job.error_code,
            error_message=job.error_message,
            created_at=job.created_at,
            updated_at=job.updated_at,
            downloaded_at=job.downloaded_at,
            expires_at=job.delete_due_at if has_picture else None,
            notice=circuits.NOTICE if is_paused else None,
        )


class OneOut(Out):
    transformation: TransformationOut


class PaymentOut(Out):
    """What is to be paid before the work begins; ``amount`` in whole units of ``currency``."""

    required: bool = True
    amount: float
    currency: str
    transformation_id: UUID


class CreatedOut(OneOut):
    """``payment`` is null when nothing is to be paid."""

    success: bool = True
    payment: PaymentOut | None = None


class PaginationOut(Out):
    page: int
    limit: int
    total: int


class ListOut(Out):
    transformations: list[TransformationOut]
    pagination: PaginationOut
