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
from pathlib import Path
from typing import Any

from pixshift.gateways import image_work

_START_SECONDS = 20.0
_VIPS = {
    "VIPS_CONCURRENCY": "2",  # decoding and shrinking overlap: half the time for the same work
    "VIPS_DISC_THRESHOLD": "8g",  # never spill pixels to a file: the memory limit is the limit
    "VIPS_WARNING": "0",
    "MALLOC_ARENA_MAX": "2",
}
_log = logging.getLogger(__name__)


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
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
                [sys.executable, "-I", str(self._script), *limits],
                pass_fds=[theirs.fileno()],
                env=_VIPS,  # and nothing of ours: no secret reaches a decoder
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )
        self._channel = ours
        return ours

    def run(self, job: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """The helper's answer; raises HelperDied or HelperTooSlow, after which the next run starts a new process."""
        channel = self.start()
        try:
            self._wait_until_ready(channel)
            channel.settimeout(self._seconds)
            image_work.send(channel, job, data)
            return image_work.receive(channel)
        except TimeoutError as error:
            self.stop()
            raise HelperTooSlow from error
        except (image_work.PeerGone, OSError) as error:
            self.stop()
            raise HelperDied from error

    def _wait_until_ready(self, channel: socket.socket) -> None:
        if not self._is_ready:
            channel.settimeout(_START_SECONDS)
            image_work.receive(channel)
            self._is_ready = True

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._is_ready = False
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            code = self._process.wait()
            _log.debug("image helper ended", extra={"exit_code": code})
            self._process = None


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
        """Do a job somebody waits for; raises PoolFull when the queue is full or no helper comes free in time."""
        if not self._places.acquire(blocking=False):
            raise PoolFull
        try:
            return self.run_patiently(job, data, self._seconds)
        finally:
            self._places.release()

    def run_patiently(self, job: dict[str, Any], data: bytes, wait_seconds: float) -> tuple[dict[str, Any], bytes]:
        """Do a job of the background: it takes no place in the queue and waits longer. Raises PoolFull after that."""
        try:
            helper = self._idle.get(timeout=wait_seconds)
        except queue.Empty:
            raise PoolFull from None
        try:
            return helper.run(job, data)
        finally:
            self._idle.put(helper)

    def close(self) -> None:
        """End all helpers; a job that runs fails with HelperDied."""
        for helper in self.helpers:
            helper.stop()
