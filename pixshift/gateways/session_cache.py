"""The cache in front of ``user_sessions``: it may forget anything at any time, and it never raises."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from pixshift.gateways.ports import Revoked, SessionSnapshot

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_PREFIX = "pixshift:session:"
_SNAPSHOT_SECONDS = 60
_TOMBSTONE_SECONDS = 90  # longer than a snapshot: who read the row before the revocation finds the place taken
_HOLD_SECONDS = 5  # the same for a role that changed: until then nobody fills, everybody asks the database
_PAUSE_SECONDS = 1.0
_NOW = 0.0  # when to try again as long as Redis is well
_TOMBSTONE, _HOLD = "revoked", "hold"

_FORGET = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
"""


class RedisSessionCache:
    """The SessionCache port on Redis; after a failure, reads leave it alone for a second: a dead one costs little."""

    def __init__(self, client: "Redis", clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._forget = client.register_script(_FORGET)
        self._clock = clock
        self._lock = threading.Lock()
        self._try_again_at = _NOW

    def get(self, token_hash: str) -> SessionSnapshot | Revoked | None:
        if self._is_paused():
            return None
        value = self._attempt(lambda: self._client.get(_PREFIX + token_hash))
        if value is None or value == _HOLD:
            return None
        return Revoked() if value == _TOMBSTONE else _unpack(str(value))

    def fill(self, token_hash: str, snapshot: SessionSnapshot) -> None:
        if not self._is_paused():
            packed = _pack(snapshot)
            self._attempt(lambda: self._client.set(_PREFIX + token_hash, packed, nx=True, ex=_SNAPSHOT_SECONDS))

    def revoke(self, token_hash: str) -> None:
        self._attempt(lambda: self._client.set(_PREFIX + token_hash, _TOMBSTONE, ex=_TOMBSTONE_SECONDS))

    def forget(self, token_hash: str) -> None:
        self._attempt(lambda: self._forget(keys=[_PREFIX + token_hash], args=[_TOMBSTONE, _HOLD, _HOLD_SECONDS]))

    def _is_paused(self) -> bool:
        """True while Redis is left alone; when the pause is over, one caller goes ahead and the others still wait."""
        if self._try_again_at == _NOW:
            return False
        with self._lock:
            now = self._clock()
            if now < self._try_again_at:
                return True
            if self._try_again_at != _NOW:
                self._try_again_at = now + _PAUSE_SECONDS
            return False

    def _attempt(self, command: Callable[[], _T]) -> _T | None:
        from redis.exceptions import RedisError

        try:
            result = command()
        except RedisError as error:
            self._note_failure(error)
            return None
        if self._try_again_at != _NOW:
            self._try_again_at = _NOW
            logger.warning("session cache is back")
        return result

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            if self._try_again_at == _NOW:
                logger.warning("session cache is away: %s", type(error).__name__)
            self._try_again_at = self._clock() + _PAUSE_SECONDS


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


def _pack(snapshot: SessionSnapshot) -> str:
    times = (snapshot.expires_at.isoformat(), snapshot.last_seen_at.isoformat())
    return "|".join((snapshot.session_id, snapshot.user_id, snapshot.role, *times))


def _unpack(value: str) -> SessionSnapshot | None:
    """None for what another version may have written."""
    try:
        session_id, user_id, role, expires_at, last_seen_at = value.split("|")
        return SessionSnapshot(
            session_id, user_id, role, datetime.fromisoformat(expires_at), datetime.fromisoformat(last_seen_at)
        )
    except ValueError:
        return None
