"""A machine whose clock is wrong: ``python drills/skewed.py SECONDS <what flask is told>`` runs our commands under it.

Every way in which Python code reads the time of day is moved by so many seconds, before anything else is loaded;
what measures how time passes (``time.monotonic``) stays right, as it does on such a machine.
"""

import datetime as dt
import sys
import time
from pathlib import Path
from typing import Any

OFFSET = dt.timedelta(seconds=float(sys.argv.pop(1)))
_Real, _real_time = dt.datetime, time.time


class _AnyDatetime(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, _Real)


class _Wrong(_Real, metaclass=_AnyDatetime):
    """Answers the wrong time as ordinary values."""

    __slots__ = ()  # some libraries written in C compare its size

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return _Real.now(tz) + OFFSET

    @classmethod
    def utcnow(cls) -> Any:
        return _Real.now(dt.UTC).replace(tzinfo=None) + OFFSET


dt.datetime = _Wrong  # type: ignore[misc]
time.time = lambda: _real_time() + OFFSET.total_seconds()
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from flask.cli import main  # noqa: E402 - only now

main()
