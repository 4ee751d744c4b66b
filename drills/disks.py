"""A disk that can be full: a small one of its own where we may mount it, else a limit on the size of any file."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MEGABYTES = 64
_SMALL = 1024  # bytes: no photo or picture is that small
_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@dataclass(frozen=True)
class Disk:
    """``kind`` says how it is filled."""

    folder: Path
    is_real: bool

    @property
    def kind(self) -> str:
        return "a real one" if self.is_real else "as a limit of file size"

    @contextmanager
    def full(self, users: list[int]) -> Iterator[None]:
        """Nothing more can be written here by the processes ``users``."""
        if self.is_real:
            ballast = self.folder / "ballast"
            try:
                _fill(ballast)
                yield
            finally:
                ballast.unlink()
            return
        try:
            _limit(users, (_SMALL, resource.RLIM_INFINITY))
            yield
        finally:
            _limit(users, _UNLIMITED)


@contextmanager
def small_disk(folder: Path, *, wanted: bool) -> Iterator[Disk]:
    """``folder``, made here, on a disk of its own when that is ``wanted`` and allowed (root on Linux)."""
    folder.mkdir(parents=True)
    is_real = wanted and os.geteuid() == 0 and _mounted(folder)
    try:
        yield Disk(folder, is_real)
    finally:
        if is_real:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mounted(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _fill(file: Path) -> None:
    """Down to the last byte: large pieces first, then small ones."""
    for size in (1024 * 1024, 4096, 1):
        with suppress(OSError), file.open("ab", buffering=0) as handle:
            while True:
                handle.write(bytes(size))


def _limit(processes: list[int], limits: tuple[int, int]) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
