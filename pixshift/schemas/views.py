"""What pages show of photos and jobs: the JSON's facts, and the words and figures people want besides."""

from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Self
from uuid import UUID

from pixshift.domain import circuits, images, lifecycle, retention
from pixshift.domain.failures import FailureReason
from pixshift.domain.job_facts import JobFacts, PhotoFacts
from pixshift.domain.lifecycle import FINAL, Purse, Stage, Status
from pixshift.models import Transformation, Upload
from pixshift.schemas.base import Out
from pixshift.schemas.transformations import Asset, Link, TypeOut


class PhotoView(Out):
    id: UUID
    url: str
    name: str | None
    width: int
    height: int
    source_width: int
    source_height: int
    source_bytes: int
    had_location: bool
    expires_at: datetime

    @classmethod
    def of(cls, upload: Upload | PhotoFacts, link: Link) -> Self:
        return cls(
            id=upload.id,
            url=link("photo", upload.id),
            name=upload.name,
            width=upload.width,
            height=upload.height,
            source_width=upload.source_width,
            source_height=upload.source_height,
            source_bytes=upload.source_bytes,
            had_location=upload.had_location,
            expires_at=upload.delete_due_at,
        )


class JobView(Out):
    """One job on a page. Seconds are whole, ``progress`` and ``deletion_share`` are percent."""

    id: UUID
    type: TypeOut
    photo: PhotoView | None
    photo_url: str | None
    picture_url: str | None
    thumbnail_url: str | None
    status: str
    stage: str
    ahead: int
    waited_seconds: int
    making_seconds: int | None
    estimate_seconds: int
    left_seconds: int
    progress: int
    is_late: bool
    notice: str | None
    is_final: bool
    can_cancel: bool
    poll_seconds: int
    error_code: str | None
    error_message: str | None
    way_out: str | None
    failure_reason: str | None
    may_help_again: bool
    price_text: str
    is_unpaid: bool
    is_paid_for: bool
    made_in_seconds: float | None
    download_name: str | None
    format_name: str | None
    picture_bytes: int | None
    picture_width: int | None
    picture_height: int | None
    downloaded_at: datetime | None
    delete_due_at: datetime | None
    seconds_left: int | None
    deletion_share: int
    deleted_at: datetime | None
    deletion_record: str | None
    created_at: datetime
    is_preview: bool

    @classmethod
    def of(
        cls,
        job: Transformation | JobFacts,
        link: Link,
        asset: Asset,
        now: datetime,
        ahead: int = 0,
        typical: float = 12.0,
        is_paused: bool = False,
        price: str | None = None,
    ) -> Self:
        """``price`` is what a picture that is paid for by itself costs."""
        photo = PhotoView.of(job.upload, link) if job.upload and job.upload.deleted_at is None else None
        has_picture = job.status is Status.COMPLETED and job.deleted_at is None
        return cls(
            id=job.id,
            type=TypeOut.of(job.type, asset, typical),
            photo=photo,
            photo_url=photo.url if photo else None,
            picture_url=link("picture", job.id) if has_picture else None,
            thumbnail_url=link("thumbnail", job.id) if has_picture else None,
            status=job.status.value,
            stage=job.stage.value,
            ahead=ahead,
            notice=circuits.NOTICE if is_paused else None,
            is_final=job.status in FINAL,
            can_cancel=job.status is Status.PENDING,
            price_text=_price_text(job, price),
            is_unpaid=job.pricing_tier_locked == Purse.BASIC and job.status is Status.PENDING and job.due_at is None,
            is_paid_for=job.pricing_tier_locked != Purse.FREE and job.reroll_of is None,
            error_code=job.error_code,
            error_message=job.error_message,
            failure_reason=job.failure_reason,
            may_help_again=job.failure_reason is not None and FailureReason(job.failure_reason).retryable,
            way_out=FailureReason(job.failure_reason).way_out if job.failure_reason else None,
            created_at=job.created_at,
            deleted_at=job.deleted_at,
            deletion_record=job.deletion_record,
            downloaded_at=job.downloaded_at,
            is_preview=job.is_preview,
            **_times(job, now, typical),
            **_picture(job),
            **_deletion(job, now),
        )


def _price_text(job: Transformation | JobFacts, price: str | None) -> str:
    if job.pricing_tier_locked == Purse.FREE or job.reroll_of is not None:
        return "free"
    return "Premium" if job.pricing_tier_locked == Purse.PREMIUM else price or ""


def _times(job: Transformation | JobFacts, now: datetime, typical: float) -> dict[str, Any]:
    """How long it has waited and worked, and what that says about the rest."""
    started = job.started_at if job.stage is not Stage.WAITING else None
    waited = (started or job.finished_at or now) - job.created_at
    making = (job.finished_at or now) - started if started else None
    elapsed = making.total_seconds() if making else 0.0
    return {
        "waited_seconds": _whole(waited),
        "making_seconds": _whole(making) if making is not None else None,
        "made_in_seconds": round(elapsed, 1) if job.status is Status.COMPLETED else None,
        "estimate_seconds": max(1, round(typical)),
        "left_seconds": max(1, round(typical - elapsed)),
        "progress": lifecycle.progress(elapsed, typical),
        "is_late": elapsed > typical,
        "poll_seconds": lifecycle.poll_seconds((now - job.created_at).total_seconds()),
    }


def _picture(job: Transformation | JobFacts) -> dict[str, Any]:
    media_type = job.result_media_type
    return {
        "download_name": images.download_name(job.type.slug, job.created_at.date(), media_type) if media_type else None,
        "format_name": {"image/jpeg": "JPG", "image/png": "PNG", "image/webp": "WebP"}.get(media_type or ""),
        "picture_bytes": job.result_bytes,
        "picture_width": job.result_width,
        "picture_height": job.result_height,
    }


def _deletion(job: Transformation | JobFacts, now: datetime) -> dict[str, Any]:
    """The clock people see counts to five minutes after the download: the promise, not the sweep."""
    if job.downloaded_at is None or job.deleted_at is not None:
        return {"delete_due_at": job.delete_due_at, "seconds_left": None, "deletion_share": 100}
    promised = job.downloaded_at + retention.PROMISE
    if job.delete_due_at is not None and job.delete_due_at > promised:  # a link keeps the picture longer
        return {"delete_due_at": job.delete_due_at, "seconds_left": None, "deletion_share": 100}
    left = max(0, _whole(promised - now))
    return {
        "delete_due_at": promised,
        "seconds_left": left,
        "deletion_share": round(100 * left / retention.PROMISE.total_seconds()),
    }


def _whole(span: timedelta) -> int:
    return max(0, int(span.total_seconds()))


class FreeView(Out):
    used: int
    limit: int
    remaining: int


def by_day(jobs: list[JobView]) -> list[tuple[date, list[JobView]]]:
    """Jobs grouped under the UTC day they were asked for, in the order given."""
    return [(day, list(those)) for day, those in groupby(jobs, key=lambda job: job.created_at.date())]
