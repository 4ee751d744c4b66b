"""flask up, worker, doctor: run it, and find out why it does not run."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import click
from alembic.script import ScriptDirectory
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade

from pixshift.cli.helpers import says_why, table, toolbox
from pixshift.cli.types import seed
from pixshift.services import health
from pixshift.services.health import Part
from pixshift.settings import ROOT, Settings

WEB_THREADS = 256  # slow uploads hold a thread each; a status poll must still find one
# HTTP/1.1 alone, which is what proxies speak to us: waiting to see whether HTTP/2 is spoken, the server let a silent
# connection stand for ever. Unfinished headers and idle connections end after the time given (they hold no thread);
# longer would let strangers keep more of them, shorter would end connections that a browser polls over.
_HTTP = ("--http", "1", "--http1-header-read-timeout", "30000", "--http1-buffer-size", "65536")
STOP_SECONDS = 35
_SIGNAL_AT_PARENTS_DEATH, _ADOPT_ORPHANS = 1, 36  # of linux/prctl.h


@click.command()
@with_appcontext
@says_why
def up() -> None:
    """Migrate, seed, then run web and worker together; Ctrl-C or SIGTERM stops both."""
    settings = toolbox().settings
    _require_free(settings.host, settings.port)
    with current_app.app_context():  # its end gives the database back, which the children need
        upgrade()
        seed()
    commands = [web_command(settings), [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]]
    sys.exit(_run_together(commands, settings))


def _require_free(host: str, port: int) -> None:
    """Say so before anything is started: the web server's own words for it are a traceback."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"Port {port} is in use. Stop what listens there, or set PORT to another number."
        else:
            message = f"Cannot listen at {host}, port {port}: {error.strerror or error}."
        raise click.ClickException(message) from None


def web_command(settings: Settings) -> list[str]:
    """The web server as it must be started, see the comments above."""
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", settings.host,
        "--port", str(settings.port), "--workers", str(settings.web_concurrency),
        "--blocking-threads", str(WEB_THREADS), "--no-ws", *_HTTP, "--workers-kill-timeout", "20", "wsgi:app",
    ]  # fmt: skip


def _run_together(commands: list[list[str]], settings: Settings) -> int:
    """Start all.

    When one ends or we are told to stop, stop the others. Exit status 0 only for a stop that was asked for.
    """
    stopping = threading.Event()
    asked: list[int] = []

    def stop(number: int, _frame: object) -> None:
        asked.append(number)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    _control(_ADOPT_ORPHANS, 1)
    children = [
        subprocess.Popen(command, cwd=ROOT, preexec_fn=_follow_parent)  # noqa: PLW1509 - no other thread runs here
        for command in commands
    ]
    click.echo(f"PixShift is at {settings.app_url} - Ctrl-C stops it.", err=True)
    while not stopping.wait(0.2):
        if ended := [str(child.args[-1]) for child in children if child.poll() is not None]:  # type: ignore[index]
            click.echo(f"{', '.join(ended)} ended by itself: PixShift stops.", err=True)
            break
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    for child in children:
        _wait_or_kill(child)
    _end_orphans()
    return 0 if asked else 1


def _wait_or_kill(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _follow_parent() -> None:
    """In the child: the parent alone says when to stop, and its death says so too.

    A terminal's Ctrl-C reaches everybody at once; the web server, told twice, hung. And an orphan would keep the port
    and take jobs.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    _control(_SIGNAL_AT_PARENTS_DEATH, signal.SIGTERM)


def _end_orphans() -> None:
    """What a child that was killed left behind: a web server's own process would keep the port for ever."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    for pid in map(int, children.read_text().split() if children.exists() else []):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _control(option: int, value: int) -> None:
    """prctl(2): Linux only, elsewhere nothing is done."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 512), help="Jobs in flight; default WORKER_CONCURRENCY.")
@with_appcontext
@says_why
def worker(concurrency: int | None) -> None:
    """Make pictures until told to stop; SIGTERM finishes what runs, or hands it back, within 30 s."""
    current_app.extensions["worker"](concurrency or toolbox().settings.worker_concurrency)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_appcontext
@says_why
def doctor(as_json: bool) -> None:
    """Check configuration, database, migrations, queue, storage, vendors, and that pictures go and jobs are made.

    Exit status 1 if anything is wrong.
    """
    tools = toolbox()
    parts = [Part("configuration", True, tools.settings.env), *health.parts(tools), _migrations()]
    parts += [*health.promises(tools), *health.vendors(tools)]
    if as_json:
        said = [{"name": part.name, "ok": part.is_ok, "says": part.line} for part in parts]
        click.echo(json.dumps({"parts": said}, indent=2))
    else:
        rows = [[part.name, "ok" if part.is_ok else "WRONG", part.line] for part in parts]
        table(["PART", "STATE", "SAYS"], rows)
    if not all(part.is_ok for part in parts):
        raise click.ClickException("Something is wrong; the table says what.")


def _migrations() -> Part:
    """Whether the database is at the newest migration this version brings."""
    newest = ScriptDirectory(str(ROOT / "migrations")).get_current_head() or "none"
    current = health.migration()
    if current == newest:
        return Part("migrations", True, f"at the newest, {newest}")
    return Part("migrations", False, f"at {current or 'none'}, the newest is {newest}: run `flask db upgrade`")
