"""The JobQueue port on Huey: Redis when it is configured, else a SQLite file of its own."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pixshift.errors import ExternalServiceError
from pixshift.settings import Settings

if TYPE_CHECKING:
    from huey import Huey

log = logging.getLogger(__name__)
_WEB_TIMEOUT_SECONDS = 0.5  # a person waits behind this call
_WORKER_TIMEOUT_SECONDS = 5  # longer than the worker's blocking read (1 s)


class HueyQueue:
    """``perform`` is what a worker runs for each nudge. Huey is loaded at its first use: a command may not need it."""

    def __init__(
        self,
        settings: Settings,
        perform: Callable[[], None],
        look_after_money: Callable[[], None] | None = None,
        *,
        for_worker: bool = False,
    ) -> None:
        self._settings, self._perform = settings, perform
        self._look_after_money = look_after_money or perform
        self._timeout = _WORKER_TIMEOUT_SECONDS if for_worker else _WEB_TIMEOUT_SECONDS
        self._lock = threading.Lock()
        self._built: tuple[Huey, Any, Any] | None = None

    @property
    def huey(self) -> "Huey":
        return self._parts()[0]

    def _parts(self) -> tuple["Huey", Any, Any]:
        """Huey itself, and the two tasks it knows."""
        with self._lock:
            if self._built is None:
                huey = _build(self._settings, self._timeout)
                make_next = huey.task(name="make_next")(self._perform)
                self._built = huey, make_next, huey.task(name="tend")(self._look_after_money)
            return self._built

    def nudge(self, delay_seconds: float = 0) -> None:
        try:
            _, make_next, _ = self._parts()
            if delay_seconds > 0:
                make_next.schedule(delay=delay_seconds)
            else:
                make_next()
        except Exception as error:  # whatever Huey, Redis or SQLite raise: the row is there, only the nudge is lost
            log.warning("queue away, the sweeper will find the job", extra={"error": type(error).__name__})

    def tend(self) -> None:
        try:
            self._parts()[2]()
        except Exception as error:  # as above: what is to be done is in the database
            log.warning("queue away, money is looked after a little later", extra={"error": type(error).__name__})

    def pending(self) -> int:
        try:
            return int(self.huey.pending_count())
        except Exception as error:
            log.warning("queue away", extra={"error": type(error).__name__})
            return 0

    def check(self) -> str:
        try:
            return f"{type(self.huey).__name__}, {self.huey.pending_count()} nudges waiting"
        except Exception as error:
            message = f"The queue does not answer ({type(error).__name__})."
            raise ExternalServiceError(message, category="NETWORK") from None


def _build(settings: Settings, timeout: float) -> "Huey":
    from huey import RedisHuey, SqliteHuey
    from huey.serializer import SignedSerializer
    from redis import ConnectionPool

    # Messages are pickles: the signature keeps whoever can write to the queue from running code in the worker.
    serializer = SignedSerializer(secret=settings.secret_key.get_secret_value(), salt="pixshift.queue")
    if settings.redis_url:
        pool = ConnectionPool.from_url(settings.redis_url, socket_connect_timeout=timeout, socket_timeout=timeout)
        return RedisHuey("pixshift", connection_pool=pool, results=False, serializer=serializer)
    file = settings.instance / "queue.sqlite3"
    file.parent.mkdir(parents=True, exist_ok=True)
    return SqliteHuey("pixshift", filename=str(file), results=False, serializer=serializer, timeout=5)
