"""Making pictures, and keeping hold of the ones in hand."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from pixshift.domain.lifecycle import HEARTBEAT_SECONDS
from pixshift.gateways.ports import JobQueue
from pixshift.services import circuits, jobs, leases
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)


class JobsInHand:
    """The leases this process holds: prolonged by a thread of their own, handed back when the worker must stop."""

    def __init__(self) -> None:
        self._leases: set[UUID] = set()
        self._lock = threading.Lock()

    @contextmanager
    def holding(self, lease: UUID) -> Iterator[None]:
        with self._lock:
            self._leases.add(lease)
        try:
            yield
        finally:
            with self._lock:
                self._leases.discard(lease)

    def current(self) -> list[UUID]:
        with self._lock:
            return list(self._leases)


class Alarm:
    """Wakes this process when a model may be asked again: the nudges that came too early are gone by then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rings_at: float | None = None  # in ticks; None: no model is left alone

    def set(self, queue: JobQueue, seconds: float) -> None:
        """One nudge in so many seconds, however many find a closed door."""
        now = time.monotonic()
        with self._lock:
            if self._rings_at is not None and now < self._rings_at <= now + seconds:
                return
            self._rings_at = now + seconds
        queue.nudge(seconds)

    def pass_on(self, queue: JobQueue) -> None:
        """Whoever was woken and found a job wakes the next one, until nobody finds any."""
        if self._rings_at is not None:
            queue.nudge()

    def clear(self) -> None:
        with self._lock:
            self._rings_at = None


in_hand = JobsInHand()
alarm = Alarm()


def make_next(app: Flask) -> None:
    """Claim the fairest due job and make it; nothing happens when none is due."""
    with app.app_context():
        toolbox: Toolbox = app.extensions["toolbox"]
        job = leases.claim(toolbox)
        if job is None:
            _wait_for_models(toolbox)
            return
        alarm.pass_on(toolbox.gateways.queue)
        with in_hand.holding(job.lease):
            jobs.make(toolbox, job)


def _wait_for_models(toolbox: Toolbox) -> None:
    seconds = circuits.pause_seconds(toolbox)
    if seconds is None:
        alarm.clear()
    else:
        alarm.set(toolbox.gateways.queue, seconds)


def beat(app: Flask, stop: threading.Event) -> None:
    """Prolong the leases in hand until ``stop`` is set; a beat that fails is made good by the next one."""
    while not stop.wait(HEARTBEAT_SECONDS):
        held = in_hand.current()
        if held:
            with app.app_context():
                try:
                    leases.renew(app.extensions["toolbox"], held)
                except Exception:  # whatever it was: without heartbeats every picture in hand is made twice
                    log.exception("heartbeat failed")


def hand_back_all(app: Flask) -> None:
    """For a worker that stops; a job that cannot be handed back now comes back when its lease runs out."""
    for lease in in_hand.current():
        with app.app_context():
            try:
                leases.hand_back(app.extensions["toolbox"], lease)
            except SQLAlchemyError:
                log.exception("job not handed back")
