"""A few helper processes for work that may crash, hang or eat memory, and the queue in front of them.

Every helper has a socket and a process of its own: nothing is shared, so one that dies, at work or idle, takes nothing
with it but the job it had. They are plain subprocesses, because ``multiprocessing`` would start a tracker process,
import the web server's main module again and wait for its children at exit. A helper watches its socket, so it ends
with its parent.
"""

import logging
import queue
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixshift.errors import InternalError
from pixshift.gateways import image_work

_log = logging.getLogger(__name__)
_START_SECONDS = 20.0
_SHARE_OF_WAITING = 0.6  # of a job's time; whoever stood in line so long still has half of it for the work
_ENVIRONMENT = {
    "VIPS_CONCURRENCY": "2",  # decoding and shrinking overlap: half the time for the same work
    "VIPS_DISC_THRESHOLD": "8g",  # never spill pixels to a file: the memory limit is the limit
    "VIPS_WARNING": "0",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "1048576",  # a large picture's memory goes back to the system when it is done
}


class HelperDied(Exception):
    """The helper crashed on its job."""


class HelperTooSlow(Exception):
    """The helper was stopped because its time was up."""


class PoolFull(Exception):
    """No helper came free in time."""


class Helper:
    """One process, started when it is first needed and again after it died; used by one thread at a time."""

    def __init__(self, script: Path, seconds: float, memory_bytes: int) -> None:
        self._script, self._seconds, self._memory_bytes = script, seconds, memory_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._end: weakref.finalize[..., Helper] | None = None
        self._is_ready = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> socket.socket:
        """The way to the process, which is started unless it runs; does not wait until it is ready."""
        if self._channel and self._process and self._process.poll() is None:
            return self._channel
        self.stop()
        ours, theirs = socket.socketpair()
        with theirs:
            limits = (str(theirs.fileno()), str(self._memory_bytes), str(self._seconds))
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(self._script), *limits],
                pass_fds=[theirs.fileno()],
                env=_ENVIRONMENT,  # and nothing of ours: no secret reaches a decoder
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )
        self._channel = ours
        # Also when nobody stops us: at exit, or when we are forgotten.
        self._end = weakref.finalize(self, _end, ours, self._process)
        return ours

    def run(self, job: dict[str, Any], data: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        """The helper's answer; raises HelperDied or HelperTooSlow, after which the next run starts a new process.

        Raises InternalError when it does not even start: that is nobody's photo's fault.
        """
        channel = self._ready()
        channel.settimeout(seconds)
        try:
            image_work.send(channel, job, data)
            return image_work.receive(channel)
        except TimeoutError as error:
            self.stop()
            raise HelperTooSlow from error
        except (image_work.PeerGone, OSError) as error:
            self.stop()
            raise HelperDied from error

    def _ready(self) -> socket.socket:
        channel = self.start()
        if not self._is_ready:
            channel.settimeout(_START_SECONDS)
            try:
                image_work.receive(channel)
            except (image_work.PeerGone, OSError) as error:
                self.stop()
                _log.exception("image helper does not start")
                raise InternalError from error
            self._is_ready = True
        return channel

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._is_ready = False
        if self._end is not None:
            self._end()
        self._process = self._channel = self._end = None


def _end(channel: socket.socket, process: subprocess.Popen[bytes]) -> None:
    channel.close()
    process.kill()
    process.wait()


class HelperPool:
    """``workers`` helpers, the last used first so that a quiet server needs one, and room for ``waiting`` more jobs."""

    def __init__(self, script: Path, *, workers: int, waiting: int, seconds: float, memory_bytes: int) -> None:
        self.helpers = [Helper(script, seconds, memory_bytes) for _ in range(workers)]
        self._idle: queue.LifoQueue[Helper] = queue.LifoQueue()
        for helper in self.helpers:
            self._idle.put(helper)
        self._places = threading.BoundedSemaphore(workers + waiting)
        self._seconds = seconds

    def warm(self) -> None:
        """Start the idle helpers; returns at once."""
        for helper in [self._idle.get_nowait() for _ in range(self._idle.qsize())]:
            helper.start()
            self._idle.put(helper)

    def run(self, job: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Do a job somebody waits for, who has an answer in ``seconds`` and a half, line and work together.

        Raises PoolFull when the queue is full, no helper comes free in time, or the line has eaten up the job's time:
        that is no fault of the job.
        """
        if not self._places.acquire(blocking=False):
            raise PoolFull
        ends = time.monotonic() + self._seconds + 0.5
        try:
            with self._helper(_SHARE_OF_WAITING * self._seconds) as helper:
                return self._in_time(helper, job, data, ends - time.monotonic())
        finally:
            self._places.release()

    def _in_time(self, helper: Helper, job: dict[str, Any], data: bytes, left: float) -> tuple[dict[str, Any], bytes]:
        try:
            return helper.run(job, data, min(left, self._seconds))
        except HelperTooSlow:
            if left < self._seconds:
                raise PoolFull from None
            raise

    def run_patiently(self, job: dict[str, Any], data: bytes, wait_seconds: float) -> tuple[dict[str, Any], bytes]:
        """Do a job of the background: it takes no place in the queue and waits longer. Raises PoolFull after that."""
        with self._helper(wait_seconds) as helper:
            return helper.run(job, data, self._seconds)

    @contextmanager
    def _helper(self, wait_seconds: float) -> Iterator[Helper]:
        try:
            helper = self._idle.get(timeout=wait_seconds)
        except queue.Empty:
            raise PoolFull from None
        try:
            yield helper
        finally:
            self._idle.put(helper)

    def close(self) -> None:
        """End all helpers; a job that runs fails with HelperDied."""
        for helper in self.helpers:
            helper.stop()
