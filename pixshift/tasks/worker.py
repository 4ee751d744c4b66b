"""The worker process: Huey's consumer with threads, the heartbeat, and the sweeper."""

import logging
import threading

from flask import Flask

from pixshift.tasks.queue import HueyQueue
from pixshift.tasks.retention import sweep_forever
from pixshift.tasks.transformations import beat, hand_back_all

log = logging.getLogger(__name__)
STOP_SECONDS = 25  # of the 30 that a stop may take; the rest hands jobs back


def run(app: Flask, concurrency: int) -> None:
    """Work until SIGTERM or SIGINT, then finish what runs, or hand it back, within 30 s."""
    queue: HueyQueue = app.extensions["toolbox"].gateways.queue
    stop = threading.Event()
    helpers = [threading.Thread(target=target, args=(app, stop), daemon=True) for target in (beat, sweep_forever)]
    for helper in helpers:
        helper.start()
    consumer = queue.huey.create_consumer(
        workers=concurrency,
        worker_type="thread",
        periodic=False,
        initial_delay=0.02,
        max_delay=0.05,
        graceful_signal="TERM",
        shutdown_timeout=STOP_SECONDS,
    )
    log.info("worker ready", extra={"concurrency": concurrency})
    try:
        consumer.run()
    finally:
        stop.set()
        hand_back_all(app)
        app.extensions["toolbox"].gateways.close()
        log.info("worker stopped")
