"""Share links on the wire and on pages."""

from datetime import datetime
from typing import Self

from pixshift.domain import sharing
from pixshift.domain.sharing import Platform
from pixshift.schemas.base import In, Out


class ShareIn(In):
    platform: Platform


class ShareOut(Out):
    """``share_url`` is the page that shows the picture; ``intent_url`` posts it, where the platform takes links."""

    success: bool = True
    share_url: str
    intent_url: str | None
    instruction: str | None
    expires_at: datetime

    @classmethod
    def of(cls, page_url: str, expires_at: datetime, platform: Platform) -> Self:
        return cls(
            share_url=page_url,
            intent_url=sharing.intent_url(platform, page_url),
            instruction=sharing.INSTRUCTION if platform is Platform.INSTAGRAM else None,
            expires_at=expires_at,
        )


class ShareView(Out):
    """A live link for its owner's page."""

    url: str
    facebook_url: str | None
    x_url: str | None
    instruction: str
    expires_at: datetime
    time_left: str

    @classmethod
    def of(cls, page_url: str, expires_at: datetime, now: datetime) -> Self:
        return cls(
            url=page_url,
            facebook_url=sharing.intent_url(Platform.FACEBOOK, page_url),
            x_url=sharing.intent_url(Platform.TWITTER, page_url),
            instruction=sharing.INSTRUCTION,
            expires_at=expires_at,
            time_left=sharing.time_left(expires_at, now),
        )
