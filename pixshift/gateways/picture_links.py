"""Links to pictures that expire: the application serves them, the signature says who made the link and until when."""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

LINK_LIFE = timedelta(minutes=5)
_PATH = re.compile(r"^/pictures/(?P<kind>photo|picture|thumbnail)/(?P<id>[0-9a-f-]{36})$")


class PictureLinks:
    """Makes and checks ``/pictures/{kind}/{id}?expires=…&signature=…``; the kinds are photo, picture, thumbnail."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.new(secret, b"picture links", hashlib.sha256).digest()

    def path(self, kind: str, object_id: UUID, now: datetime) -> str:
        expires = int((now + LINK_LIFE).timestamp())
        return f"/pictures/{kind}/{object_id}?expires={expires}&signature={self._sign(kind, str(object_id), expires)}"

    def is_valid(self, kind: str, object_id: UUID, expires: str, signature: str, now: datetime) -> bool:
        if not expires.isdecimal() or len(expires) > 12 or not signature.isascii():
            return False
        right = hmac.compare_digest(self._sign(kind, str(object_id), int(expires)), signature)
        return right and int(expires) >= now.timestamp()

    @staticmethod
    def upload_id(url: str) -> UUID | None:
        """Which upload a link names, expired or not; None when it names none. Nothing is fetched."""
        try:
            match = _PATH.match(urlsplit(url).path)
            return UUID(match["id"]) if match and match["kind"] == "photo" else None
        except ValueError:
            return None

    def _sign(self, kind: str, object_id: str, expires: int) -> str:
        return hmac.new(self._key, f"{kind}|{object_id}|{expires}".encode(), hashlib.sha256).hexdigest()[:40]
