"""RedisSessionCache on a real Redis that is well, hangs, is gone and comes back; and the cache that is none."""

import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from pixshift.gateways.ports import Revoked, SessionCache, SessionSnapshot
from pixshift.gateways.redis_client import connect
from pixshift.gateways.session_cache import NoSessionCache, RedisSessionCache
from tests import servers

TOKEN = "a" * 64
SNAPSHOT = SessionSnapshot(
    session_id="0b54b1b5-8f5c-4f3a-9d8e-3b1a4a0f6c11",
    user_id="7c0f2a51-5d0f-4a2b-8a53-6a4f8d9c0e22",
    role="USER",
    expires_at=datetime(2026, 12, 22, 12, 0, 0, 123456, tzinfo=UTC),
    last_seen_at=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def cache(client: "redis.Redis") -> RedisSessionCache:
    return RedisSessionCache(client)


@dataclass
class OwnRedis:
    """A Redis on a Unix socket that a test may stop, kill and start again."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder / 'redis.sock'}"

    def start(self) -> None:
        socket = str(self.folder / "redis.sock")
        words = [servers._redis_binary(), "--port", "0", "--unixsocket", socket, "--save", ""]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(words, stdout=quiet, stderr=quiet, start_new_session=True)
        servers.wait_until(lambda: servers._answers_ping(self.url), what="Redis")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    with servers.short_folder() as folder:
        own = OwnRedis(folder)
        own.start()
        yield own
        own.kill()


def test_what_was_filled_comes_back_as_it_was(cache: RedisSessionCache) -> None:
    assert cache.get(TOKEN) is None

    cache.fill(TOKEN, SNAPSHOT)

    assert cache.get(TOKEN) == SNAPSHOT


def test_a_snapshot_lives_a_minute_at_most(cache: RedisSessionCache, client: "redis.Redis") -> None:
    cache.fill(TOKEN, SNAPSHOT)

    lives = [client.ttl(key) for key in client.scan_iter()]
    assert len(lives) == 1
    assert 0 < lives[0] <= 60


def test_a_fill_never_overwrites(cache: RedisSessionCache) -> None:
    cache.fill(TOKEN, SNAPSHOT)

    cache.fill(TOKEN, replace(SNAPSHOT, role="ADMIN"))

    assert cache.get(TOKEN) == SNAPSHOT


def test_a_slow_reader_cannot_undo_a_revocation(cache: RedisSessionCache, client: "redis.Redis") -> None:
    cache.fill(TOKEN, SNAPSHOT)
    cache.revoke(TOKEN)

    cache.fill(TOKEN, SNAPSHOT)

    assert isinstance(cache.get(TOKEN), Revoked)
    assert all(client.ttl(key) > 60 for key in client.scan_iter())  # outlives every snapshot


def test_a_slow_reader_cannot_bring_an_old_role_back(cache: RedisSessionCache, client: "redis.Redis") -> None:
    cache.fill(TOKEN, replace(SNAPSHOT, role="ADMIN"))
    cache.forget(TOKEN)

    cache.fill(TOKEN, replace(SNAPSHOT, role="ADMIN"))

    assert cache.get(TOKEN) is None
    assert all(0 < client.ttl(key) <= 5 for key in client.scan_iter())  # then it may be filled again


def test_forgetting_does_not_wake_the_dead(cache: RedisSessionCache) -> None:
    cache.revoke(TOKEN)

    cache.forget(TOKEN)

    assert isinstance(cache.get(TOKEN), Revoked)


@pytest.mark.parametrize("value", ["", "{}", "a|b|c", "a|b|c|yesterday|today", "a|b|c|d|e|f"])
def test_what_another_version_wrote_counts_for_nothing(
    cache: RedisSessionCache, client: "redis.Redis", value: str
) -> None:
    cache.fill(TOKEN, SNAPSHOT)
    (key,) = client.scan_iter()
    client.set(key, value)

    assert cache.get(TOKEN) is None


def test_a_dead_redis_costs_one_try_a_second(own_redis: OwnRedis) -> None:
    clock = Clock()
    with connect(own_redis.url) as client:
        cache = RedisSessionCache(client, clock)
        cache.fill(TOKEN, SNAPSHOT)
        own_redis.kill()

        assert cache.get(TOKEN) is None
        began = time.monotonic()
        assert all(cache.get(TOKEN) is None for _ in range(10_000))
        cache.fill(TOKEN, SNAPSHOT)
        assert time.monotonic() - began < 0.5


def test_a_redis_that_comes_back_is_used_again_without_a_failed_command(own_redis: OwnRedis) -> None:
    clock = Clock()
    with connect(own_redis.url) as client:
        cache = RedisSessionCache(client, clock)
        cache.fill(TOKEN, SNAPSHOT)
        own_redis.kill()
        cache.get(TOKEN)
        own_redis.start()

        assert cache.get(TOKEN) is None  # still in the pause
        clock.now += 1.1
        cache.fill(TOKEN, SNAPSHOT)
        assert cache.get(TOKEN) == SNAPSHOT


def test_a_restart_nobody_noticed_costs_nothing(own_redis: OwnRedis) -> None:
    with connect(own_redis.url) as client:
        cache = RedisSessionCache(client, Clock())
        cache.fill(TOKEN, SNAPSHOT)
        own_redis.kill()
        own_redis.start()

        cache.fill(TOKEN, SNAPSHOT)  # the old connection is replaced before the command

        assert cache.get(TOKEN) == SNAPSHOT


def test_a_hanging_redis_delays_one_request_and_after_the_pause_one_more(own_redis: OwnRedis) -> None:
    clock = Clock()
    with connect(own_redis.url) as client:
        cache = RedisSessionCache(client, clock)
        cache.fill(TOKEN, SNAPSHOT)
        own_redis.send(signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert cache.get(TOKEN) is None
            assert time.monotonic() - began < 2
            clock.now += 1.1
            began = time.monotonic()
            with ThreadPoolExecutor(20) as pool:
                waits = list(pool.map(lambda _: timed_get(cache), range(20)))
            assert sum(wait > 0.2 for wait in waits) == 1
        finally:
            own_redis.send(signal.SIGCONT)


def timed_get(cache: SessionCache) -> float:
    began = time.monotonic()
    assert cache.get(TOKEN) is None
    return time.monotonic() - began


def test_a_revocation_is_tried_even_in_the_pause(own_redis: OwnRedis) -> None:
    clock = Clock()
    with connect(own_redis.url) as client:
        cache = RedisSessionCache(client, clock)
        own_redis.kill()
        cache.get(TOKEN)
        cache.revoke(TOKEN)  # nobody there: it does not raise
        cache.forget(TOKEN)
        own_redis.start()

        cache.revoke(TOKEN)

        assert isinstance(cache.get(TOKEN), Revoked)


def test_an_outage_is_logged_once(own_redis: OwnRedis, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with connect(own_redis.url) as client:
        cache = RedisSessionCache(client, clock)
        own_redis.kill()
        for _ in range(5):
            cache.get(TOKEN)
            clock.now += 1.1
        own_redis.start()
        cache.get(TOKEN)

    messages = [record.getMessage() for record in caplog.records if record.name.endswith("session_cache")]
    assert messages == ["session cache is away: ConnectionError", "session cache is back"]


def test_the_cache_that_is_none_knows_nothing() -> None:
    cache: SessionCache = NoSessionCache()
    cache.fill(TOKEN, SNAPSHOT)
    cache.revoke(TOKEN)
    cache.forget(TOKEN)

    assert cache.get(TOKEN) is None
