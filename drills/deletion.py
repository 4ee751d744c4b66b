"""Pictures that go: in time whoever is killed, only when they were taken, and whatever nobody knows of as well.

Nobody waits five minutes here: once the downloads are done, their times are moved back, as if they had been made so
much earlier. What is left of the five minutes is waited for.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from drills import gallery
from drills.gallery import Shown
from drills.table import Ground, Row, Size, at_most, exactly
from drills.website import Website, website
from pixshift.domain import images
from pixshift.domain.retention import PROMISE, UNKNOWN_GRACE
from pixshift.services import orphans, retention
from pixshift.services.orphans import State
from pixshift.tasks.retention import FIRST_LOOK_SECONDS, sweep_once
from tests import jobs, servers, sites
from tests.sites import Site

AREA = "Deletion"
NO_DOWNLOADS: list[tuple[str, dict[str, str]]] = [
    ("HEAD", {}),
    ("GET", {"Range": "bytes=0-0"}),
    ("GET", {"Range": "bytes=0-"}),
    ("GET", {"Range": "bytes=100-"}),
    ("GET", {"Range": "bytes=-1"}),
    ("GET", {"Sec_Purpose": "prefetch"}),
    ("GET", {"Sec_Purpose": "prefetch;prerender"}),
    ("GET", {"Purpose": "prefetch"}),
    ("GET", {"X_Moz": "prefetch"}),
]


@dataclass(frozen=True)
class Plan:
    """How much of it."""

    downloads: int
    people: int
    moved_back: timedelta
    kills: int  # at least
    pause_seconds: float  # between two kills
    each: int  # of every request that is no download
    away: int  # pictures that are due while the store is away
    away_seconds: float


FULL = Plan(500, 100, timedelta(minutes=4), 10, 2.0, 10, 50, 30.0)
SAMPLE = Plan(10, 2, timedelta(minutes=4, seconds=30), 1, 0.4, 1, 5, 0.1)


def rows(ground: Ground, size: Size) -> Iterator[Row]:
    plan = FULL if size is Size.FULL else SAMPLE
    with (
        ground.database() as name,
        sites.site(ground.folder / "deletion", ground.postgres.url(name), ground.redis_url) as site,
    ):
        with website(site) as web:
            yield from _no_clocks(site, web, plan)
            yield from _in_time(site, web, plan)
        yield from _away(site, plan, size)
        yield from _unknown(site, size)


def _no_clocks(site: Site, web: Website, plan: Plan) -> Iterator[Row]:
    """What is no whole, wanted download; the downloads that follow give each of these its time to go wrong."""
    asked = NO_DOWNLOADS * plan.each
    answered, broken = gallery.hang(site, len(asked), 2), gallery.hang(site, 3 * plan.each, 2)
    answers = [
        web.ask(picture.path, picture.token, method, **headers)
        for picture, (method, headers) in zip(answered, asked, strict=True)
    ]
    for picture in broken:
        web.break_off(picture.path, picture.token)
    whole = gallery.hang(site, 1, 1)
    _download(web, whole[0])
    servers.wait_until(lambda: gallery.rows_of(site, whole)[0].downloaded_at, what="the clock of a whole download")
    refused = sum(status != 200 for status, _ in answers)
    yield exactly(AREA, "HEAD, Range and prefetch: not answered", refused, 0)
    started = sum(row.downloaded_at is not None for row in gallery.rows_of(site, [*answered, *broken]))
    yield exactly(
        AREA, f"clocks started by {len(answered + broken)} HEAD, Range, prefetch, broken downloads", started, 0
    )


def _download(web: Website, picture: Shown) -> bool:
    status, body = web.ask(picture.path, picture.token)
    return status == 200 and len(body) == gallery.SIZE


def _in_time(site: Site, web: Website, plan: Plan) -> Iterator[Row]:
    pictures = gallery.hang(site, plan.downloads, plan.people)
    links = _links(site, pictures[:: max(1, len(pictures) // 20)])
    with _dying_workers(site, plan) as killed:
        with ThreadPoolExecutor(24) as readers:
            whole = sum(readers.map(lambda picture: _download(web, picture), pictures))
        alive = sum(web.ask(link, token)[0] == 200 for link, token in links)
        gallery.move_back(site, plan.moved_back)
        rest = (PROMISE - plan.moved_back).total_seconds()
        with suppress(AssertionError):
            servers.wait_until(lambda: not gallery.left(site, pictures) and not _due(site), rest, "everything to go")
        left = gallery.left(site, pictures)
    yield exactly(AREA, "whole downloads", whole, plan.downloads)
    yield Row(AREA, "workers killed meanwhile", str(len(killed)), f"≥ {plan.kills}", len(killed) >= plan.kills)
    minutes = plan.moved_back.total_seconds() / 60
    yield exactly(AREA, f"objects left at 5:00 (times moved back by {minutes:g} min, the rest waited for)", left, 0)
    ends = [(row.deleted_at, row.downloaded_at) for row in gallery.rows_of(site, pictures)]
    lives = [(deleted - taken).total_seconds() for deleted, taken in ends if deleted and taken]
    yield exactly(AREA, "pictures deleted after their download", len(lives), plan.downloads)
    yield at_most(AREA, "longest life after the download", max(lives, default=0.0), 300.0, "s")
    yield exactly(AREA, "pictures and photos without a signed record", gallery.unrecorded(site, pictures), 0)
    yield exactly(AREA, "thumbnails left", gallery.thumbnails(site, pictures), 0)
    yield exactly(AREA, "signed links that showed their picture before", alive, len(links))
    dead = sum(web.ask(link, token)[0] == 404 for link, token in links)
    yield exactly(AREA, "signed links that are 404 afterwards", dead, len(links))


def _links(site: Site, pictures: list[Shown]) -> list[tuple[str, str]]:
    """Links of a picture, its photo and its thumbnail, with the session of their owner."""
    tools = site.app.extensions["toolbox"]
    kinds = [(one, "picture", one.job) for one in pictures] + [(one, "photo", one.photo) for one in pictures]
    kinds += [(one, "thumbnail", one.job) for one in pictures]
    return [(tools.gateways.links.path(kind, row_id, tools.now()), one.token) for one, kind, row_id in kinds]


@contextmanager
def _dying_workers(site: Site, plan: Plan) -> Iterator[list[int]]:
    """Workers that are killed with SIGKILL one after the other; yields the processes that were."""
    killed: list[int] = []
    over = threading.Event()

    def kill_on() -> None:
        while not over.is_set():
            worker = jobs.start_worker(site.folder, site.env, 1)
            try:
                servers.wait_until(worker.is_ready, 30, "a worker")
                over.wait(plan.pause_seconds * (len(killed) % 3) / 2)
            finally:
                os.killpg(worker.process.pid, signal.SIGKILL)
                worker.process.wait(10)
            killed.append(worker.process.pid)

    killer = threading.Thread(target=kill_on)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join(90)


def _away(site: Site, plan: Plan, size: Size) -> Iterator[Row]:
    """The folder of pictures is away while some are due, and comes back; in full a worker lives through it."""
    pictures = gallery.hang(site, plan.away, 1)
    folder = Path(site.env["PIXSHIFT_INSTANCE"]) / "pictures"
    with ExitStack() as stack:
        if size is Size.FULL:
            stack.enter_context(site.worker(1))
        folder.rename(folder.with_name("elsewhere"))
        folder.write_text("in the way")
        gallery.let_go(site, pictures)
        sweep_once(site.app)
        threading.Event().wait(plan.away_seconds)
        wrong = sum(row.deleted_at is not None for row in gallery.rows_of(site, pictures))
        folder.unlink()
        folder.with_name("elsewhere").rename(folder)
        back = time.monotonic()
        if size is Size.SAMPLE:
            stack.enter_context(site.worker(1))
        with suppress(AssertionError):
            servers.wait_until(lambda: not _due(site), 60, "everything due to go")
        took = time.monotonic() - back
    yield exactly(AREA, f"store away {plan.away_seconds:g} s: pictures taken for deleted meanwhile", wrong, 0)
    yield at_most(AREA, "its return until nothing was due", took, 60.0, "s")
    yield exactly(AREA, "objects of those left", gallery.left(site, pictures), 0)


def _due(site: Site) -> int:
    with site.app.app_context():
        return len(retention.due(site.app.extensions["toolbox"].now()))


def _unknown(site: Site, size: Size) -> Iterator[Row]:
    """What deaths leave behind, ten minutes later: told by the audit, removed by a worker on its own (in full)."""
    kept = gallery.hang(site, 3, 1)
    planted = _planted(site, kept[0], (_BEFORE_COMMIT, _WHILE_WRITING) if size is Size.FULL else ())
    pictures = Path(site.env["PIXSHIFT_INSTANCE"]) / "pictures"
    before = (datetime.now(UTC) - UNKNOWN_GRACE - timedelta(seconds=5)).timestamp()
    for file in pictures.rglob("*.*"):
        os.utime(file, (before, before))
    with site.app.app_context():
        tools = site.app.extensions["toolbox"]
        told = {finding.key for finding in orphans.audit(tools) if finding.state is State.UNKNOWN}
        if size is Size.SAMPLE:
            orphans.remove_unknown(tools)
    if size is Size.FULL:
        with site.worker(1), suppress(AssertionError):
            servers.wait_until(lambda: not _there(site, planted), FIRST_LOOK_SECONDS + 30, "unknown objects to go")
    yield exactly(AREA, "unknown objects that the audit told", len(told & planted), len(planted))
    yield exactly(AREA, "objects with a row that it told", len(told - planted), 0)
    yield exactly(AREA, "unknown objects left", len(_there(site, planted)), 0)
    yield exactly(AREA, "objects with a row that stayed", gallery.left(site, kept), 2 * len(kept))


def _planted(site: Site, kept: Shown, deaths: tuple[str, ...]) -> set[str]:
    """What uploads leave whose processes are killed just then, and what else may lie about."""
    storage = site.app.extensions["toolbox"].gateways.storage
    known = {entry.key for entry in storage.entries()}
    for death in deaths:
        command = [sys.executable, "-c", death, str(servers.ROOT / "tests" / "photos" / "rocket.jpg")]
        inherited = {name: os.environ[name] for name in servers.INHERITED if name in os.environ}
        died = subprocess.run(
            command, cwd=servers.ROOT, env=inherited | site.env, stderr=subprocess.DEVNULL, check=False, timeout=60
        )
        assert died.returncode == -signal.SIGKILL
    (gone,) = gallery.hang(site, 1, 1)
    with site.app.app_context():
        retention.delete_now(site.app.extensions["toolbox"], gone.job)
    person = uuid4()
    for key in (
        *gone.keys,  # written late, after their deletion
        f"checks/{uuid4()}.txt",
        images.result_key(person, kept.job, uuid4(), "image/webp"),
        *(images.upload_key(person, uuid4()) for _ in range(20)),
    ):
        storage.put(key, b"nobody's", "image/jpeg")
    return {entry.key for entry in (*storage.entries(), *storage.unfinished())} - known


def _there(site: Site, keys: set[str]) -> set[str]:
    storage = site.app.extensions["toolbox"].gateways.storage
    return keys & {entry.key for entry in (*storage.entries(), *storage.unfinished())}


_UPLOAD = """
import os, signal, sys
from pathlib import Path
from uuid import uuid4
from pixshift import create_app
from pixshift.extensions import db
from pixshift.services import uploads

def die(*_):
    app.extensions["toolbox"].gateways.decoder.close()
    os.kill(os.getpid(), signal.SIGKILL)

app = create_app()
photo = Path(sys.argv[1]).read_bytes()
with app.app_context():
    {where} = die
    uploads.create(app.extensions["toolbox"], uuid4(), data=photo, filename="rocket.jpg")
"""
_BEFORE_COMMIT, _WHILE_WRITING = _UPLOAD.format(where="db.session.commit"), _UPLOAD.format(where="Path.replace")
