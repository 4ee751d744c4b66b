"""What an acceptable image is, what we say when it is not, and what stored pictures are called.

Sides are pixels, sizes are bytes, limits are inclusive. Refusals carry ``details`` with ``field`` "image", the limit
and the actual figure.
"""

import math
import re
import unicodedata
from datetime import date
from uuid import UUID

from pixshift.errors import FileTooLarge, InvalidInput

MAX_BYTES = 10 * 1024 * 1024
MIN_SIDE = 100
MAX_SIDE = 5000
MODEL_SIDE = 2048  # the longest side of what we keep and send to the model
THUMBNAIL = (168, 112)  # twice the size it is shown at
STYLE_THUMBNAIL, STYLE_THUMBNAIL_BYTES = (480, 320), 15_000  # half the photo, half the picture
RESULT_MAX_PIXELS = 50_000_000
RESULT_MAX_BYTES = 64 * 1024 * 1024
NAME_LENGTH = 80
# What every image model offers; the very long strips are not among them.
ASPECT_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")

EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


def require_bytes(size: int, name: str) -> None:
    """Refuse an empty file (InvalidInput) and one that is too large (FileTooLarge)."""
    if size == 0:
        raise _refusal(f"{name} is empty. Please choose the picture again.", limit=1, actual=0)
    if size > MAX_BYTES:
        message = f"{name} is {_megabytes(size)}. The limit is 10 MB: choose a smaller size when you export it."
        raise FileTooLarge(message, field="image", details={"limit": MAX_BYTES, "actual": size})


def require_sides(width: int, height: int, name: str) -> None:
    """Refuse a picture with a side outside 100–5000 px (InvalidInput)."""
    figure = f"{name} is {width} × {height} pixels."
    if min(width, height) < MIN_SIDE:
        message = f"{figure} Each side must have at least {MIN_SIDE}: choose the original instead of a thumbnail."
        raise _refusal(message, limit=MIN_SIDE, actual=min(width, height))
    if max(width, height) > MAX_SIDE:
        message = f"{figure} No side may have more than {MAX_SIDE}: make it smaller in your photo app first."
        raise _refusal(message, limit=MAX_SIDE, actual=max(width, height))


def require_result(size: int, width: int, height: int) -> None:
    """Refuse a model's result that is too large to decode (InvalidInput)."""
    if size > RESULT_MAX_BYTES:
        raise _refusal("The result is too large a file.", limit=RESULT_MAX_BYTES, actual=size)
    if width * height > RESULT_MAX_PIXELS:
        raise _refusal("The result has too many pixels.", limit=RESULT_MAX_PIXELS, actual=width * height)


def damaged(name: str) -> InvalidInput:
    """What to say of a file that cannot be decoded."""
    return _refusal(f"{name} is damaged and cannot be read. Please open it, save it again as JPG and choose that.")


def unreadable(name: str) -> InvalidInput:
    """What to say of a file whose decoder ended without a word: most likely the file's fault, but nobody knows."""
    return _refusal(
        f"{name} could not be read. Please try once more; if that does not help, open it, save it again as JPG and "
        "choose that."
    )


def incomplete(name: str) -> InvalidInput:
    """What to say of a file that ends too early."""
    return _refusal(f"{name} is incomplete: its end is missing. Please copy or download it again.")


def animated(name: str) -> InvalidInput:
    """What to say of a picture that moves."""
    return _refusal(f"{name} is animated. Please save a still picture of it and choose that.", limit=1)


def unusual(name: str, what: str) -> InvalidInput:
    """What to say of a picture that uses something we do not decode; ``what`` finishes the sentence "… uses"."""
    return _refusal(f"{name} uses {what}. Please open it, save it again as an ordinary JPG and choose that.")


def too_slow(name: str, seconds: float) -> InvalidInput:
    """What to say of a picture whose decoding was stopped."""
    message = f"{name} took too long to read. Please open it, save it again as an ordinary JPG and choose that."
    return _refusal(message, limit=seconds)


def upload_key(user_id: UUID, image_id: UUID) -> str:
    """The storage key of a normalised upload."""
    return f"uploads/{user_id}/{image_id}.jpg"


def result_key(user_id: UUID, transformation_id: UUID, attempt_id: UUID, media_type: str) -> str:
    """The storage key of a result, in the model's own format; each attempt has its own, so a late one harms none."""
    return f"transformations/{user_id}/{transformation_id}/{attempt_id}.{EXTENSIONS[media_type]}"


def download_name(style: str, day: date, media_type: str) -> str:
    """The file name a result is downloaded under, plain ASCII: ``pixshift-engraving-2026-11-22.png``."""
    slug = re.sub(r"[^a-z0-9]+", "-", style.lower()).strip("-")[:NAME_LENGTH] or "picture"
    return f"pixshift-{slug}-{day.isoformat()}.{EXTENSIONS[media_type]}"


def display_name(raw: str | None) -> str | None:
    """A file name that is safe to show: no folder, no control or direction characters, ≤ 80 long; None if empty."""
    base = re.split(r"[/\\]", (raw or "")[-4096:])[-1]
    # Category C is control, format (which turn the reading direction round), surrogates and unassigned.
    visible = "".join(" " if char.isspace() else char for char in unicodedata.normalize("NFC", base))
    visible = "".join(char for char in visible if not unicodedata.category(char).startswith("C"))
    name = " ".join(visible.split())
    if not name.strip("."):
        return None
    return name if len(name) <= NAME_LENGTH else _shortened(name)


def _shortened(name: str) -> str:
    """Leave out the middle, because the extension says what the file is."""
    tail = name[-12:]
    return f"{name[: NAME_LENGTH - len(tail) - 1]}…{tail}"


def _megabytes(size: int) -> str:
    """Rounded up, so that a file just over the limit does not read as if it were at the limit."""
    tenths = math.ceil(size / (1024 * 1024) * 10)
    return f"{tenths // 10} MB" if tenths % 10 == 0 else f"{tenths / 10:.1f} MB"


def _refusal(message: str, limit: float | None = None, actual: float | None = None) -> InvalidInput:
    details = {key: value for key, value in (("limit", limit), ("actual", actual)) if value is not None}
    return InvalidInput(message, field="image", details=details)
