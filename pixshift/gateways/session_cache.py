"""The cache in front of ``user_sessions``: it may forget anything at any time, and it never raises."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from pixshift.gateways.ports import Revoked, SessionSnapshot
from pixshift.gateways.redis_client import BestEffort

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

_PREFIX = "pixshift:session:"
_SNAPSHOT_SECONDS = 60
_TOMBSTONE_SECONDS = 90  # longer than a snapshot: who read the row before the revocation finds the place taken
_HOLD_SECONDS = 5  # the same for a role that changed: until then nobody fills, everybody asks the database
_TOMBSTONE, _HOLD = "revoked", "hold"

_FORGET = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
"""


class RedisSessionCache:
    """The SessionCache port on Redis."""

    def __init__(self, client: "Redis", clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._forget = client.register_script(_FORGET)
        self._redis = BestEffort("session cache", logger, clock)

    def get(self, token_hash: str) -> SessionSnapshot | Revoked | None:
        return unpack(self._redis.read(lambda: self._client.get(key_of(token_hash))))

    def fill(self, token_hash: str, snapshot: SessionSnapshot) -> None:
        packed = _pack(snapshot)
        self._redis.read(lambda: self._client.set(key_of(token_hash), packed, nx=True, ex=_SNAPSHOT_SECONDS))

    def revoke(self, token_hash: str) -> None:
        self._redis.attempt(lambda: self._client.set(key_of(token_hash), _TOMBSTONE, ex=_TOMBSTONE_SECONDS))

    def forget(self, token_hash: str) -> None:
        self._redis.attempt(lambda: self._forget(keys=[key_of(token_hash)], args=[_TOMBSTONE, _HOLD, _HOLD_SECONDS]))


class NoSessionCache:
    """The SessionCache port of one process with SQLite: every question goes to the database."""

    def get(self, token_hash: str) -> SessionSnapshot | Revoked | None:
        return None

    def fill(self, token_hash: str, snapshot: SessionSnapshot) -> None:
        pass

    def revoke(self, token_hash: str) -> None:
        pass

    def forget(self, token_hash: str) -> None:
        pass


def key_of(token_hash: str) -> str:
    return _PREFIX + token_hash


def _pack(snapshot: SessionSnapshot) -> str:
    times = (snapshot.expires_at.isoformat(), snapshot.last_seen_at.isoformat())
    return "|".join((snapshot.session_id, snapshot.user_id, snapshot.role, *times))


def unpack(value: object) -> SessionSnapshot | Revoked | None:
    """What stands under a session's key; None for what another version may have written."""
    if value is None or value == _HOLD:
        return None
    if value == _TOMBSTONE:
        return Revoked()
    try:
        session_id, user_id, role, expires_at, last_seen_at = str(value).split("|")
        return SessionSnapshot(
            session_id, user_id, role, datetime.fromisoformat(expires_at), datetime.fromisoformat(last_seen_at)
        )
    except ValueError:
        return None
