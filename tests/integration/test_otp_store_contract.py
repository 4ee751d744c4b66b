"""What every OtpStore keeps, in Redis and in one process: atomic tries, atomic windows, and failing closed."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from pixshift.errors import ExternalServiceError
from pixshift.gateways.otp_store import MemoryOtpStore, RedisOtpStore
from pixshift.gateways.ports import OtpStore, OtpTry, OtpVerdict, Window
from pixshift.gateways.redis_client import connect

RIGHT, WRONG = "d" * 64, "e" * 64


@dataclass
class Bench:
    """A store, and a way to let time pass without waiting for it."""

    store: OtpStore
    pass_seconds: Callable[[float], None]


def age_redis(client: Any, seconds: float) -> None:
    """Make everything in Redis older: less to live, and windows whose hits lie further back."""
    for key in client.scan_iter():
        if client.type(key) == "list":
            hits = [float(hit) - seconds * 1000 for hit in client.lrange(key, 0, -1)]
            left = client.pttl(key)
            client.delete(key)
            client.rpush(key, *(f"{hit:.0f}" for hit in hits))
            client.pexpire(key, left)
        client.pexpire(key, int(client.pttl(key) - seconds * 1000))


@pytest.fixture(params=["memory", "redis"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "memory":
        now = [1000.0]

        def pass_seconds(seconds: float) -> None:
            now[0] += seconds

        yield Bench(MemoryOtpStore(lambda: now[0]), pass_seconds)
        return
    with connect(request.getfixturevalue("redis_url")) as client:
        yield Bench(RedisOtpStore(client), lambda seconds: age_redis(client, seconds))


@pytest.fixture
def store(bench: Bench) -> OtpStore:
    return bench.store


def race(count: int, act: Callable[[], OtpTry]) -> list[OtpTry]:
    """Do it ``count`` times at the same moment."""
    barrier = threading.Barrier(count)

    def go(_: int) -> OtpTry:
        barrier.wait(10)
        return act()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(go, range(count)))


def test_the_right_code_works_once(store: OtpStore) -> None:
    store.put("key", RIGHT, 300)

    assert store.attempt("key", RIGHT, 3) == OtpTry(OtpVerdict.OK)
    assert store.attempt("key", RIGHT, 3) == OtpTry(OtpVerdict.GONE)


def test_a_code_never_asked_for_is_gone(store: OtpStore) -> None:
    assert store.attempt("key", RIGHT, 3) == OtpTry(OtpVerdict.GONE)


def test_two_wrong_tries_leave_one(store: OtpStore) -> None:
    store.put("key", RIGHT, 300)

    assert store.attempt("key", WRONG, 3) == OtpTry(OtpVerdict.WRONG, 2)
    assert store.attempt("key", WRONG, 3) == OtpTry(OtpVerdict.WRONG, 1)
    assert store.attempt("key", RIGHT, 3) == OtpTry(OtpVerdict.OK)


def test_the_third_wrong_try_kills_the_code(store: OtpStore) -> None:
    store.put("key", RIGHT, 300)
    verdicts = [store.attempt("key", WRONG, 3).verdict for _ in range(3)]

    assert verdicts == [OtpVerdict.WRONG, OtpVerdict.WRONG, OtpVerdict.LOCKED]
    assert store.attempt("key", RIGHT, 3) == OtpTry(OtpVerdict.LOCKED)


def test_60_guesses_at_once_are_counted_three_times_at_most(store: OtpStore) -> None:
    store.put("key", RIGHT, 300)

    verdicts = Counter(one.verdict for one in race(60, lambda: store.attempt("key", WRONG, 3)))

    assert verdicts == {OtpVerdict.WRONG: 2, OtpVerdict.LOCKED: 58}
    assert store.attempt("key", RIGHT, 3).verdict is OtpVerdict.LOCKED


def test_of_ten_right_tries_at_once_exactly_one_wins(store: OtpStore) -> None:
    store.put("key", RIGHT, 300)

    verdicts = Counter(one.verdict for one in race(10, lambda: store.attempt("key", RIGHT, 3)))

    assert verdicts == {OtpVerdict.OK: 1, OtpVerdict.GONE: 9}


def test_a_code_lives_until_its_time_is_up(bench: Bench) -> None:
    bench.store.put("early", RIGHT, 300)
    bench.store.put("late", RIGHT, 300)

    bench.pass_seconds(295)
    assert bench.store.attempt("early", RIGHT, 3).verdict is OtpVerdict.OK
    bench.pass_seconds(6)
    assert bench.store.attempt("late", RIGHT, 3).verdict is OtpVerdict.GONE


def test_a_lock_ends_with_the_code(bench: Bench) -> None:
    bench.store.put("key", RIGHT, 300)
    for _ in range(3):
        bench.store.attempt("key", WRONG, 3)

    bench.pass_seconds(301)

    assert bench.store.attempt("key", RIGHT, 3).verdict is OtpVerdict.GONE


def test_a_new_code_replaces_the_old_one_and_its_tries(store: OtpStore) -> None:
    store.put("key", WRONG, 300)
    for _ in range(3):
        store.attempt("key", "0", 3)

    store.put("key", RIGHT, 300)

    assert store.attempt("key", WRONG, 3) == OtpTry(OtpVerdict.WRONG, 2)
    assert store.attempt("key", RIGHT, 3).verdict is OtpVerdict.OK


def test_a_discarded_code_is_gone(store: OtpStore) -> None:
    store.put("key", RIGHT, 300)

    store.discard("key")
    store.discard("never there")

    assert store.attempt("key", RIGHT, 3).verdict is OtpVerdict.GONE


def test_keys_do_not_touch_each_other(store: OtpStore) -> None:
    store.put("one", RIGHT, 300)
    store.put("two", RIGHT, 300)
    for _ in range(3):
        store.attempt("one", WRONG, 3)

    assert store.attempt("two", RIGHT, 3).verdict is OtpVerdict.OK


def test_a_window_allows_its_limit_and_says_how_long_to_wait(bench: Bench) -> None:
    window = Window("number", 3, 900)
    assert [bench.store.take([window]) for _ in range(3)] == [0.0, 0.0, 0.0]

    assert bench.store.take([window]) == pytest.approx(900, abs=2)
    bench.pass_seconds(600)
    assert bench.store.take([window]) == pytest.approx(300, abs=2)
    bench.pass_seconds(301)
    assert bench.store.take([window]) == 0.0


def test_a_window_slides(bench: Bench) -> None:
    window = Window("number", 2, 100)
    bench.store.take([window])
    bench.pass_seconds(60)
    bench.store.take([window])
    bench.pass_seconds(50)

    assert bench.store.take([window]) == 0.0  # the first hit is 110 seconds old
    assert bench.store.take([window]) == pytest.approx(50, abs=2)  # the second is 50 seconds old


def test_a_refusal_is_not_counted(bench: Bench) -> None:
    window = Window("number", 1, 100)
    bench.store.take([window])
    for _ in range(5):
        assert bench.store.take([window]) > 0

    bench.pass_seconds(101)

    assert bench.store.take([window]) == 0.0


def test_all_windows_count_or_none(bench: Bench) -> None:
    narrow, wide = Window("number", 1, 100), Window("address", 2, 1000)
    assert bench.store.take([narrow, wide]) == 0.0

    assert bench.store.take([narrow, wide]) == pytest.approx(100, abs=2)
    assert bench.store.take([wide]) == 0.0  # the refused try above took no place here
    assert bench.store.take([narrow, wide]) == pytest.approx(1000, abs=2)  # the fullest decides


def test_one_key_may_have_a_short_and_a_long_window(bench: Bench) -> None:
    windows = [Window("number", 1, 100), Window("number", 2, 1000)]
    assert bench.store.take(windows) == 0.0
    assert bench.store.take(windows) > 0
    bench.pass_seconds(101)
    assert bench.store.take(windows) == 0.0
    bench.pass_seconds(101)

    assert bench.store.take(windows) == pytest.approx(798, abs=3)


def test_no_window_allows_and_a_window_of_nothing_refuses(store: OtpStore) -> None:
    assert store.take([]) == 0.0
    assert store.take([Window("closed", 0, 60)]) == 60


def test_100_takes_at_once_do_not_pass_a_limit_of_10(store: OtpStore) -> None:
    windows = [Window("address", 10, 3600), Window("all", 1000, 86400)]
    with ThreadPoolExecutor(50) as pool:
        waits = list(pool.map(lambda _: store.take(windows), range(100)))

    assert waits.count(0.0) == 10


def test_memory_is_bounded_by_what_is_alive() -> None:
    now = [1000.0]
    store = MemoryOtpStore(lambda: now[0])
    for number in range(20_000):
        now[0] += 1
        store.put(f"code {number}", RIGHT, 300)
        store.take([Window(f"number {number}", 5, 60)])

    assert len(store._codes) + len(store._hits) <= 2048


def test_redis_keeps_no_more_hits_than_the_limit_and_forgets_by_itself(redis_url: str) -> None:
    with connect(redis_url) as client:
        store = RedisOtpStore(client)
        store.put("key", RIGHT, 300)
        for _ in range(20):
            store.take([Window("number", 5, 60)])

        lengths = [client.llen(key) for key in client.scan_iter(_type="list")]
        lives = [client.ttl(key) for key in client.scan_iter()]
        assert lengths == [5]
        assert all(0 < life <= 300 for life in lives)
        assert len(lives) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.put("key", RIGHT, 300),
        lambda store: store.attempt("key", RIGHT, 3),
        lambda store: store.discard("key"),
        lambda store: store.take([Window("number", 5, 60)]),
    ],
    ids=["put", "attempt", "discard", "take"],
)
def test_without_redis_every_call_fails_closed(call: Callable[[OtpStore], object]) -> None:
    with connect("redis://127.0.0.1:9/0") as client, pytest.raises(ExternalServiceError) as caught:
        call(RedisOtpStore(client))

    assert (caught.value.category, caught.value.code, caught.value.status) == ("NETWORK", "API_ERROR", 502)
