"""How much memory the web server's own process and its helpers take, looked at ten times a second."""

import threading
from contextlib import suppress
from pathlib import Path

from tests import jobs

MIB = 1024 * 1024


def web_process(group: int) -> int:
    """The granian process that serves requests: the one whose parent is a granian too; 0 when there is none."""
    commands = {pid: _command(pid) for pid in jobs.alive(group)}
    granians = {pid for pid, command in commands.items() if "granian" in command}
    return next((pid for pid in granians if _parent(pid) in granians), 0)


def helpers_of(parent: int) -> list[int]:
    """The decoding processes of a web process that run right now."""
    with suppress(OSError):
        tasks = Path(f"/proc/{parent}/task")
        children = {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}
        return [pid for pid in children if "image_work" in _command(pid)]
    return []


def resident(pid: int) -> int:
    """Bytes in memory; 0 for a process that is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


class Watch:
    """Remembers the most that a web process and its helpers took while it was on."""

    def __init__(self, web: int) -> None:
        self.web, self.start = web, resident(web)
        self.peak = self.helpers_peak = 0
        self._off = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._off.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            self.peak = max(self.peak, resident(self.web))
            self.helpers_peak = max(self.helpers_peak, sum(map(resident, helpers_of(self.web))))
            if self._off.wait(0.1):
                return

    @property
    def grown(self) -> float:
        """MiB above the start, at the peak."""
        return (self.peak - self.start) / MIB

    @property
    def kept(self) -> float:
        """MiB above the start, now."""
        return (resident(self.web) - self.start) / MIB
