"""When a picture is due for deletion, and the record that it was deleted."""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from uuid import UUID

AFTER_DOWNLOAD = timedelta(minutes=4, seconds=30)
PROMISE = timedelta(minutes=5)  # what people are told; the rest is for the sweep
UNUSED = timedelta(hours=24)
OVERDUE = timedelta(minutes=1)  # due for longer than this: operators are told
# An object is stored before its row is: one that no row knows is left alone until nobody can be at it any more.
UNKNOWN_GRACE = timedelta(minutes=2)
_SWEEP = PROMISE - AFTER_DOWNLOAD
_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PHOTO = re.compile(rf"uploads/{_ID}/({_ID})\.jpg")
_PICTURE = re.compile(rf"transformations/{_ID}/({_ID})/({_ID})\.[a-z]+")
_FOLDERS = ("uploads", "transformations", "exports", "checks")


def due_after_download(downloaded_at: datetime) -> datetime:
    return downloaded_at + AFTER_DOWNLOAD


def due_unused(created_at: datetime) -> datetime:
    return created_at + UNUSED


def shown_if_due_after(now: datetime) -> datetime:
    """What was due at this moment or before should have been swept: it is not shown, even if it is still stored."""
    return now - _SWEEP


def deletion_record(secret: bytes, kind: str, object_id: str, deleted_at: datetime) -> str:
    """A signature (32 hex digits) that this installation deleted ``object_id`` at ``deleted_at``."""
    message = f"deleted|{kind}|{object_id}|{deleted_at.isoformat()}"
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()[:32]


def photo_in(key: str) -> UUID | None:
    """The id of the upload that ``images.upload_key`` made this key for."""
    match = _PHOTO.fullmatch(key)
    return UUID(match[1]) if match else None


def job_and_attempt_in(key: str) -> tuple[UUID, UUID] | None:
    """The ids of the transformation and the attempt that ``images.result_key`` made this key for."""
    match = _PICTURE.fullmatch(key)
    return (UUID(match[1]), UUID(match[2])) if match else None


def is_ours(key: str) -> bool:
    """Whether this is a place where we store things, so that what no row knows there is rubbish."""
    return key.partition("/")[0] in _FOLDERS
