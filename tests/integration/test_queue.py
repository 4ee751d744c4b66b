"""The queue: a nudge arrives soon, and its absence is nobody's trouble."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from pixshift.errors import ExternalServiceError
from pixshift.settings import Settings, load_settings
from pixshift.tasks.queue import HueyQueue
from tests import servers

MakeQueue = Callable[..., HueyQueue]
NOWHERE = "redis://127.0.0.1:1/0"


def settings(folder: Path, redis_url: str = "", secret: str = "s" * 32) -> Settings:
    environ = {"PIXSHIFT_ENV": "test", "PIXSHIFT_INSTANCE": str(folder), "SECRET_KEY": secret, "REDIS_URL": redis_url}
    return load_settings(environ)


@pytest.fixture(params=["redis", "sqlite"])
def chosen(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """The settings of a queue on Redis, and of one in a SQLite file."""
    return settings(tmp_path, request.getfixturevalue("redis_url") if request.param == "redis" else "")


@contextmanager
def consuming(queue: HueyQueue) -> Iterator[None]:
    """A consumer's threads in this process, without its signals."""
    consumer = queue.huey.create_consumer(workers=2, periodic=False, initial_delay=0.02, max_delay=0.05)
    consumer._set_signal_handlers = lambda: None
    consumer.start()
    try:
        yield
    finally:
        consumer.stop(graceful=True)


def test_every_nudge_wakes_a_worker_once(chosen: Settings) -> None:
    woken: list[float] = []
    sender = HueyQueue(chosen, lambda: None)
    receiver = HueyQueue(chosen, lambda: woken.append(time.monotonic()), for_worker=True)
    for _ in range(20):
        sender.nudge()
    assert sender.pending() == 20
    with consuming(receiver):
        servers.wait_until(lambda: len(woken) == 20)
    assert (len(woken), sender.pending()) == (20, 0)


def test_a_nudge_with_a_delay_comes_later(chosen: Settings) -> None:
    woken: list[float] = []
    queue = HueyQueue(chosen, lambda: woken.append(time.monotonic()), for_worker=True)
    begun = time.monotonic()
    with consuming(queue):
        queue.nudge(1.2)
        queue.nudge()
        servers.wait_until(lambda: len(woken) == 2)
    assert woken[0] - begun < 1.0
    assert woken[1] - begun >= 1.0


def test_an_idle_worker_keeps_its_connection_to_redis(redis_url: str, tmp_path: Path) -> None:
    """A worker that gives up reading before Redis stops waiting reconnects all the time and loses nudges."""
    queue = HueyQueue(settings(tmp_path, redis_url), lambda: None, for_worker=True)
    with redis.Redis.from_url(redis_url) as client, consuming(queue):
        servers.wait_until(lambda: int(client.info("clients")["blocked_clients"]) >= 2)
        before = int(client.info("stats")["total_connections_received"])
        two_seconds_later = time.monotonic() + 2
        servers.wait_until(lambda: time.monotonic() > two_seconds_later)
        assert int(client.info("stats")["total_connections_received"]) - before <= 1


def test_a_message_that_we_did_not_sign_is_not_run(chosen: Settings, tmp_path: Path) -> None:
    """Messages are pickles: whoever can write to the queue must not get to run code with them."""
    woken: list[int] = []
    stranger = HueyQueue(
        chosen.model_copy(update={"secret_key": settings(tmp_path, secret="x" * 32).secret_key}), print
    )
    receiver = HueyQueue(chosen, lambda: woken.append(1), for_worker=True)
    logging.getLogger("huey").setLevel(logging.CRITICAL)
    try:
        stranger.nudge()
        receiver.nudge()
        with consuming(receiver):
            servers.wait_until(lambda: receiver.pending() == 0 and woken)
        assert woken == [1]
    finally:
        logging.getLogger("huey").setLevel(logging.WARNING)


def test_a_queue_that_is_away_never_raises_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    queue = HueyQueue(settings(tmp_path, NOWHERE), lambda: None)
    begun = time.monotonic()
    queue.nudge()
    queue.nudge(5)
    assert queue.pending() == 0
    assert time.monotonic() - begun < 3


def test_money_is_looked_after_by_a_task_of_its_own(chosen: Settings) -> None:
    done: list[str] = []
    sender = HueyQueue(chosen, lambda: None)
    receiver = HueyQueue(chosen, lambda: done.append("picture"), lambda: done.append("money"), for_worker=True)
    sender.tend()
    assert sender.pending() == 1
    with consuming(receiver):
        servers.wait_until(lambda: bool(done))
        servers.wait_until(lambda: receiver.pending() == 0)
    assert done == ["money"]


def test_while_the_queue_is_away_money_is_looked_after_later_and_nobody_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    queue = HueyQueue(settings(tmp_path, NOWHERE), lambda: None)
    begun = time.monotonic()
    queue.tend()
    assert time.monotonic() - begun < 3
    (said,) = [record for record in caplog.records if "money is looked after" in record.message]
    assert (said.levelname, said.__dict__["error"]) == ("WARNING", "ConnectionError")


def test_a_queue_that_is_away_is_named_by_its_check(tmp_path: Path) -> None:
    with pytest.raises(ExternalServiceError, match="queue does not answer"):
        HueyQueue(settings(tmp_path, NOWHERE), lambda: None).check()


def test_a_queue_file_that_cannot_be_written_never_raises_either(tmp_path: Path) -> None:
    queue = HueyQueue(settings(tmp_path), lambda: None)
    assert queue.check() == "SqliteHuey, 0 nudges waiting"
    (tmp_path / "queue.sqlite3").unlink()
    (tmp_path / "queue.sqlite3").mkdir()
    queue.huey.storage.close()
    queue.nudge()
    assert queue.pending() == 0


def test_a_check_says_which_queue_it_is_and_how_much_waits(chosen: Settings) -> None:
    queue = HueyQueue(chosen, lambda: None)
    queue.nudge()
    assert queue.check() in ("RedisHuey, 1 nudges waiting", "SqliteHuey, 1 nudges waiting")
