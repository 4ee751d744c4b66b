"""Whoever holds a thread of the web server and moves next to nothing for a minute loses the connection.

The server itself waits for a body for ever, and nothing in Python interrupts its wait. But the kernel knows what moved
on each connection, and when one is shut down, the wait for it ends as if the caller had gone away. Linux only;
elsewhere, and behind a proxy that takes bodies whole before it passes them on, there is nothing to do.
"""

import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

log = logging.getLogger(__name__)
LOOK_SECONDS = 10
PATIENCE_SECONDS = 60
LEAST_BYTES = 30 * 1024  # that must have come by then, when nothing was answered: half a kilobyte a second
_MOVED = struct.Struct("120x2Q")  # of Linux' tcp_info: bytes the other side acknowledged, bytes it sent


@dataclass(frozen=True, slots=True)
class _Mark:
    taken: int
    sent: int
    at: float


class Watch:
    """The connections to one port of this process; ``clock`` counts seconds and never goes back."""

    def __init__(self, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._port, self._clock = port, clock
        self._marks: dict[object, _Mark] = {}

    def look(self) -> int:
        """Shut down what has not moved since it was marked a minute ago; the answer is how many those were."""
        now, marks, stalled = self._clock(), {}, 0
        for connection in _connections(self._port):
            with suppress(OSError):  # it ended meanwhile
                name, (taken, sent) = connection.getpeername(), _moved(connection)
                mark = self._marks.get(name)
                if mark is None or taken != mark.taken or sent - mark.sent >= LEAST_BYTES:
                    mark = _Mark(taken, sent, now)
                elif now - mark.at >= PATIENCE_SECONDS:
                    connection.shutdown(socket.SHUT_RDWR)
                    stalled += 1
                marks[name] = mark
            connection.close()
        self._marks = marks
        if stalled:
            log.warning("stalled connections closed", extra={"count": stalled})
        return stalled


def watch_for_ever(port: int, is_needed: Callable[[], bool]) -> None:
    """Look every ten seconds while threads are held, in a thread of its own that ends with the process."""
    if not hasattr(socket, "TCP_INFO") or not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - once, at the start
        return
    watch, pause = Watch(port), threading.Event()

    def run() -> None:
        while not pause.wait(LOOK_SECONDS):
            if is_needed():
                watch.look()

    threading.Thread(target=run, name="stalled", daemon=True).start()


def _connections(port: int) -> Iterator[socket.socket]:
    """A second handle of every connection that came in at this port; closing it does not close the connection."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - its entries vanish while they are read
        with suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):  # noqa: PTH115
                continue
            handle = socket.socket(fileno=os.dup(int(name)))
            is_ours = handle.family in (socket.AF_INET, socket.AF_INET6) and handle.type == socket.SOCK_STREAM
            if is_ours and handle.getsockname()[1] == port and not _listens(handle):
                yield handle
            else:
                handle.close()


def _listens(handle: socket.socket) -> bool:
    return bool(handle.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _moved(connection: socket.socket) -> tuple[int, int]:
    taken, sent = _MOVED.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _MOVED.size))
    return taken, sent
