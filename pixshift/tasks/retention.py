"""The sweeper: what is due goes, what was lost comes back, and what waits is nudged."""

import logging
import threading

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from pixshift.domain.lifecycle import SWEEP_SECONDS
from pixshift.errors import PixShiftError
from pixshift.services import leases, retention
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)


def sweep_once(app: Flask) -> None:
    """One round. Two sweepers at once do no harm: each of their writes is conditional."""
    with app.app_context():
        toolbox: Toolbox = app.extensions["toolbox"]
        leases.take_back_lost(toolbox)
        missing = leases.waiting(toolbox) - toolbox.gateways.queue.pending()
        for _ in range(missing):
            toolbox.gateways.queue.nudge()
        retention.sweep(toolbox)


def sweep_forever(app: Flask, stop: threading.Event) -> None:
    """Every 15 s in a thread of its own (Huey's schedule knows only minutes) until ``stop`` is set."""
    while True:
        try:
            sweep_once(app)
        except (SQLAlchemyError, PixShiftError):
            log.exception("sweep failed, the next one tries again")
        if stop.wait(SWEEP_SECONDS):
            return
