"""How many slow callers may hold a thread of the web server at once.

A thread waits for whoever sends a body or takes a large picture slowly, as long as anything moves. Some threads are
never theirs, so that pages, polls and probes are answered whoever else is here.
"""

import threading
from collections import Counter

from flask import Flask, current_app, g, request

from pixshift.blueprints import stalled
from pixshift.blueprints.helpers import address
from pixshift.domain.otp import address_block
from pixshift.errors import RateLimitExceeded

ALL = 224  # of the web server's 256 threads, see cli/operations.py
EACH = 32  # pictures that one person takes at once
EACH_ADDRESS = 208  # bodies that one address sends at once: there may be a whole company behind it, but not everybody


class Places:
    """Counts who holds a thread; one for each application."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._is_watched = False

    @property
    def taken(self) -> int:
        return self._taken.total()

    def take(self, owner: str, limit: int = ALL) -> None:
        """Raises RateLimitExceeded when all places are taken, or this owner has as many as ``limit``."""
        with self._lock:
            if self._taken[owner] >= limit:
                raise RateLimitExceeded("Too many at once from you. Wait until one is done.", retry_after=2)
            if self.taken >= ALL:
                raise RateLimitExceeded("Very many are here right now. Please try again in a moment.", retry_after=2)
            self._taken[owner] += 1

    def watch(self, port: int) -> None:
        """From now on, end the connections of those who hold a place and move nothing."""
        with self._lock:
            is_watched, self._is_watched = self._is_watched, True
        if not is_watched:
            stalled.watch_for_ever(port, lambda: self.taken > 0)

    def give_back(self, owner: str) -> None:
        with self._lock:
            self._taken[owner] -= 1
            if self._taken[owner] <= 0:
                del self._taken[owner]


def of(app: Flask) -> Places:
    places: Places = app.extensions["places"]
    return places


def init_app(app: Flask) -> None:
    app.extensions["places"] = Places()
    app.before_request(_enter)
    app.teardown_request(_leave)


def _enter() -> None:
    """A request with a body takes a place until it is answered; one that finds none is refused unread."""
    if request.environ.get("SERVER_SOFTWARE") == "Granian":
        of(current_app).watch(_own_port())
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        return
    g.is_unread = True
    sender = f"bodies from {address_block(address())}"
    of(current_app).take(sender, EACH_ADDRESS)
    g.is_unread, g.place = False, sender


def _own_port() -> int:
    """Where the server listens, whatever a proxy in front or the caller says of it."""
    as_it_came = request.environ.get("werkzeug.proxy_fix.orig", request.environ)
    return int(as_it_came["SERVER_PORT"])


def _leave(_error: BaseException | None) -> None:
    if sender := g.pop("place", None):
        of(current_app).give_back(sender)
