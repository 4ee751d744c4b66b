"""What PixShift needs from the world outside, as Protocols and small frozen result types.

A gateway speaks one vendor's dialect, returns these types and raises the errors of ``pixshift.errors``; no SDK type or
SDK error passes it. The twin (embedded default) and the real gateway answer the same contract tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Protocol
from uuid import UUID

from pixshift.domain.job_facts import JobFacts

# --- image editing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """What one model call consumed; every count may be unknown (None)."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    model_version: str | None = None
    response_id: str | None = None


@dataclass(frozen=True, slots=True)
class EditRequest:
    """One photo to change. ``photo`` is our own normalised JPEG (≤ 2048 px), ``style`` the slug of the type."""

    photo: bytes
    prompt: str
    style: str
    width: int
    height: int
    media_type: str = "image/jpeg"
    model: str | None = None


@dataclass(frozen=True, slots=True)
class EditedImage:
    """The model's own bytes, untouched, and what they cost. The type is as declared by the vendor: not yet verified."""

    data: bytes
    media_type: str
    usage: Usage


class ImageEditor(Protocol):
    is_twin: bool

    def edit(self, request: EditRequest) -> EditedImage:
        """Make the picture, within one outer deadline.

        Raises TransformationFailed (``reason`` PROMPT_BLOCKED, PICTURE_BLOCKED, TEXT_ONLY, NO_IMAGE, VENDOR_REFUSED,
        MODEL_GONE, RATE_LIMITED, VENDOR_DOWN, TIMEOUT, BAD_ANSWER) with ``retryable``, ``retry_after`` and ``usage``.
        """
        ...

    def check(self) -> str:
        """One line for ``flask doctor``; raises PixShiftError when the vendor cannot be used."""
        ...

    def close(self) -> None: ...


# --- decoding -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header of an uploaded file says, before anything is decoded. Sides in pixels, as stored (unrotated)."""

    format: str  # "JPEG", "PNG" or "WEBP"
    width: int
    height: int
    orientation: int
    has_location: bool


@dataclass(frozen=True, slots=True)
class NormalisedImage:
    """Our own encoding: upright JPEG, sRGB, ≤ 2048 px, no metadata. ``facts`` describe the file it came from."""

    data: bytes
    width: int
    height: int
    facts: ImageFacts


@dataclass(frozen=True, slots=True)
class VerifiedImage:
    """A result that was decoded in full: its real type and sides, and a small WebP of it for lists."""

    media_type: str
    width: int
    height: int
    thumbnail: bytes = b""


class ImageDecoder(Protocol):
    def inspect(self, data: bytes, name: str = "Your photo") -> ImageFacts:
        """Cheap refusals before any decoding, in process, a few ms: bytes, type by content, sides, frames, structure.

        Raises FileTooLarge, InvalidFileType or InvalidInput; the message names the file, its figure, the limit and
        the way out.
        """
        ...

    def normalise(self, data: bytes, name: str = "Your photo") -> NormalisedImage:
        """Decode in a bounded helper process. Raises as ``inspect`` does, InvalidInput when the file is broken or its
        decoder died, RateLimitExceeded (``retry_after``) when no helper is free."""
        ...

    def verify(self, data: bytes) -> VerifiedImage:
        """Decode a model's answer in full in a helper (JPEG, PNG or WebP, ≤ 50 megapixels). Raises InvalidInput."""
        ...

    def warm(self) -> None:
        """Get ready in the background; returns at once."""
        ...

    def close(self) -> None: ...


# --- storage --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An open object: bytes in all, and its content in chunks. ``close`` it when it is not read to the end."""

    size: int
    body: BinaryIO

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        try:
            while chunk := self.body.read(size):
                yield chunk
        finally:
            self.body.close()


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    key: str
    modified_at: datetime


