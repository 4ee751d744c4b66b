"""How often somebody may call, counted in Redis for all processes, and in this one while Redis is away.

One number per key, the moment at which all calls so far are paid for (GCRA): a burst is free, then calls come at their
rate. The library ``limits`` was measured against it: 1.5 MiB more in each web process, every hit of a window kept, a
second trip to learn when to try again, and no way to fetch hits ahead, which a status poll cannot do without.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pixshift.domain.rates import Rate
from pixshift.gateways.redis_client import BestEffort

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

_PREFIX = "pixshift:rate:"
_MOST_KEYS = 10_000  # kept in this process; strangers with many addresses must not fill its memory
_LOT_SECONDS = 60.0

# Answers how many of the hits asked for were taken and, when none, the microseconds to wait. Redis's own clock counts;
# should it have been set back, nobody waits longer than a whole burst takes. Digits, because Lua would write 1.7e+15.
_TAKE = """
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local interval, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local paid = math.max(now, math.min(tonumber(redis.call('GET', KEYS[1]) or now), now + burst * interval))
local free = math.floor((now + burst * interval - paid) / interval + 0.000001)
if free < 1 then return {0, math.ceil(paid + interval - burst * interval - now)} end
local taken = math.min(free, wanted)
paid = paid + taken * interval
redis.call('SET', KEYS[1], string.format('%.0f', paid), 'PX', math.ceil((paid - now) / 1000))
return {taken, 0}
"""


class MemoryRateLimits:
    """The RateLimits port in one process; ``clock`` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most_keys: int = _MOST_KEYS) -> None:
        self._clock, self._most_keys = clock, most_keys
        self._lock = threading.Lock()
        self._paid: dict[str, float] = {}  # until when each key's calls are paid for

    def __len__(self) -> int:
        return len(self._paid)

    def take(self, key: str, rate: Rate) -> float:
        with self._lock:
            now = self._clock()
            paid = max(now, self._paid.get(key, now)) + rate.interval
            wait = paid - rate.burst * rate.interval - now
            if wait > 1e-6:
                return wait
            if key not in self._paid and len(self._paid) >= self._most_keys:
                self._make_room(now)
            self._paid[key] = paid
            return 0.0

    def _make_room(self, now: float) -> None:
        """Forget who owes nothing; should that not halve them, also those who owe least."""
        owing = sorted(((paid, key) for key, paid in self._paid.items() if paid > now), reverse=True)
        self._paid = {key: paid for paid, key in owing[: self._most_keys // 2]}


class RedisRateLimits:
    """The RateLimits port on Redis, for any number of processes; each counts alone while Redis is away.

    A trip to Redis costs as much as a third of a status poll. So a rate may allow lots: up to ``rate.lot`` calls are
    taken in one trip and spent here within a minute. What a process took and did not spend is lost to the others, which
    refuse a little early; spent late, it lets a few more through in that minute.
    """

    def __init__(
        self, client: "Redis", clock: Callable[[], float] = time.monotonic, most_keys: int = _MOST_KEYS
    ) -> None:
        self._take = client.register_script(_TAKE)
        self._redis = BestEffort("rate limits", logger, clock)
        self._alone = MemoryRateLimits(clock, most_keys)
        self._clock, self._most_keys = clock, most_keys
        self._lock = threading.Lock()
        self._lots: dict[str, tuple[int, float]] = {}  # calls left, and until when

    def __len__(self) -> int:
        return len(self._lots)

    def take(self, key: str, rate: Rate) -> float:
        if rate.lot > 1 and self._spend(key):
            return 0.0
        args = [round(rate.interval * 1_000_000), rate.burst, rate.lot]
        answer = self._redis.read(lambda: self._take(keys=[_PREFIX + key], args=args))
        if answer is None:
            return self._alone.take(key, rate)
        taken, wait = answer
        if taken > 1:
            self._keep(key, int(taken) - 1)
        return int(wait) / 1_000_000

    def _spend(self, key: str) -> bool:
        with self._lock:
            left, until = self._lots.get(key, (0, 0.0))
            if left < 1 or self._clock() >= until:
                self._lots.pop(key, None)
                return False
            self._lots[key] = (left - 1, until)
            return True

    def _keep(self, key: str, hits: int) -> None:
        with self._lock:
            if key not in self._lots and len(self._lots) >= self._most_keys:
                self._lots.clear()  # rare; what was fetched ahead is lost
            left, _ = self._lots.get(key, (0, 0.0))
            self._lots[key] = (left + hits, self._clock() + _LOT_SECONDS)
