"""The product with nothing around it (SQLite, a queue in a file): its worker is killed, its queue's file is deleted."""

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from drills import accounts
from drills.load import Load
from drills.table import Ground, Row, exactly
from tests import jobs, servers, sites
from tests.conftest import migrate
from tests.sites import Site
from tests.stand_ins.gemini import GeminiStandIn, picture

AREA = "SQLite alone"
JOBS = 20


def rows(ground: Ground) -> Iterator[Row]:
    """`flask up` ends with its worker, as it promises; a supervisor starts it again on what is there."""
    folder = ground.folder / "embedded"
    folder.mkdir()
    url = f"sqlite:///{folder / 'pixshift.sqlite3'}"
    migrate(url, folder)
    gemini = GeminiStandIn(keep=1, delay=0.5)
    gemini.result = picture("1:1", 128), "image/png"
    with sites.site(folder, url, "", gemini) as site:
        with _product(site) as product, Load(site, product.url):
            accounts.open_jobs(site, JOBS)
            servers.wait_until(lambda: gemini.in_flight > 1, 20, "work")
            os.kill(_worker_of(product), signal.SIGKILL)
            yield exactly(AREA, "exit status once its worker was killed", product.process.wait(40), 1)
        yield exactly(AREA, "processes left behind", len(jobs.alive(product.process.pid)), 0)
        _delete_queue(site)
        with _product(site) as product, Load(site, product.url) as load:
            servers.wait_until(lambda: load.since(0, "create"), 20, "a picture asked for")
            _delete_queue(site)
            accounts.open_jobs(site, JOBS)
            load.end()
            accounts.wait_for_the_last(site, accounts.STUCK_SECONDS)
        yield from accounts.books(site, AREA)


def _product(site: Site) -> AbstractContextManager[servers.Product]:
    return servers.product(site.folder / "instance", site.env | {"PIXSHIFT_ENV": "development"})


def _worker_of(product: servers.Product) -> int:
    """The process whose last word is its command."""
    group = jobs.alive(product.process.pid)
    return next(pid for pid in group if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0worker\0"))


def _delete_queue(site: Site) -> None:
    for file in (site.folder / "instance").glob("queue.sqlite3*"):
        file.unlink()
