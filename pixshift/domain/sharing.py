"""Links that show one picture: their token, how long they live, where they may be sent, and why one is reported."""

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode
from uuid import UUID

LIFE = timedelta(hours=24)
_TOKEN = re.compile("[A-Za-z0-9_-]{43}")
_ID_BYTES = 16


class Platform(StrEnum):
    """Where a person wants to show a picture."""

    FACEBOOK = "facebook"
    TWITTER = "twitter"
    INSTAGRAM = "instagram"


INSTRUCTION = "Save the picture, then open Instagram."  # it takes no links
_INTENTS = {
    Platform.FACEBOOK: ("https://www.facebook.com/sharer/sharer.php", "u"),
    Platform.TWITTER: ("https://x.com/intent/post", "url"),
}

# Why somebody reports a picture: what is kept, and what is asked.
REASONS = {
    "me": "It shows me, and I did not agree",
    "hurtful": "It is hateful, violent or sexual",
    "child": "It harms a child",
    "rights": "It is somebody else’s work",
    "other": "Something else",
}


def token(secret: bytes, link_id: UUID) -> str:
    """The word in a link's address: its id, and our signature of that."""
    return base64.urlsafe_b64encode(link_id.bytes + _signature(secret, link_id)).rstrip(b"=").decode()


def link_in(secret: bytes, text: str) -> UUID | None:
    """The id of the link that this token was made for, None when we did not make it."""
    if not _TOKEN.fullmatch(text):
        return None
    link_id = UUID(bytes=base64.urlsafe_b64decode(text + "=")[:_ID_BYTES])
    # Compared as text: the last letter has bits to spare, and a second spelling of a token is none of ours.
    return link_id if hmac.compare_digest(token(secret, link_id), text) else None


def intent_url(platform: Platform, page_url: str) -> str | None:
    """Where the platform lets a person post this page; None where there is no such address."""
    if platform not in _INTENTS:
        return None
    address, parameter = _INTENTS[platform]
    return f"{address}?{urlencode({parameter: page_url})}"


def time_left(expires_at: datetime, now: datetime) -> str:
    """How long a link lives on, in words: the hour of its end alone does not say whether that is today."""
    hours = round((expires_at - now) / timedelta(hours=1))
    return f"about {hours} hours" if hours > 1 else "about an hour" if hours == 1 else "less than an hour"


def _signature(secret: bytes, link_id: UUID) -> bytes:
    return hmac.new(secret, b"share|" + link_id.bytes, hashlib.sha256).digest()[:16]
