"""Whether the parts we depend on answer, and whether what we promise is kept."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from pixshift.domain.lifecycle import Status
from pixshift.domain.roles import AuthProvider
from pixshift.errors import InternalError, PixShiftError
from pixshift.models import Transformation
from pixshift.models.base import read_rows
from pixshift.services import circuits, payment_health, retention, sms
from pixshift.services.toolbox import Toolbox

_PROVIDERS = {AuthProvider.GMAIL: "Google", AuthProvider.FACEBOOK: "Facebook"}
_WAITS_LONG, _LOST_LONG = timedelta(minutes=2), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Part:
    """One dependency or promise: its name, whether all is well, and a line about it."""

    name: str
    is_ok: bool
    line: str


class _Question:
    """One asking of a slow part, in a thread of its own; ``answer`` is None until it came."""

    def __init__(self, name: str, check: Callable[[], str]) -> None:
        self.name, self.begun, self.ended = name, time.monotonic(), 0.0
        self.answer: Part | None = None
        self._came = threading.Event()
        threading.Thread(target=self._run, args=(check,), daemon=True).start()

    def _run(self, check: Callable[[], str]) -> None:
        try:
            answer = _ask(self.name, check)
        except Exception as error:  # without an answer nobody would ever ask again
            answer = _silent(self.name, error)
        self.ended, self.answer = time.monotonic(), answer
        self._came.set()

    def wait(self, seconds: float) -> Part:
        self._came.wait(max(0.0, self.begun + seconds - time.monotonic()))
        return self.answer or Part(self.name, False, f"has not answered for {seconds:g} s")


class Probe:
    """A slow part asked by whoever likes: one question at a time, its answer good for 5 s, waited for at most 3 s."""

    FRESH_SECONDS, PATIENCE_SECONDS = 5.0, 3.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: _Question | None = None

    def ask(self, name: str, check: Callable[[], str]) -> Part:
        with self._lock:
            last = self._last
            if last is None or (last.answer and time.monotonic() > last.ended + self.FRESH_SECONDS):
                self._last = last = _Question(name, check)
        return last.wait(self.PATIENCE_SECONDS)


def ready(toolbox: Toolbox, storage: Probe) -> list[Part]:
    """What every request depends on, for everybody to ask as often as they like."""
    return [*_quick(toolbox), storage.ask("storage", toolbox.gateways.storage.check)]


def parts(toolbox: Toolbox) -> list[Part]:
    """What every request depends on, asked now."""
    return [*_quick(toolbox), _ask("storage", toolbox.gateways.storage.check)]


def _quick(toolbox: Toolbox) -> list[Part]:
    return [_ask("database", _database), _ask("queue", toolbox.gateways.queue.check)]


def promises(toolbox: Toolbox) -> list[Part]:
    """Whether pictures go in time, and jobs are taken and not forgotten."""
    now = toolbox.now()
    return [
        _ask("deletion", partial(_deletion, now)),
        _ask("jobs", partial(_jobs, now)),
        _ask("circuits", partial(_circuits, now)),
        _ask("SMS use", partial(sms.conversion_line, toolbox)),
        _ask("SMS spend", partial(sms.spend_line, toolbox)),
    ]


def vendors(toolbox: Toolbox) -> list[Part]:
    """Whom we call: the image model, the SMS sender, and whoever else people may sign in with."""
    logins = [_ask(f"sign-in with {_PROVIDERS[key]}", one.check) for key, one in toolbox.gateways.oauth.items()]
    money = [_ask(name, check) for name, check in payment_health.checks(toolbox)]
    return [
        _ask("image model", toolbox.gateways.editor.check),
        _ask("SMS", toolbox.gateways.sms.check),
        *logins,
        *money,
    ]


def _ask(name: str, check: Callable[[], str]) -> Part:
    try:
        return Part(name, True, check())
    except PixShiftError as error:
        return Part(name, False, error.message)
    except SQLAlchemyError as error:
        return _silent(name, error)


def _silent(name: str, error: Exception) -> Part:
    return Part(name, False, f"does not answer ({type(error).__name__})")


def migration() -> str | None:
    """The migration the database is at; None when it has none or does not answer."""
    try:
        return _revision()
    except SQLAlchemyError:
        return None


def _database() -> str:
    return f"migrated to {_revision()}"


def _revision() -> str | None:
    rows = read_rows(text("SELECT version_num FROM alembic_version"))
    return str(rows[0][0]) if rows else None


def _deletion(now: datetime) -> str:
    count, since = retention.overdue(now)
    if since is not None:
        raise InternalError(f"{count} overdue, for up to {_minutes(now - since)}: is a worker running? see its log")
    return "nothing overdue"


def _jobs(now: datetime) -> str:
    lease, working = Transformation.lease_expires_at, Transformation.status == Status.PROCESSING
    held, lost, lost_at = read_rows(
        select(
            func.count().filter(lease > now),
            func.count().filter(lease <= now - _LOST_LONG),
            func.min(lease),
        ).where(working)
    )[0]
    waiting, since = read_rows(
        select(func.count(), func.min(Transformation.due_at)).where(
            Transformation.status == Status.PENDING, Transformation.due_at <= now - _WAITS_LONG
        )
    )[0]
    if lost:
        raise InternalError(f"{lost} of lost workers, for up to {_minutes(now - lost_at)}: is a worker running?")
    # A long queue is no fault while somebody works on it, or while the model is left alone.
    if waiting and not held and not circuits.open_circuits(now):
        raise InternalError(
            f"{waiting} wait, for up to {_minutes(now - since)}, and none is made: is a worker running?"
        )
    return f"{held} being made, {waiting} waiting for longer than 2 min"


def _circuits(now: datetime) -> str:
    failing = [f"{model} fails since {opened_at:%H:%M} UTC" for model, opened_at, _ in circuits.open_circuits(now)]
    if failing:
        raise InternalError(f"{', '.join(failing)}: its jobs wait, one in ten seconds tries")
    return "every model answers"


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} min"
