"""The queue and the worker: how soon work starts, and what is added to the model's own time."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import Row, ms, percentile
from pixshift.domain.lifecycle import Status
from pixshift.services import transformations
from pixshift.settings import load_settings
from pixshift.tasks.queue import HueyQueue
from tests import jobs, servers
from tests.conftest import migrate
from tests.stand_ins.gemini import GeminiStandIn

NUDGES, PICTURES, DELAY = 300, 40, 0.3


def rows(folder: Path, postgres: servers.Postgres, redis_url: str) -> list[Row]:
    found = [
        _start("Redis", folder / "q1", redis_url, "p50 ≤ 3 ms, p99 ≤ 15 ms"),
        _start("SQLite", folder / "q2", "", "p50 ≤ 25 ms, p99 ≤ 60 ms"),
    ]
    with postgres.database() as name:
        migrate(postgres.url(name), folder)
        found.append(_added("PostgreSQL, Redis", folder / "a1", postgres.url(name), redis_url))
    file = f"sqlite:///{folder / 'added.sqlite3'}"
    migrate(file, folder)
    return [*found, _added("SQLite", folder / "a2", file, "")]


def _start(name: str, folder: Path, redis_url: str, reach: str) -> Row:
    """From a nudge to its start, in a consumer with the worker's settings."""
    from pixshift.tasks import worker

    environ = {"PIXSHIFT_ENV": "test", "PIXSHIFT_INSTANCE": str(folder), "REDIS_URL": redis_url}
    settings = load_settings(environ)
    started = threading.Event()
    at = [0.0]

    def perform() -> None:
        at[0] = time.perf_counter()
        started.set()

    sender, receiver = HueyQueue(settings, lambda: None), HueyQueue(settings, perform, for_worker=True)
    waits = []
    with _consuming(worker.consumer(receiver.huey, 4)):
        for number in range(NUDGES):
            time.sleep(0.001 * (number % 17))  # not always at the same moment of the worker's pause
            started.clear()
            begun = time.perf_counter()
            sender.nudge()
            started.wait(5)
            waits.append(at[0] - begun)
    p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
    return Row(f"nudge → worker starts, {name}", f"p50 {ms(p50)}, p99 {ms(p99)}", reach=reach)


@contextmanager
def _consuming(consumer: object) -> Iterator[None]:
    consumer._set_signal_handlers = lambda: None  # type: ignore[attr-defined]
    consumer.start()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        consumer.stop(graceful=True)  # type: ignore[attr-defined]


def _added(name: str, folder: Path, database_url: str, redis_url: str) -> Row:
    """From ``create`` to COMPLETED in the database, less what the model took: storage, decoding, commits, the queue."""
    folder.mkdir()
    with GeminiStandIn(delay=DELAY) as gemini:
        env = {
            "PIXSHIFT_ENV": "test", "PIXSHIFT_INSTANCE": str(folder / "instance"), "DATABASE_URL": database_url,
            "REDIS_URL": redis_url, "GEMINI_API_KEY": "key-of-the-bench", "GEMINI_ENDPOINT": gemini.url,
        }  # fmt: skip
        with jobs.application(database_url, folder, REDIS_URL=redis_url) as app, jobs.worker(folder, env, 4):
            type_id = jobs.add_type(app)
            added = []
            for _ in range(PICTURES):
                person = jobs.add_person(app)
                photo = jobs.add_photo(app, person, datetime.now(UTC))
                with app.app_context():
                    toolbox = app.extensions["toolbox"]
                    toolbox.gateways.storage.put(photo.storage_key, os.urandom(500_000), "image/jpeg")
                    begun = time.perf_counter()
                    job = transformations.create(toolbox, person, type_id=type_id, image_id=photo.id)
                servers.wait_until(lambda job=job: jobs.read_job(app, job.id).status is Status.COMPLETED, 20)
                added.append(time.perf_counter() - begun - DELAY)
    added = added[2:]  # the first one pays for the SDK's import
    p50, p99 = percentile(added, 0.5), percentile(added, 0.99)
    figures = f"p50 {ms(p50)}, p99 {ms(p99)}"
    return Row(f"create → COMPLETED, less the model's {DELAY} s ({name})", figures, reach="p50 ≤ 60 ms, p99 ≤ 250 ms")