class ImageStorage(Protocol):
    """Objects by key: ``uploads/{userId}/{imageId}.jpg``, ``transformations/{userId}/{id}/{attemptId}.<ext>``."""

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store whole or not at all. Raises ExternalServiceError (NETWORK, retryable) when storage does not answer."""
        ...

    def get(self, key: str) -> bytes:
        """The whole object. Raises NotFound, ExternalServiceError."""
        ...

    def open(self, key: str) -> StoredObject:
        """For streaming. Raises NotFound, ExternalServiceError."""
        ...

    def delete(self, key: str) -> None:
        """Gone afterwards; deleting what is not there is fine. Raises ExternalServiceError."""
        ...

    def exists(self, key: str) -> bool: ...

    def entries(self, prefix: str = "") -> Iterator[ObjectEntry]: ...

    def check(self) -> str: ...


# --- SMS and one-time codes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SentSms:
    """``message_id`` is the vendor's.

    ``shown_text`` is set by the development twin only, which shows the text in the page.
    """

    message_id: str
    shown_text: str | None = None


class SmsSender(Protocol):
    is_twin: bool

    def send(self, to: str, text: str) -> SentSms:
        """Send one message to an E.164 number, once: never retried here, a lost answer may mean a sent message.

        Raises InvalidInput (the number cannot get messages) or ExternalServiceError.
        """
        ...

    def check(self) -> str: ...


class OtpVerdict(StrEnum):
    OK = "ok"
    WRONG = "wrong"
    GONE = "gone"  # never asked for, expired, used, replaced, or asked for by another browser
    LOCKED = "locked"  # too many tries: the code is dead


@dataclass(frozen=True, slots=True)
class OtpTry:
    verdict: OtpVerdict
    tries_left: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` hits per ``seconds`` for ``key``."""

    key: str
    limit: int
    seconds: int


class OtpStore(Protocol):
    """Codes and their counters. Everything is atomic; when the store is away every call raises ExternalServiceError."""

    def put(self, key: str, digest: str, ttl_seconds: int) -> None:
        """Keep the digest of a new code; an older one under the same key is gone."""
        ...

    def attempt(self, key: str, digest: str, max_tries: int) -> OtpTry:
        """Count one try and judge it, in one step.

        A right code is used up, so of many parallel right tries one wins.
        """
        ...

    def discard(self, key: str) -> None: ...

    def take(self, windows: list[Window]) -> float:
        """Count one hit in every window, or in none.

        0.0 when all allow it, else seconds until the fullest one allows it.
        """
        ...


# --- sessions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionSnapshot:
    """What a request needs to know of its caller, as cached for ≤ 60 s. Ids are UUID strings, times are UTC."""

    session_id: str
    user_id: str
    role: str
    expires_at: datetime  # absolute end
    last_seen_at: datetime


class Revoked:
    """The tombstone of a session that was ended: the cache knows it is dead."""


class SessionCache(Protocol):
    """In front of ``user_sessions``; never raises: a cache that is away answers None and forgets."""

    def get(self, token_hash: str) -> SessionSnapshot | Revoked | None: ...

    def fill(self, token_hash: str, snapshot: SessionSnapshot) -> None:
        """Only when the key is empty (SET NX), so that a slow reader cannot undo a revocation."""
        ...

    def revoke(self, token_hash: str) -> None:
        """Leave a tombstone."""
        ...

    def forget(self, token_hash: str) -> None:
        """The next read asks the database again (a role changed)."""
        ...


# --- running jobs ----------------------------------------------------------------------------------------------------


class StatusMirror(Protocol):
    """In front of the rows of running jobs, for polls; never raises: a mirror that is away answers None and forgets.

    Who finds nothing takes a ticket, then reads the row, then fills: a change in between makes the ticket worthless,
    so however slow a reader is, it cannot put an old state back.
    """

    def get(self, job_id: UUID, token_hash: str) -> tuple[SessionSnapshot | Revoked | None, JobFacts | None]:
        """What the SessionCache knows of who asks, and the facts: in one trip, which is what a poll costs most."""
        ...

    def expect(self, job_id: UUID) -> str:
        """The ticket; to be taken before the row is read."""
        ...

    def fill(self, ticket: str, facts: JobFacts) -> None:
        """Keep what was read for some seconds; nothing happens when the ticket is not good any more."""
        ...

    def forget(self, job_id: UUID) -> None:
        """After the commit of any change of the job: the next poll reads the row."""
        ...


# --- queue ----------------------------------------------------------------------------------------------------------


class JobQueue(Protocol):
    """A nudge, not a truth: the row in the database is the job, a lost nudge is made good by the sweeper."""

    def nudge(self, delay_seconds: float = 0) -> None:
        """Ask a worker to claim the fairest due row.

        Never raises: a queue that is away is logged and swept up later.
        """
        ...

    def pending(self) -> int:
        """How many nudges wait; 0 when the queue is away."""
        ...

    def check(self) -> str: ...
