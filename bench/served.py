"""The same poll through granian and a socket: CPU of the server's processes, beside a hello served the same way."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Row, mib, side_by_side, us
from bench.requests import site
from tests import jobs, servers
from tests.conftest import migrate

TIMES = 1000  # the kernel counts CPU in steps of 10 ms: of 300 hellos that was a quarter
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def granian(target: str, env: dict[str, str]) -> Iterator[tuple[http.client.HTTPConnection, int]]:
    """A web server as `flask up` starts it; yields a connection to it and its process group."""
    port = servers.free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--blocking-threads", "256", "--no-ws", target,
    ]  # fmt: skip
    inherited = {name: os.environ[name] for name in servers.INHERITED if name in os.environ}
    process = subprocess.Popen(
        command,
        cwd=servers.ROOT,
        env=inherited | env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def answers() -> bool:
        try:
            return bool(get(connection, "/healthz"))
        except OSError:
            connection.close()
            return False

    try:
        servers.wait_until(answers, 30, "granian")
        yield connection, process.pid
    finally:
        connection.close()
        servers.end(process)


def get(connection: http.client.HTTPConnection, path: str, **headers: str) -> bytes:
    connection.request("GET", path, headers=headers)
    return connection.getresponse().read()


def cpu_of(group: int) -> float:
    """CPU seconds that all processes of a group have used."""
    return sum(cpu_of_one(pid) for pid in jobs.alive(group))


def cpu_of_one(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pss(group: int) -> int:
    """Bytes of memory of a group, what processes share counted once."""
    lines = [Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in jobs.alive(group)]
    return sum(int(line.split()[1]) * 1024 for text in lines for line in text if line.startswith("Pss:"))


def rows(folder: Path, postgres: servers.Postgres, redis_url: str) -> list[Row]:
    found = []
    with postgres.database() as name:
        migrate(postgres.url(name), folder)
        env = {
            "PIXSHIFT_ENV": "test", "PIXSHIFT_INSTANCE": str(folder / "served" / "instance"),
            "DATABASE_URL": postgres.url(name), "REDIS_URL": redis_url,
        }  # fmt: skip
        with (
            site(folder / "served", postgres.url(name), redis_url) as (_, token, job),
            granian("bench.wsgi:hello_app", {}) as (hello, hello_group),
            granian("bench.served_app:app", env) as (ours, group),
        ):
            found.append(Row("web server at start, PSS of all its processes", mib(pss(group)), reach="≤ 90 MiB"))
            headers = {"Cookie": f"session={token}"}

            def load(connection: http.client.HTTPConnection, of: int, path: str, **more: str) -> float:
                begun = cpu_of(of)
                for _ in range(TIMES):
                    get(connection, path, **more)
                return (cpu_of(of) - begun) / TIMES

            for kind, path, more in (
                ("page fragment", f"/transformations/{job}/status", headers | {"HX-Request": "true"}),
                ("JSON", f"/api/v1/transformations/{job}", headers),
            ):
                pair = side_by_side(
                    lambda path=path, more=more: load(ours, group, path, **more),
                    lambda: load(hello, hello_group, "/"),
                    rounds=5,
                )
                reference = f"Flask hello {us(pair.reference)}"
                found.append(Row(f"status poll, {kind}, served", us(pair.ours), reference, pair.ratio, "≤ 4"))
    return found
