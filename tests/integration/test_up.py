"""`flask up` as `make run` calls it: it starts, it stops, and leaves nobody behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import jobs, servers

ENV = {"PIXSHIFT_ENV": "development"}


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def has_worker(running: servers.Product) -> bool:
    return "worker ready" in running.log.read_text()


def test_up_starts_web_and_worker_and_sigterm_stops_both_and_every_helper(tmp_path: Path) -> None:
    with servers.product(tmp_path, ENV) as running:
        servers.wait_until(lambda: has_worker(running))
        started = [command_line(pid) for pid in children(running.process.pid)]
        assert [any(word in line for line in started) for word in ("granian", "worker")] == [True, True]
        assert running.stop() == 0
    servers.wait_until(lambda: not jobs.alive(running.process.pid), 5, "the end of every process")
    log = running.log.read_text()
    assert "worker stopped" in log
    assert "Traceback" not in log


def test_ctrl_c_in_a_terminal_reaches_all_of_them_at_once_and_is_a_clean_stop_too(tmp_path: Path) -> None:
    with servers.product(tmp_path, ENV) as running:
        servers.wait_until(lambda: has_worker(running))
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(20) == 0
    servers.wait_until(lambda: not jobs.alive(running.process.pid), 5, "the end of every process")
    assert "Traceback" not in running.log.read_text()


def test_a_killed_parent_leaves_no_orphan(tmp_path: Path) -> None:
    with servers.product(tmp_path, ENV) as running:
        servers.wait_until(lambda: has_worker(running))
        running.process.kill()
        running.process.wait(5)
        servers.wait_until(lambda: not jobs.alive(running.process.pid), 5, "the end of every process")


@pytest.mark.parametrize("victim", ["granian", "worker"])
def test_when_one_part_is_killed_the_other_is_stopped_and_the_port_is_free_again(tmp_path: Path, victim: str) -> None:
    with servers.product(tmp_path, ENV) as running:
        servers.wait_until(lambda: has_worker(running))
        pid = next(pid for pid in children(running.process.pid) if victim in command_line(pid))
        os.kill(pid, signal.SIGKILL)
        assert running.process.wait(20) == 1
        assert jobs.alive(running.process.pid) == []
    with socket.create_server(("127.0.0.1", int(running.env["PORT"]))):
        pass


def test_a_second_start_has_nothing_to_migrate_or_to_seed(tmp_path: Path) -> None:
    """So it takes a second, which the bench measures."""
    with servers.product(tmp_path, ENV) as first:
        assert "Running upgrade" in first.log.read_text()
    with servers.product(tmp_path, ENV) as second:
        assert "Running upgrade" not in second.log.read_text()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_is_one_clear_line_and_exit_status_one(tmp_path: Path, address: str) -> None:
    inherited = {name: os.environ[name] for name in servers.INHERITED if name in os.environ}
    with socket.create_server((address, 0)) as taken:
        port = taken.getsockname()[1]
        env = inherited | ENV | {"PORT": str(port), "PIXSHIFT_INSTANCE": str(tmp_path)}
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "up"]
        ended = subprocess.run(
            command, cwd=servers.ROOT, env=env, capture_output=True, text=True, timeout=30, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.strip() == (
        f"Error: Port {port} is in use. Stop what listens there, or set PORT to another number."
    )
