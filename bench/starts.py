"""What a first visit weighs, and how long commands take to start."""

import gzip
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import wsgi
from bench.measure import Row, kb
from bench.requests import site
from tests import servers
from tests.conftest import migrate

_FILES = re.compile(rb'(?:href|src)="(/static/[^"]+\.(?:css|js|svg))"')


def rows(folder: Path) -> list[Row]:
    return [*_first_visits(folder), _help(folder), _second_start(folder)]


def _first_visits(folder: Path) -> list[Row]:
    file = f"sqlite:///{folder / 'visit.sqlite3'}"
    migrate(file, folder)
    found = []
    with site(folder / "visit", file, "") as (app, token, _):
        for path in ("/transform", "/", "/login"):
            cookie = {"Cookie": f"session={token}"} if path == "/transform" else {}
            _, _, page = wsgi.request(app, path, **cookie)
            sizes = {"html": _zipped(page)}
            for address in sorted(set(_FILES.findall(page))):
                kind = address.rpartition(b".")[2].decode()
                sizes[kind] = sizes.get(kind, 0) + _zipped(wsgi.request(app, address.decode())[2])
            parts = ", ".join(f"{kind} {kb(size)}" for kind, size in sizes.items())
            reach = "≤ 31 kB, script ≤ 15 kB" if path == "/transform" else ""
            found.append(Row(f"first visit of {path}, gzip", kb(sum(sizes.values())), parts, reach=reach))
    return found


def _zipped(content: bytes) -> int:
    return len(gzip.compress(content, 6))


def _help(folder: Path) -> Row:
    inherited = {name: os.environ[name] for name in servers.INHERITED if name in os.environ}
    env = inherited | {"PIXSHIFT_ENV": "test", "PIXSHIFT_INSTANCE": str(folder / "help")}

    def seconds(*words: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, *words], cwd=servers.ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begun

    seconds("-c", "import flask")
    pairs = [(seconds("-m", "flask", "--app", "wsgi", "--help"), seconds("-c", "import flask")) for _ in range(5)]
    ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row("flask --help", f"{ours:.2f} s", f"import flask {bare:.2f} s", ours / bare, "≤ 0.6 s")


def _second_start(folder: Path) -> Row:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        with servers.product(folder / "up", {"PIXSHIFT_ENV": "development"}):
            times.append(time.perf_counter() - begun)
    first, *later = times
    return Row("flask up, second start until /healthz", f"{min(later):.2f} s", f"first {first:.2f} s", reach="< 5 s")
