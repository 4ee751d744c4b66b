"""The maker of account copies: one after another, in a thread of its own, so that no picture waits for one."""

import logging
import threading

from flask import Flask

from pixshift.services import exports

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0


def make_due(app: Flask) -> None:
    """All that wait now. Two makers at once do no harm: each owns what it makes by a lease."""
    with app.app_context():
        try:
            while exports.make_next(app.extensions["toolbox"]):
                pass
        except Exception:  # whatever it was: its lease runs out, and it is tried again
            log.exception("an account export failed, it is tried again")


def export_forever(app: Flask, stop: threading.Event) -> None:
    """Look every five seconds until ``stop`` is set."""
    while not stop.wait(LOOK_SECONDS):
        make_due(app)
