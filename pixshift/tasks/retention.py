"""The sweeper: what is due goes, what was lost comes back, and what waits is nudged."""

import logging
import threading

from flask import Flask

from pixshift.domain.lifecycle import SWEEP_SECONDS
from pixshift.services import erasure, exports, figures_days, leases, orphans, retention, sessions, sms, webhooks

log = logging.getLogger(__name__)
FIRST_LOOK_SECONDS = 30.0
LOOK_SECONDS = 900.0


def sweep_once(app: Flask) -> None:
    """One round. Two sweepers at once do no harm: each of their writes is conditional."""
    steps = leases.take_back_lost, leases.end_hopeless, leases.nudge_waiting, erasure.follow_up, retention.sweep
    for step in (*steps, exports.sweep):
        with app.app_context():
            try:
                step(app.extensions["toolbox"])
            except Exception:  # whatever it was: the other steps, and the next round, must not be lost with it
                log.exception("sweep failed, the next one tries again")


def sweep_forever(app: Flask, stop: threading.Event) -> None:
    """Every 15 s in a thread of its own (Huey's schedule knows only minutes) until ``stop`` is set."""
    while True:
        sweep_once(app)
        if stop.wait(SWEEP_SECONDS):
            return


def tidy_once(app: Flask) -> None:
    """Keep what closed days came to; then forget codes that were sent, sessions that ended and gateways' events that
    were acted on, all long ago."""
    for step in (figures_days.keep_closed, sms.tidy, sessions.purge, webhooks.tidy):
        with app.app_context():
            try:
                step(app.extensions["toolbox"])
            except Exception:  # whatever it was: what else is to be done must not wait for it
                log.exception("what is long over could not be forgotten, it is tried again")


def look_forever(app: Flask, stop: threading.Event) -> None:
    """Forget what is long over, remove what no row knows: soon, then every quarter of an hour, until ``stop`` is set.

    Not in the sweeper's thread: a store with very many objects takes longer to list than a sweep may be late.
    """
    pause = FIRST_LOOK_SECONDS
    while not stop.wait(pause):
        tidy_once(app)
        with app.app_context():
            try:
                orphans.remove_unknown(app.extensions["toolbox"])
                pause = LOOK_SECONDS
            except Exception:  # the store or the database is away, or worse: the next look must not be lost with it
                log.exception("the look for unknown objects failed, it is tried again")
                pause = FIRST_LOOK_SECONDS
