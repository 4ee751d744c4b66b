import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from pixshift.gateways.event_loop import BackgroundLoop
from tests.servers import wait_until


@pytest.fixture
def loop() -> Iterator[BackgroundLoop]:
    background = BackgroundLoop("test loop")
    yield background
    background.close()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "test loop"]


async def value_of(value: int) -> int:
    return value


async def hang(begun: threading.Event) -> None:
    begun.set()
    await asyncio.Event().wait()


def test_no_thread_runs_before_the_first_call(loop: BackgroundLoop) -> None:
    assert threads() == []


def test_many_threads_share_one_loop(loop: BackgroundLoop) -> None:
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(lambda number: loop.run(value_of(number), 5), range(200))) == list(range(200))
    assert len(threads()) == 1


def test_what_the_coroutine_raises_comes_out(loop: BackgroundLoop) -> None:
    async def fail() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        loop.run(fail(), 5)


def test_the_deadline_ends_a_coroutine_that_waits(loop: BackgroundLoop) -> None:
    began = time.monotonic()

    with pytest.raises(TimeoutError):
        loop.run(hang(threading.Event()), 0.1)

    assert 0.1 <= time.monotonic() - began < 1


def test_a_blocked_loop_does_not_hold_its_callers(loop: BackgroundLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixshift.gateways.event_loop._GRACE_SECONDS", 0.1)
    release = threading.Event()

    async def block() -> None:
        release.wait(10)

    with pytest.raises(TimeoutError):
        loop.run(block(), 0.1)
    release.set()


def test_close_cancels_what_runs_and_ends_the_thread(loop: BackgroundLoop) -> None:
    begun = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(loop.run, hang(begun), 30)
        assert begun.wait(5)
        loop.close()

        with pytest.raises(CancelledError):
            waiting.result(5)
    wait_until(lambda: threads() == [], what="the end of the thread")


def test_it_may_be_closed_twice_and_used_again(loop: BackgroundLoop) -> None:
    loop.close()
    loop.run(value_of(1), 5)
    loop.close()
    loop.close()

    assert loop.run(value_of(2), 5) == 2
