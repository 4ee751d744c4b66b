"""Changing a photo."""

from dataclasses import dataclass
from typing import Protocol


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
    """One photo to change. ``photo`` is our own normalised JPEG (≤ 2048 px), ``style`` the slug of the type.

    ``aspect_ratio`` such as 3:2; None: the photo's own.
    """

    photo: bytes
    prompt: str
    style: str
    width: int
    height: int
    media_type: str = "image/jpeg"
    model: str | None = None
    aspect_ratio: str | None = None


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

    def warm(self) -> None:
        """Get ready for the first picture, which may take seconds; asks nobody."""
        ...

    def check(self) -> str:
        """One line for ``flask doctor``; raises PixShiftError when the vendor cannot be used."""
        ...

    def close(self) -> None: ...
