"""Workers that live, but not as they should: frozen for longer than a lease, told to stop, with a wrong clock."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from drills import accounts
from drills.table import Ground, Row, Size, at_most, exactly
from drills.witness import Witness
from pixshift.domain.lifecycle import LEASE, Status
from pixshift.extensions import db
from pixshift.models import ModelCircuit, Transformation, Upload
from tests import jobs, servers, sites
from tests.jobs import Worker
from tests.sites import Site

FROZEN_SECONDS = LEASE.total_seconds() + 15
STOP_SECONDS = 30.0
SLOW, FAST = -600, 600  # seconds by which the clocks are wrong


def rows(ground: Ground, size: Size) -> Iterator[Row]:
    """All at the same time, each on a site of its own: most of it is waiting."""
    everything = (_frozen, _frozen_at_the_circuit, _told_to_stop, _wrong_clocks)
    parts = everything if size is Size.FULL else (_wrong_clocks_in_small,)
    with ThreadPoolExecutor(len(parts)) as pool:
        for found in pool.map(lambda part: list(part(ground)), parts):
            yield from found


@contextmanager
def _site(ground: Ground, name: str, *seconds: float) -> Iterator[tuple[Site, Witness]]:
    witness = Witness((seconds[0], seconds[-1]))
    with (
        servers.redis_server() as redis_url,
        ground.database() as database,
        sites.site(ground.folder / name, ground.postgres.url(database), redis_url, witness) as site,
    ):
        yield site, witness


def _frozen(ground: Ground) -> Iterator[Row]:
    """Two of three workers are stopped with pictures in hand and wake up after others have made them."""
    area = "Frozen workers"
    with _site(ground, "frozen", 2.0) as (site, witness), site.worker() as first, site.worker() as second:
        accounts.open_jobs(site, 8)
        servers.wait_until(lambda: witness.in_flight == 4, 20, "all four asked")
        for worker in (first, second):
            os.kill(worker.process.pid, signal.SIGSTOP)
        accounts.open_jobs(site, 20)
        with site.worker():
            threading.Event().wait(FROZEN_SECONDS)
            accounts.wait_for_the_last(site)
            for worker in (first, second):
                os.kill(worker.process.pid, signal.SIGCONT)
            with suppress(AssertionError):
                servers.wait_until(lambda: _late(site), 30)
            accounts.wait_for_the_last(site)
        yield exactly(area, f"jobs in hand, ended in vain after {FROZEN_SECONDS:g} s", _late(site), 4)
        yield exactly(area, "frozen workers that did not stop clean", sum(w.stop() != 0 for w in (first, second)), 0)
        yield from accounts.rows(site, area, witness)


def _frozen_at_the_circuit(ground: Ground) -> Iterator[Row]:
    """A claim that never goes on, at the row where all claims of its model queue; and a locked row for the sweepers."""
    area = "Frozen claim"
    with _site(ground, "claim", 0.1) as (site, witness), site.worker():
        accounts.open_jobs(site, 1)
        accounts.wait_for_the_last(site)
        with site.app.app_context():
            frozen = db.engine.connect()
            frozen.execute(select(ModelCircuit).with_for_update())
            frozen.execute(select(Transformation).with_for_update())
        begun = time.monotonic()
        accounts.open_jobs(site, 4)
        accounts.wait_for_the_last(site)
        yield at_most(area, "until the jobs of its model are made all the same", time.monotonic() - begun, 30.0, "s")
        with suppress(DBAPIError):
            frozen.close()
        yield from accounts.rows(site, area, witness)


def _late(site: Site) -> int:
    """How many attempts ended in vain, once all of them have ended."""
    ends = [attempt.outcome for job in site.people for attempt in jobs.read_attempts(site.app, job)]
    return 0 if None in ends else len(ends) - ends.count(Status.COMPLETED)


def _told_to_stop(ground: Ground) -> Iterator[Row]:
    """SIGTERM while two jobs will be done soon and two never."""
    area = "SIGTERM"
    with _site(ground, "stopped", 3.0) as (site, witness):
        witness.push("hang", "hang")
        with site.worker(4) as worker:
            accounts.open_jobs(site, 4)
            servers.wait_until(lambda: witness.in_flight == 4, 20, "all four asked")
            begun = time.monotonic()
            status = worker.stop()
            yield at_most(area, "stop with four jobs in hand", time.monotonic() - begun, STOP_SECONDS, "s")
            yield exactly(area, "its exit status", status, 0)
            yield exactly(area, "processes left behind", len(jobs.alive(worker.process.pid)), 0)
        yield exactly(area, "jobs finished before it ended", jobs.count(site.app, Status.COMPLETED), 2)
        yield exactly(area, "jobs handed back before it ended", jobs.count(site.app, Status.PENDING), 2)
        with site.worker():
            accounts.wait_for_the_last(site)
        yield exactly(area, "jobs COMPLETED by the next worker", jobs.count(site.app, Status.COMPLETED), 4)


def _wrong_clocks(ground: Ground) -> Iterator[Row]:
    yield from _clocks(ground, 24, 8.0, 20.0)


def _wrong_clocks_in_small(ground: Ground) -> Iterator[Row]:
    yield from _clocks(ground, 4, 1.5, 1.5)


def _clocks(ground: Ground, count: int, *seconds: float) -> Iterator[Row]:
    """Two workers whose clocks are ten minutes behind and ten minutes ahead; each sweeps at its start."""
    area = "Wrong clocks"
    with _site(ground, "clocks", *seconds) as (site, witness):
        overdue, kept = _photo_due(site, -1), _photo_due(site, 300)
        with _worker(site, SLOW):
            accounts.open_jobs(site, count // 2)
            with suppress(AssertionError):  # then a row says what the matter is
                servers.wait_until(lambda: witness.in_flight > 0, 10)
            with _worker(site, FAST):
                accounts.open_jobs(site, count - count // 2)
                accounts.wait_for_the_last(site)
        storage = site.app.extensions["toolbox"].gateways.storage
        attempts = [len(jobs.read_attempts(site.app, job)) for job in site.people]
        yield exactly(area, f"of {count} jobs COMPLETED", jobs.count(site.app, Status.COMPLETED), count)
        yield exactly(area, "leases taken back that were alive", sum(attempts) - len(attempts), 0)
        yield exactly(area, "calls of the model for them", len(witness.all_calls), count)
        yield exactly(area, "pictures deleted four minutes too early", int(not storage.exists(kept.storage_key)), 0)
        yield exactly(area, "pictures left although due", int(storage.exists(overdue.storage_key)), 0)


def _photo_due(site: Site, seconds: float) -> Upload:
    now = datetime.now(UTC)
    age = timedelta(hours=24) - timedelta(seconds=seconds)
    photo = jobs.add_photo(site.app, jobs.add_person(site.app), now - age)
    site.app.extensions["toolbox"].gateways.storage.put(photo.storage_key, jobs.PHOTO, "image/jpeg")
    return photo


@contextmanager
def _worker(site: Site, offset: int) -> Iterator[Worker]:
    launcher = ("drills/skewed.py", str(offset), "--app", "wsgi")
    with jobs.worker(site.folder, site.env, launcher=launcher) as worker:
        yield worker
