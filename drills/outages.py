"""Outages: the product runs, people use it over HTTP, and one part after the other is taken away and given back."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
import redis

from drills import accounts, embedded
from drills.disks import Disk, small_disk
from drills.load import Answer, Load
from drills.table import Ground, Row, Size, at_most, exactly
from pixshift.domain.failures import FailureReason
from pixshift.tasks.retention import sweep_once
from tests import jobs, servers, sites
from tests.conftest import migrate
from tests.sites import Site
from tests.stand_ins.gemini import GeminiStandIn, picture

CLEAR_SECONDS = 8.0  # within which an answer must come, whatever is away
GRACE_SECONDS = 2.0  # of errors when Redis goes
RECOVERED_SECONDS = 15.0
CAUGHT_UP_SECONDS = 120.0


@dataclass(frozen=True)
class Plan:
    """Seconds that each part is away."""

    jobs: int
    redis: float
    database_restart: float
    database: float
    storage: float
    disk: float


FULL = Plan(60, redis=20, database_restart=5, database=30, storage=30, disk=10)
SAMPLE = Plan(12, redis=3, database_restart=0, database=0, storage=0, disk=0)  # the first three parts of it


@dataclass
class Scene:
    """The product, its parts, and the people who use it. ``postgres`` may be stopped where there is one."""

    site: Site
    product: servers.Product
    postgres: servers.OwnPostgres | None
    redis: servers.OwnRedis
    disk: Disk
    load: Load

    def wait(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    def recovered(self) -> float:
        """Seconds from now until every kind of call works again."""
        begun = time.monotonic()
        with suppress(AssertionError):  # then the row is short
            for what in ("upload", "create", "poll"):
                servers.wait_until(lambda what=what: _works(self.load.since(begun, what)), 2 * RECOVERED_SECONDS)
        return time.monotonic() - begun

    def caught_up(self) -> float:
        """Seconds from now until everything that was asked for until now has ended."""
        begun, asked = time.monotonic(), set(self.site.people)
        with suppress(AssertionError):  # then the row is short
            servers.wait_until(lambda: not asked & accounts.unfinished(self.site), CAUGHT_UP_SECONDS + 5)
        return time.monotonic() - begun


def _works(answers: list[Answer]) -> bool:
    return any(answer.status in (200, 201) for answer in answers)


def rows(ground: Ground, size: Size) -> Iterator[Row]:
    plan = FULL if size is Size.FULL else SAMPLE
    with _database(ground, plan) as postgres, _scene(ground, postgres) as scene:
        for outage in (_flushed, _redis_away, _connections_cut):
            yield from outage(scene, plan)
        if scene.postgres:
            for outage in (_database_restarted, _database_away, _storage_away, _disk_full):
                yield from outage(scene, plan)
        yield from _end(scene)
    if plan is FULL:
        yield from embedded.rows(ground)


@contextmanager
def _database(ground: Ground, plan: Plan) -> Iterator[servers.OwnPostgres | None]:
    """A server that may be stopped, where that is done."""
    if plan is not FULL:
        yield None
        return
    with servers.own_postgres() as postgres:
        yield postgres


@contextmanager
def _scene(ground: Ground, postgres: servers.OwnPostgres | None) -> Iterator[Scene]:
    instance = ground.folder / "outages" / "instance"
    gemini = GeminiStandIn(keep=1, delay=0.5)
    gemini.result = picture("1:1", 128), "image/png"
    with (
        postgres.database() if postgres else ground.database() as name,
        servers.own_redis() as cache,
        small_disk(instance, wanted=bool(postgres)) as disk,
    ):
        url = (postgres or ground.postgres).url(name)
        if postgres:
            migrate(url, ground.folder)
        with sites.site(instance.parent, url, f"{cache.url}/0", gemini) as site:
            env = site.env | {"PIXSHIFT_ENV": "development"}
            with servers.product(instance, env) as product, Load(site, product.url) as load:
                yield Scene(site, product, postgres, cache, disk, load)


def _flushed(scene: Scene, plan: Plan) -> Iterator[Row]:
    """FLUSHALL while jobs wait: the rows are the truth, so each gets a new nudge."""
    area = "Queue flushed"
    accounts.open_jobs(scene.site, plan.jobs)
    queue = scene.site.app.extensions["toolbox"].gateways.queue
    waiting = queue.pending()
    with redis.Redis.from_url(scene.redis.url) as client:
        client.flushall()
    yield Row(area, "nudges thrown away", str(waiting), "≥ 1", waiting > 0)
    yield from _caught_up(scene, area)


def _redis_away(scene: Scene, plan: Plan) -> Iterator[Row]:
    area, begun = f"Redis away {plan.redis:g} s", time.monotonic()
    scene.redis.stop()
    scene.wait(plan.redis)
    with suppress(AssertionError):  # then the row is short
        servers.wait_until(lambda: _works(scene.load.since(begun + GRACE_SECONDS, "create")), RECOVERED_SECONDS)
    created = sum(one.status == 201 for one in scene.load.since(begun + GRACE_SECONDS, "create"))
    scene.redis.start()
    scene.recovered()
    answers = scene.load.since(begun)
    late = [one for one in answers if one.begun >= begun + GRACE_SECONDS]
    yield Row(area, "pictures asked for meanwhile", str(created), "≥ 1", created > 0)
    yield exactly(area, f"5xx after the first {GRACE_SECONDS:g} s", sum(one.is_bad for one in late), 0)
    yield from _common(area, answers)
    yield from _caught_up(scene, area)


def _connections_cut(scene: Scene, _plan: Plan) -> Iterator[Row]:
    area, begun = "Connections of PostgreSQL cut", time.monotonic()
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(scene.site.env["DATABASE_URL"], autocommit=True) as connection:
        cut = len(connection.execute(f"SELECT pg_terminate_backend(pid) {others}").fetchall())
    scene.recovered()
    answers = scene.load.since(begun - 1)
    yield at_most(area, f"requests that failed, of {cut} connections", sum(one.is_bad for one in answers), cut)
    yield from _common(area, answers)


def _database_restarted(scene: Scene, plan: Plan) -> Iterator[Row]:
    yield from _without_database(scene, f"PostgreSQL restarted, {plan.database_restart:g} s", plan.database_restart)


def _database_away(scene: Scene, plan: Plan) -> Iterator[Row]:
    yield from _without_database(scene, f"PostgreSQL away {plan.database:g} s", plan.database)


def _without_database(scene: Scene, area: str, seconds: float) -> Iterator[Row]:
    assert scene.postgres
    begun = time.monotonic()
    scene.postgres.stop()
    scene.wait(seconds)
    scene.postgres.start()
    yield at_most(area, "until everything worked again", scene.recovered(), RECOVERED_SECONDS, "s")
    answers = scene.load.since(begun)
    failed = sum(one.is_bad for one in answers)
    yield Row(area, "requests that failed meanwhile", str(failed), "≥ 1", failed > 0)
    yield from _common(area, answers)
    yield from _caught_up(scene, area)


def _storage_away(scene: Scene, plan: Plan) -> Iterator[Row]:
    """The folder of the pictures is moved away, and a file stands in its place."""
    area, begun = f"Picture store away {plan.storage:g} s", time.monotonic()
    pictures = accounts.folder(scene.site)
    pictures.rename(hidden := pictures.with_name("hidden"))
    pictures.write_text("not a folder")
    scene.wait(plan.storage)
    pictures.unlink()
    hidden.rename(pictures)
    yield at_most(area, "until everything worked again", scene.recovered(), RECOVERED_SECONDS, "s")
    yield from _refused_uploads(area, scene.load.since(begun))
    yield from _caught_up(scene, area)


def _disk_full(scene: Scene, plan: Plan) -> Iterator[Row]:
    area, begun = f"Disk full {plan.disk:g} s ({scene.disk.kind})", time.monotonic()
    with scene.disk.full(jobs.alive(scene.product.process.pid)):
        scene.wait(plan.disk)
    yield at_most(area, "until everything worked again", scene.recovered(), RECOVERED_SECONDS, "s")
    yield from _refused_uploads(area, scene.load.since(begun))
    yield from _caught_up(scene, area)


def _refused_uploads(area: str, answers: list[Answer]) -> Iterator[Row]:
    """Photos are refused with a clear error; nothing else fails."""
    bad = [one for one in answers if one.is_bad]
    clear = [one for one in bad if one.what == "upload" and (one.status, one.code) == (502, "API_ERROR")]
    yield Row(area, "uploads refused: 502 API_ERROR", str(len(clear)), "≥ 1", len(clear) > 0)
    yield exactly(area, "other failures", len(bad) - len(clear), 0)
    yield from _common(area, answers)


def _caught_up(scene: Scene, area: str) -> Iterator[Row]:
    if scene.postgres:  # in small the end is waited for once, for all
        yield at_most(area, "until all jobs asked for had ended", scene.caught_up(), CAUGHT_UP_SECONDS, "s")


def _common(area: str, answers: list[Answer]) -> Iterator[Row]:
    unclear = [one for one in answers if one.is_bad and one.code is None]
    yield exactly(area, "errors not in our form, or no answer", len(unclear), 0)
    yield exactly(area, "people signed out", sum(one.status == 401 for one in answers), 0)
    yield at_most(area, "slowest answer", max((one.seconds for one in answers), default=0.0), CLEAR_SECONDS, "s")


def _end(scene: Scene) -> Iterator[Row]:
    """Nobody brings more; what was accepted is finished; the books are read."""
    area = "After all outages"
    scene.load.end()
    if not scene.postgres:  # in small nobody waits for the worker's next round
        sweep_once(scene.site.app)
    begun = time.monotonic()
    accounts.wait_for_the_last(scene.site, CAUGHT_UP_SECONDS)
    yield at_most(area, "until the last job had ended", time.monotonic() - begun, CAUGHT_UP_SECONDS, "s")
    yield from accounts.books(scene.site, area, FailureReason.STORAGE_DOWN)
    starts = scene.product.log.read_text().count("worker ready")
    is_same = scene.product.process.poll() is None and starts == 1
    yield Row(area, "web and worker are those of the beginning", "yes" if is_same else "no", "yes", is_same)
