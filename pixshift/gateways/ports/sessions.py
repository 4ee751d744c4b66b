"""The cache in front of sign-ins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


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
