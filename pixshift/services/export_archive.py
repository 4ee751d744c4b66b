"""What is in the copy of an account: everything we know of a person, in JSON, and their pictures that are still there.

No hash, no key and no prompt of ours goes into it. It is read outside any transaction; what is deleted meanwhile is
left out.
"""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy import Select, select

from pixshift.domain import exports as rules
from pixshift.domain import images
from pixshift.domain.lifecycle import Status
from pixshift.errors import NotFound
from pixshift.models import (
    BillingRecord,
    Identity,
    ShareLink,
    Transformation,
    TransformationType,
    Upload,
    User,
    UserSession,
)
from pixshift.models.base import read_rows
from pixshift.services.toolbox import Toolbox

_CHUNK = 256 * 1024


@dataclass(slots=True)
class _Contents:
    """What went in, and what did not."""

    room: int = rules.MOST_BYTES
    left_out: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def build(toolbox: Toolbox, user_id: UUID) -> bytes:
    """The zip. Pictures go through a temporary file piece by piece; raises ExternalServiceError."""
    with tempfile.TemporaryFile() as file:
        contents = _Contents()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, key in _pictures(user_id, toolbox.now()):
                _add(toolbox, archive, contents, name, key)
            account = json.dumps(_account(toolbox, user_id, contents), indent=2, ensure_ascii=False, default=str)
            archive.writestr("account.json", account, zipfile.ZIP_DEFLATED)
        return _whole(file)


def _whole(file: Any) -> bytes:
    file.seek(0)
    data: bytes = file.read()
    return data


def _add(toolbox: Toolbox, archive: zipfile.ZipFile, contents: _Contents, name: str, key: str) -> None:
    try:
        stored = toolbox.gateways.storage.open(key)
    except NotFound:
        contents.gone.append(name)
        return
    if stored.size > contents.room:
        stored.body.close()
        contents.left_out.append(name)
        return
    contents.room -= stored.size
    with archive.open(name, "w") as entry:
        _copy(stored.chunks(_CHUNK), entry)


def _copy(chunks: Iterator[bytes], entry: Any) -> None:
    target: BinaryIO = entry
    target.writelines(chunks)


def _pictures(user_id: UUID, now: datetime) -> Iterator[tuple[str, str]]:
    """The names of what is still there and not due, with its keys."""
    photos = select(Upload.id, Upload.storage_key).where(
        Upload.user_id == user_id, Upload.deleted_at.is_(None), Upload.delete_due_at > now
    )
    yield from ((f"photos/{row.id}.jpg", row.storage_key) for row in read_rows(photos.order_by(Upload.created_at)))
    made = select(Transformation.id, Transformation.transformed_image_url, Transformation.result_media_type).where(
        Transformation.user_id == user_id,
        Transformation.status == Status.COMPLETED,
        Transformation.deleted_at.is_(None),
        Transformation.delete_due_at > now,
    )
    for row in read_rows(made.order_by(Transformation.created_at)):
        yield f"pictures/{row.id}.{images.EXTENSIONS[row.result_media_type]}", row.transformed_image_url


def _account(toolbox: Toolbox, user_id: UUID, contents: _Contents) -> dict[str, Any]:
    tables = {name: _rows(query) for name, query in _queries(user_id).items()}
    return {
        "madeAt": _plain(toolbox.now()),
        "account": tables.pop("account")[0],
        **tables,
        "picturesTooManyForThisFile": contents.left_out,
        "picturesDeletedMeanwhile": contents.gone,
    }


def _queries(user_id: UUID) -> dict[str, Select[Any]]:
    """Each column that goes out, by name: a column that is added to a table stays in until somebody adds it here."""
    person, way, sign_in, photo, job = User, Identity, UserSession, Upload, Transformation
    bill, link = BillingRecord, ShareLink
    return {
        "account": select(
            person.id, person.email, person.phone, person.auth_provider, person.role, person.free_tier_used,
            person.pricing_tier, person.created_at,
        ).where(person.id == user_id),
        "waysIn": select(way.provider, way.email, way.created_at).where(way.user_id == user_id),
        "signIns": select(
            sign_in.device, sign_in.created_at, sign_in.last_seen_at, sign_in.expires_at, sign_in.revoked_at
        ).where(sign_in.user_id == user_id).order_by(sign_in.created_at),
        "photos": select(
            photo.id, photo.name, photo.width, photo.height, photo.stored_bytes, photo.source_width,
            photo.source_height, photo.source_bytes, photo.had_location, photo.created_at, photo.delete_due_at,
            photo.deleted_at, photo.deletion_record,
        ).where(photo.user_id == user_id).order_by(photo.created_at),
        "pictures": select(
            job.id, TransformationType.name.label("style"), job.upload_id.label("photo_id"), job.status,
            job.error_message, job.pricing_tier_locked.label("paid_with"), BillingRecord.amount, BillingRecord.currency,
            job.created_at, job.started_at, job.finished_at, job.result_media_type, job.result_bytes, job.result_width,
            job.result_height, job.is_preview, job.downloaded_at, job.delete_due_at, job.deleted_at,
            job.deletion_record,
        ).join(TransformationType, TransformationType.id == job.transformation_type_id)
        .outerjoin(BillingRecord, BillingRecord.transformation_id == job.id)
        .where(job.user_id == user_id).order_by(job.created_at),
        "payments": select(
            bill.id, bill.transformation_id.label("picture_id"), bill.description, bill.amount, bill.currency,
            bill.status, bill.captured, bill.refunded, bill.method_label, bill.receipt_number.label("number"),
            bill.created_at, bill.authorized_at, bill.captured_at, bill.released_at, bill.refunded_at, bill.disputed_at,
        ).where(bill.user_id == user_id).order_by(bill.created_at),
        "shareLinks": select(
            link.transformation_id.label("picture_id"), link.created_at, link.expires_at, link.revoked_at
        ).where(link.user_id == user_id).order_by(link.created_at),
    }  # fmt: skip


def _rows(query: Select[Any]) -> list[dict[str, Any]]:
    return [{_camel(name): _plain(value) for name, value in row._mapping.items()} for row in read_rows(query)]


def _plain(value: Any) -> Any:
    """Moments as ISO 8601; numbers, truth and nothing as they are; all else as its text."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int) else str(value)


def _camel(name: str) -> str:
    first, *rest = str(name).split("_")
    return first + "".join(word.capitalize() for word in rest)
