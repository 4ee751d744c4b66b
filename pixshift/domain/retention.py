"""When a picture is due for deletion, and the record that it was deleted."""

import hashlib
import hmac
from datetime import datetime, timedelta

AFTER_DOWNLOAD = timedelta(minutes=4, seconds=30)
PROMISE = timedelta(minutes=5)  # what people are told; the rest is for the sweep
UNUSED = timedelta(hours=24)
_SWEEP = PROMISE - AFTER_DOWNLOAD


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
