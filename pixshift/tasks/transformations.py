"""Making pictures, and keeping hold of the ones in hand."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from pixshift.domain.lifecycle import HEARTBEAT_SECONDS
from pixshift.services import jobs, leases
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


in_hand = JobsInHand()


def make_next(app: Flask) -> None:
    """Claim the fairest due job and make it; nothing happens when none is due."""
    with app.app_context():
        toolbox: Toolbox = app.extensions["toolbox"]
        job = leases.claim(toolbox)
        if job is not None:
            with in_hand.holding(job.lease):
                jobs.make(toolbox, job)


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
