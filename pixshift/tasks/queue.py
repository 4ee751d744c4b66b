"""The JobQueue port on Huey: Redis when it is configured, else a SQLite file of its own."""

import logging
import sqlite3
from collections.abc import Callable

from huey import Huey, RedisHuey, SqliteHuey
from huey.exceptions import HueyException
from huey.serializer import SignedSerializer
from redis import ConnectionPool
from redis.exceptions import RedisError

from pixshift.errors import ExternalServiceError
from pixshift.settings import Settings

log = logging.getLogger(__name__)
_AWAY = (RedisError, sqlite3.Error, OSError, HueyException)
_WEB_TIMEOUT_SECONDS = 0.5  # a person waits behind this call
_WORKER_TIMEOUT_SECONDS = 5  # longer than the worker's blocking read (1 s)


class HueyQueue:
    """``perform`` is what a worker runs for each nudge."""

    def __init__(self, settings: Settings, perform: Callable[[], None], *, for_worker: bool = False) -> None:
        self.huey = _build(settings, _WORKER_TIMEOUT_SECONDS if for_worker else _WEB_TIMEOUT_SECONDS)
        self._make_next = self.huey.task(name="make_next")(perform)

    def nudge(self, delay_seconds: float = 0) -> None:
        try:
            if delay_seconds > 0:
                self._make_next.schedule(delay=delay_seconds)
            else:
                self._make_next()
        except _AWAY as error:
            log.warning("queue away, the sweeper will find the job", extra={"error": type(error).__name__})

    def pending(self) -> int:
        try:
            return int(self.huey.pending_count())
        except _AWAY as error:
            log.warning("queue away", extra={"error": type(error).__name__})
            return 0

    def check(self) -> str:
        try:
            return f"{type(self.huey).__name__}, {self.huey.pending_count()} nudges waiting"
        except _AWAY as error:
            raise ExternalServiceError(
                f"The queue does not answer ({type(error).__name__}).", category="NETWORK"
            ) from None


def _build(settings: Settings, timeout: float) -> Huey:
    # Messages are pickles: the signature keeps whoever can write to the queue from running code in the worker.
    serializer = SignedSerializer(secret=settings.secret_key.get_secret_value(), salt="pixshift.queue")
    if settings.redis_url:
        pool = ConnectionPool.from_url(settings.redis_url, socket_connect_timeout=timeout, socket_timeout=timeout)
        return RedisHuey("pixshift", connection_pool=pool, results=False, serializer=serializer)
    file = settings.instance / "queue.sqlite3"
    file.parent.mkdir(parents=True, exist_ok=True)
    return SqliteHuey("pixshift", filename=str(file), results=False, serializer=serializer, timeout=5)
