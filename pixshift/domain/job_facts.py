"""A job as whoever watches it needs it: plain values, cheap to read from a row and to keep outside the database.

Their names are those of the models, so that what shows a job takes either.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pixshift.domain.lifecycle import Stage, Status


class StyleFacts(NamedTuple):
    """What a watcher is told of the job's style."""

    id: UUID
    name: str
    description: str | None
    enabled: bool
    slug: str


class PhotoFacts(NamedTuple):
    """What a watcher is told of the job's photo."""

    id: UUID
    name: str | None
    width: int
    height: int
    source_width: int
    source_height: int
    source_bytes: int
    had_location: bool
    delete_due_at: datetime
    deleted_at: datetime | None


class JobFacts(NamedTuple):
    """One job as it stood when its row was read; whoever changes a field changes the mirror's key."""

    id: UUID
    user_id: UUID
    status: Status
    stage: Stage
    error_code: str | None
    failure_reason: str | None
    error_message: str | None
    pricing_tier_locked: str | None
    due_at: datetime | None
    reroll_of: UUID | None
    started_at: datetime | None
    finished_at: datetime | None
    result_media_type: str | None
    result_bytes: int | None
    result_width: int | None
    result_height: int | None
    is_preview: bool
    downloaded_at: datetime | None
    delete_due_at: datetime | None
    deleted_at: datetime | None
    deletion_record: str | None
    created_at: datetime
    updated_at: datetime
    type: StyleFacts
    upload: PhotoFacts | None

    @property
    def transformation_type_id(self) -> UUID:
        return self.type.id
