"""One-time codes: sent, kept, counted."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


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

    def is_from_vendor(self, url: str, params: dict[str, str], signature: str) -> bool:
        """Whether the vendor itself sent this form to our public ``url``."""
        ...


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
