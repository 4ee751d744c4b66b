"""Money's own thread: payments end, lost news is looked for, and once a night the books are compared both ways.

Not in the sweeper's thread: a gateway that is slow must not keep it from leases and deletions.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flask import Flask

from pixshift.domain.lifecycle import SWEEP_SECONDS
from pixshift.services import reconciliation, subscriptions, webhooks
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
LOOK_SECONDS = 300.0
NIGHT_HOUR = 3  # UTC
NIGHTLY_SPAN = timedelta(days=4)  # longer than gateways try to tell us something


def tend_once(app: Flask) -> None:
    """What is due now. Two at once do no harm: what each writes is conditional."""
    _each(app, webhooks.process_due, reconciliation.tend)


def look_once(app: Flask) -> None:
    """Payments and plans of which nothing was heard."""
    _each(app, reconciliation.look_for_news, subscriptions.look_due)


def compare_once(app: Flask) -> None:
    """Every payment of the last days, both ways; what does not agree is in the log."""
    _each(app, lambda toolbox: reconciliation.reconcile(toolbox, NIGHTLY_SPAN))


def tend_forever(app: Flask, stop: threading.Event) -> None:
    """Every 15 s, every 5 minutes and every night, until ``stop`` is set."""
    look_at, night = time.monotonic(), _next_night(datetime.now(UTC))
    while True:
        tend_once(app)
        if time.monotonic() >= look_at:
            look_once(app)
            look_at = time.monotonic() + LOOK_SECONDS
        if datetime.now(UTC) >= night:
            compare_once(app)
            night = _next_night(datetime.now(UTC))
        if stop.wait(SWEEP_SECONDS):
            return


def _next_night(now: datetime) -> datetime:
    night = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return night if night > now else night + timedelta(days=1)


def _each(app: Flask, *steps: Callable[[Toolbox], object]) -> None:
    for step in steps:
        with app.app_context():
            try:
                step(app.extensions["toolbox"])
            except Exception:  # whatever it was: the other steps, and the next round, must not be lost with it
                log.exception("money could not be looked after, it is tried again")
