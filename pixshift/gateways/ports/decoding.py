"""Reading photos of strangers, and what a model made of them."""

from dataclasses import dataclass
from typing import Protocol


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

    def pair(self, photo: bytes, picture: bytes) -> bytes:
        """A WebP of at most 15 kB, 480 × 320 or smaller where lines are too fine for that.

        Its left half is the photo's, its right half the picture's. Raises as ``verify``.
        """
        ...

    def warm(self) -> None:
        """Get ready in the background; returns at once."""
        ...

    def close(self) -> None: ...
