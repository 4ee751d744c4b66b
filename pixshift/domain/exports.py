"""The copy of an account that its owner may take away: how long it is kept, how often it is made, what it is called."""

import re
from datetime import timedelta
from uuid import UUID

KEPT = timedelta(hours=24)
LEASE = timedelta(minutes=5)
LAST_TRY_AFTER = 2 * LEASE  # a third failure is the last one
GIVEN_UP_AFTER = timedelta(hours=1)  # whatever became of those who tried
DAY = timedelta(days=1)
MOST_A_DAY = 3
MOST_BYTES = 200 * 1024 * 1024  # of pictures: what is stored is held in memory for a moment
DOWNLOAD_NAME = "pixshift-account.zip"
MEDIA_TYPE = "application/zip"
_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(rf"exports/{_ID}/({_ID})\.zip")


def storage_key(user_id: UUID, export_id: UUID) -> str:
    return f"exports/{user_id}/{export_id}.zip"


def export_in(key: str) -> UUID | None:
    """The id of the export that ``storage_key`` made this key for."""
    match = _KEY.fullmatch(key)
    return UUID(match[1]) if match else None
