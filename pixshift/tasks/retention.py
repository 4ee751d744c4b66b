"""The sweeper: what is due goes, what was lost comes back, and what waits is nudged."""

import logging
import threading

from flask import Flask

from pixshift.domain.lifecycle import SWEEP_SECONDS
from pixshift.services import leases, retention
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)


def sweep_once(app: Flask) -> None:
    """One round. Two sweepers at once do no harm: each of their writes is conditional."""
    for step in (leases.take_back_lost, _nudge_for_waiting, retention.sweep):
        with app.app_context():
            try:
                step(app.extensions["toolbox"])
            except Exception:  # whatever it was: the other steps, and the next round, must not be lost with it
                log.exception("sweep failed, the next one tries again")


def _nudge_for_waiting(toolbox: Toolbox) -> None:
    queue = toolbox.gateways.queue
    for _ in range(leases.waiting(toolbox) - queue.pending()):
        queue.nudge()


def sweep_forever(app: Flask, stop: threading.Event) -> None:
    """Every 15 s in a thread of its own (Huey's schedule knows only minutes) until ``stop`` is set."""
    while True:
        sweep_once(app)
        if stop.wait(SWEEP_SECONDS):
            return
