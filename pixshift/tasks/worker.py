"""The worker process: Huey's consumer with threads, the heartbeat, and the sweeper."""

import logging
import signal
import threading
import time
from functools import partial

from flask import Flask
from huey import Huey
from huey.consumer import Consumer

from pixshift.tasks.exports import export_forever
from pixshift.tasks.payments import tend_forever, tend_once
from pixshift.tasks.queue import HueyQueue
from pixshift.tasks.retention import look_forever, sweep_forever
from pixshift.tasks.transformations import beat, hand_back_all, make_next

log = logging.getLogger(__name__)
STOP_SECONDS = 25  # of the 30 that a stop may take; the rest hands jobs back
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Consumer(Consumer):
    """Huey's consumer, for which every signal means the same stop (its own SIGHUP would start it anew)."""

    def start(self) -> None:
        self._signal_actions = dict.fromkeys(_SIGNALS, (False, True))  # (start again, finish what runs)
        super().start()
        log.info("worker ready", extra={"concurrency": self.workers})


def run(app: Flask, concurrency: int) -> None:
    """Work until SIGTERM or SIGINT, then finish what runs, or hand it back, within 30 s."""
    app.extensions["toolbox"].gateways.editor.warm()
    stop = threading.Event()
    queue = HueyQueue(
        app.extensions["toolbox"].settings, partial(make_next, app), partial(tend_once, app), for_worker=True
    )
    working = consumer(queue.huey, concurrency)
    for target in (beat, sweep_forever, look_forever, export_forever, tend_forever):
        threading.Thread(target=target, args=(app, stop), daemon=True).start()
    try:
        working.run()
    finally:
        for number in _SIGNALS:  # the end has begun: nobody may interrupt it
            signal.signal(number, signal.SIG_IGN)
        stop.set()
        hand_back_all(app)
        app.extensions["toolbox"].gateways.close()
        log.info("worker stopped")


def consumer(huey: Huey, concurrency: int) -> Consumer:
    """Huey's threads as we want them: quick to start, quiet while the queue is away, in no hurry to end."""
    calm = _OutageFilter()
    for name in ("Worker", "Scheduler"):
        logging.getLogger(f"huey.consumer.{name}").addFilter(calm)
    # A queue that has to be asked is asked often; with one that says when there is something, this is only the pause
    # after an error.
    first, longest, growth = (0.5, 5.0, 2.0) if huey.storage.blocking else (0.02, 0.05, 1.15)
    return _Consumer(
        huey,
        workers=concurrency,
        worker_type="thread",
        periodic=False,
        initial_delay=first,
        max_delay=longest,
        backoff=growth,
        shutdown_timeout=STOP_SECONDS,
    )


class _OutageFilter(logging.Filter):
    """A queue that is away is one line in ten seconds, not a traceback from every thread that asks it."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if not str(record.msg).startswith("Error reading"):
            return True
        if time.monotonic() < self._quiet_until:
            return False
        self._quiet_until = time.monotonic() + 10
        fault = record.exc_info[0] if record.exc_info else None
        record.msg, record.exc_info = f"queue away: {fault.__name__ if fault else 'unknown'}", None
        return True
