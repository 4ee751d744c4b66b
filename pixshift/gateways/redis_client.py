"""How PixShift talks to Redis: briefly, and never twice by itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

_CONNECT_SECONDS = 0.25
_READ_SECONDS = 0.5
_HEALTH_CHECK_SECONDS = 30
_MOST_CONNECTIONS = 512  # above the web server's threads: a waiting thread holds one


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
