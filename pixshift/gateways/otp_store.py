"""Where one-time codes and their counters live: Redis, and a twin in this process.

Only digests come here. Every operation is one atomic step. A window is the list of its latest hits, never longer than
its limit: exact at every moment, and bounded however often it is asked.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pixshift.errors import ExternalServiceError
from pixshift.gateways.ports import OtpTry, OtpVerdict, Window

if TYPE_CHECKING:
    from redis import Redis

# The braces keep all keys on one node of a cluster, as a script over several keys needs.
_PREFIX = "pixshift:{otp}:"

_PUT = """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'digest', ARGV[1], 'tries', 0)
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

# A code that was guessed too often stays, without its digest: later tries hear LOCKED until it would have expired.
_ATTEMPT = """
local tries = redis.call('HGET', KEYS[1], 'tries')
if not tries then return {'gone', 0} end
local digest = redis.call('HGET', KEYS[1], 'digest')
if not digest then return {'locked', 0} end
if digest == ARGV[1] then
  redis.call('DEL', KEYS[1])
  return {'ok', 0}
end
local left = ARGV[2] - redis.call('HINCRBY', KEYS[1], 'tries', 1)
if left > 0 then return {'wrong', left} end
redis.call('HDEL', KEYS[1], 'digest')
return {'locked', 0}
"""

# ARGV holds limit and milliseconds for each key. The limit-th latest hit decides; Redis's own clock counts.
_TAKE = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local wait = 0
for i, key in ipairs(KEYS) do
  local limit, span = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local oldest = limit < 1 and now or redis.call('LINDEX', key, limit - 1)
  if oldest then wait = math.max(wait, oldest + span - now) end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  redis.call('LPUSH', key, now)
  redis.call('LTRIM', key, 0, ARGV[2 * i - 1] - 1)
  redis.call('PEXPIRE', key, ARGV[2 * i])
end
return 0
"""


class RedisOtpStore:
    """The OtpStore port on Redis, for any number of processes."""

    def __init__(self, client: "Redis") -> None:
        self._client = client
        self._put = client.register_script(_PUT)
        self._attempt = client.register_script(_ATTEMPT)
        self._take = client.register_script(_TAKE)

    def put(self, key: str, digest: str, ttl_seconds: int) -> None:
        with _fail_closed():
            self._put(keys=[_code_key(key)], args=[digest, ttl_seconds])

    def attempt(self, key: str, digest: str, max_tries: int) -> OtpTry:
        with _fail_closed():
            verdict, left = self._attempt(keys=[_code_key(key)], args=[digest, max_tries])
        return OtpTry(OtpVerdict(verdict), int(left))

    def discard(self, key: str) -> None:
        with _fail_closed():
            self._client.delete(_code_key(key))

    def take(self, windows: list[Window]) -> float:
        if not windows:
            return 0.0
        keys = [f"{_PREFIX}hits:{window.key}:{window.seconds}" for window in windows]
        args = [number for window in windows for number in (window.limit, window.seconds * 1000)]
        with _fail_closed():
            wait = self._take(keys=keys, args=args)
        return int(wait) / 1000


def _code_key(key: str) -> str:
    return f"{_PREFIX}code:{key}"


@contextmanager
def _fail_closed() -> Iterator[None]:
    """Without the store no code is made or judged: nobody gets past it, and nobody is counted wrongly."""
    from redis.exceptions import RedisError

    try:
        yield
    except RedisError as error:
        raise ExternalServiceError(
            "Codes do not work right now. Please try again in a minute.", category="NETWORK", retryable=True
        ) from error


@dataclass(slots=True)
class _Code:
    digest: str | None
    expires_at: float
    tries: int = 0


@dataclass(slots=True)
class _Hits:
    times: deque[float]
    seconds: int


class MemoryOtpStore:
    """The OtpStore port in one process; ``clock`` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._codes: dict[str, _Code] = {}
        self._hits: dict[tuple[str, int], _Hits] = {}
        self._sweep_above = 1024

    def put(self, key: str, digest: str, ttl_seconds: int) -> None:
        with self._lock:
            self._sweep()
            self._codes[key] = _Code(digest, self._clock() + ttl_seconds)

    def attempt(self, key: str, digest: str, max_tries: int) -> OtpTry:
        with self._lock:
            code = self._codes.get(key)
            if code is None or code.expires_at <= self._clock():
                return OtpTry(OtpVerdict.GONE)
            if code.digest is None:
                return OtpTry(OtpVerdict.LOCKED)
            if code.digest == digest:
                del self._codes[key]
                return OtpTry(OtpVerdict.OK)
            code.tries += 1
            if code.tries < max_tries:
                return OtpTry(OtpVerdict.WRONG, max_tries - code.tries)
            code.digest = None
            return OtpTry(OtpVerdict.LOCKED)

    def discard(self, key: str) -> None:
        with self._lock:
            self._codes.pop(key, None)

    def take(self, windows: list[Window]) -> float:
        with self._lock:
            self._sweep()
            now = self._clock()
            wait = max((self._wait(window, now) for window in windows), default=0.0)
            if wait > 0:
                return wait
            for window in windows:
                hits = self._hits.setdefault((window.key, window.seconds), _Hits(deque(), window.seconds))
                hits.times.append(now)
                while len(hits.times) > window.limit:
                    hits.times.popleft()
            return 0.0

    def _wait(self, window: Window, now: float) -> float:
        if window.limit < 1:
            return float(window.seconds)
        hits = self._hits.get((window.key, window.seconds))
        if hits is None or len(hits.times) < window.limit:
            return 0.0
        return max(0.0, hits.times[-window.limit] + window.seconds - now)

    def _sweep(self) -> None:
        """Drop what has run out, once in every doubling: the cost stays small, the memory bounded by what is alive."""
        if len(self._codes) + len(self._hits) < self._sweep_above:
            return
        now = self._clock()
        self._codes = {key: code for key, code in self._codes.items() if code.expires_at > now}
        self._hits = {key: hits for key, hits in self._hits.items() if hits.times[-1] + hits.seconds > now}
        self._sweep_above = max(1024, 2 * (len(self._codes) + len(self._hits)))
