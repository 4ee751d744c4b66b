"""Photos of strangers: cheap refusals in this process, decoding in helpers that may die.

In this process a stranger's bytes meet nothing but our own bounded readers; no image library is loaded here.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

from pixshift.domain import image_formats, images
from pixshift.errors import InvalidInput, RateLimitExceeded
from pixshift.gateways import exif, image_structure, image_work
from pixshift.gateways.helper_pool import HelperDied, HelperPool, HelperTooSlow, PoolFull
from pixshift.gateways.ports import ImageFacts, NormalisedImage, VerifiedImage

_VERIFY_WAIT_SECONDS = 60.0
_RESULT = "The result"
_M_MMAP_THRESHOLD = -3  # of malloc.h


class PooledImageDecoder:
    """The ``ImageDecoder``: ``workers`` helpers with a limit on time and memory each, ``waiting`` jobs in line."""

    def __init__(
        self, workers: int = 2, waiting: int = 8, seconds: float = 4.0, memory_bytes: int = 1024 * 1024 * 1024
    ) -> None:
        _give_memory_back()
        self._seconds = seconds
        script = Path(image_work.__file__)
        self._pool = HelperPool(script, workers=workers, waiting=waiting, seconds=seconds, memory_bytes=memory_bytes)

    def warm(self) -> None:
        """Start the helpers in the background, so that the first photo need not wait for them."""
        self._pool.warm()

    def inspect(self, data: bytes, name: str = "Your photo") -> ImageFacts:
        """Cheap refusals before any decoding; raises FileTooLarge, InvalidFileType or InvalidInput."""
        images.require_bytes(len(data), name)
        kind = image_formats.require_supported(data, name)
        structure = image_structure.read(kind, data, name)
        images.require_sides(structure.width, structure.height, name)
        has_location = exif.has_location(structure.exif) or b"GPSLatitude" in structure.xmp
        return ImageFacts(kind, structure.width, structure.height, exif.orientation(structure.exif), has_location)

    def normalise(self, data: bytes, name: str = "Your photo") -> NormalisedImage:
        """Our own encoding of the photo; raises as ``inspect`` does, InvalidInput or RateLimitExceeded."""
        facts = self.inspect(data, name)
        job = {"do": "normalise", **_announced(facts), "side": images.MODEL_SIDE}
        try:
            answer, payload = self._pool.run(job, data)
        except PoolFull:
            message = "Many photos are being read right now. Please send yours again in a moment."
            raise RateLimitExceeded(message, retryable=True, retry_after=2) from None
        except HelperDied:
            raise images.unreadable(name) from None
        except HelperTooSlow:
            raise images.too_slow(name, self._seconds) from None
        _require_sound(answer, name)
        return NormalisedImage(payload, answer["width"], answer["height"], facts)

    def verify(self, data: bytes) -> VerifiedImage:
        """Decode a model's answer in full; raises InvalidInput."""
        facts = _made_facts(data)
        job = {"do": "verify", **_announced(facts), "thumbnail": images.THUMBNAIL}
        answer, thumbnail = self._patiently(job, data)
        _require_sound(answer, _RESULT)
        return VerifiedImage(image_formats.SUPPORTED[facts.format], answer["width"], answer["height"], thumbnail)

    def pair(self, photo: bytes, picture: bytes) -> bytes:
        """Half the one, half the other, as a small WebP; raises InvalidInput or RateLimitExceeded."""
        job = {
            "do": "pair",
            "parts": [_announced(_made_facts(data)) for data in (photo, picture)],
            "split": len(photo),
            "sides": images.STYLE_THUMBNAIL,
            "most": images.STYLE_THUMBNAIL_BYTES,
        }
        answer, payload = self._patiently(job, photo + picture)
        _require_sound(answer, "The picture")
        return payload

    def _patiently(self, job: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        try:
            return self._pool.run_patiently(job, data, _VERIFY_WAIT_SECONDS)
        except (PoolFull, HelperTooSlow, HelperDied):  # our own shortage of time or memory, as far as anybody can tell
            raise RateLimitExceeded("Too many pictures are being checked right now.", retryable=True) from None

    def close(self) -> None:
        """End the helpers."""
        self._pool.close()


def _give_memory_back() -> None:
    """Let the bytes of photos and pictures return to the system when they are done with, in whatever process this is.

    Left alone, glibc learns from the first megabytes that it frees to keep as many in every thread's own arena: 172 MiB
    in a web process, and in a worker 992 MiB after 60 model calls at once, instead of 23 and 80.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(AttributeError):  # other C libraries have no such habit
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 256 * 1024)


def _made_facts(data: bytes) -> ImageFacts:
    """What the header of a result, or of our own encoding, says; raises InvalidInput."""
    kind = image_formats.sniff(data)
    if kind not in image_formats.SUPPORTED:
        raise InvalidInput(f"{_RESULT} is not a picture we can show.", details={"actual": kind})
    structure = image_structure.read(kind, data, _RESULT)
    images.require_result(len(data), structure.width, structure.height)
    return ImageFacts(kind, structure.width, structure.height, 1, has_location=False)


def _announced(facts: ImageFacts) -> dict[str, Any]:
    sides = {"width": facts.width, "height": facts.height}
    return {"format": facts.format, "orientation": facts.orientation, **sides}


def _require_sound(answer: dict[str, Any], name: str) -> None:
    if "fault" in answer:
        raise images.damaged(name)
