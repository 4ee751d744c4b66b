"""How PixShift talks to Redis: briefly, and never twice by itself."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from redis import Redis

_T = TypeVar("_T")

_CONNECT_SECONDS = 0.25
_READ_SECONDS = 0.5
_HEALTH_CHECK_SECONDS = 30
_MOST_CONNECTIONS = 512  # above the web server's threads: a waiting thread holds one
_PAUSE_SECONDS = 1.0
_NOW = 0.0  # when to try again as long as Redis is well


def connect(url: str) -> "Redis":
    """A client for ``redis://``, ``rediss://`` or ``unix://`` that connects with its first command.

    Its answers are text. A command is not repeated: a code's try that was counted must not be counted again because
    the answer was lost. A connection the server closed meanwhile is noticed and replaced before a command is sent.
    """
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(
        url,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_READ_SECONDS,
        health_check_interval=_HEALTH_CHECK_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=_MOST_CONNECTIONS,
        decode_responses=True,
    )


class BestEffort:
    """Commands of a cache, which may fail: then the answer is None, and reads leave Redis alone for a second.

    So a dead Redis costs little; ``name`` is what the log calls it, once per outage.
    """

    def __init__(self, name: str, logger: logging.Logger, clock: Callable[[], float]) -> None:
        self._name, self._logger, self._clock = name, logger, clock
        self._lock = threading.Lock()
        self._try_again_at = _NOW

    def read(self, command: Callable[[], _T]) -> _T | None:
        """What may as well not be asked now."""
        return None if self._is_paused() else self.attempt(command)

    def attempt(self, command: Callable[[], _T]) -> _T | None:
        """What is tried in any case."""
        from redis.exceptions import RedisError

        try:
            result = command()
        except RedisError as error:
            self._note_failure(error)
            return None
        if self._try_again_at != _NOW:
            self._try_again_at = _NOW
            self._logger.warning("%s is back", self._name)
        return result

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

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            if self._try_again_at == _NOW:
                self._logger.warning("%s is away: %s", self._name, type(error).__name__)
            self._try_again_at = self._clock() + _PAUSE_SECONDS
