"""Limits: whoever calls too often waits as long as they are told, and nobody else does; odd and slow callers too."""

import http.client
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from drills import slow_clients
from drills.slow_clients import sign_in
from drills.table import Ground, Row, Size, at_most, exactly
from pixshift.blueprints.limits import Calls
from pixshift.settings_sections import RateLimit
from tests import odd_requests, servers, sites
from tests.sites import Site

AREA = "limits"
PROCESSES = 2
CALLERS = 8  # threads that stand for many people
JOBS = "/api/v1/transformations"
Call = Callable[[], http.client.HTTPResponse]


@dataclass(frozen=True)
class Plan:
    """Which classes of routes are called too often, by how many people status polls come, and how often each polls."""

    classes: tuple[Calls, ...]
    people: int
    polls: int
    slow: int


FULL = Plan((Calls.AUTH, Calls.UPLOAD, Calls.CREATE, Calls.WRITE, Calls.POLL, Calls.READ), 1000, polls=3, slow=200)
SAMPLE = Plan((Calls.AUTH, Calls.CREATE), 50, polls=2, slow=20)


def rows(ground: Ground, size: Size) -> Iterator[Row]:
    plan = FULL if size is Size.FULL else SAMPLE
    with (
        servers.own_redis() as redis,
        ground.database() as name,
        sites.site(ground.folder, ground.postgres.url(name), f"{redis.url}/0") as site,
    ):
        with _product(site, PROCESSES) as port:
            yield _odd(port)
            yield from _too_often(site, port, plan)
            yield _many_behind_one_address(site, port, plan)
            if size is Size.SAMPLE:
                yield from slow_clients.rows(site, port, plan.slow, is_full=False)
            yield from _without_redis(site, port, redis)
            if size is Size.FULL:
                yield _with_redis_again(site, port, redis)
        if size is Size.FULL:
            with _product(site, 1) as port:
                yield from slow_clients.rows(site, port, plan.slow, is_full=True)


@contextmanager
def _product(site: Site, processes: int) -> Iterator[int]:
    """The port of a running product with so many web processes."""
    env = site.env | {"WEB_CONCURRENCY": str(processes)}
    with servers.product(site.folder / f"web-{processes}", env) as product:
        yield int(product.url.rpartition(":")[2])


# --- rates ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hammered:
    """One class of routes, called by one caller until it was refused, and once more after the wait it was told."""

    let_through: int
    seconds: float
    is_true: bool  # the wait
    errors: int

    def excess(self, limit: RateLimit, times: int = 1) -> int:
        """Calls let through above what the limit allows, ``times`` over."""
        return max(0, self.let_through - times * (limit.burst + math.ceil(self.seconds * limit.per_minute / 60)))


def _too_often(site: Site, port: int, plan: Plan) -> Iterator[Row]:
    limits = site.app.extensions["toolbox"].settings.rate_limits
    found = {calls: _hammer(_caller(site, port, calls)) for calls in plan.classes}
    excess = {calls: one.excess(getattr(limits, calls.value)) for calls, one in found.items()}
    early = [getattr(limits, calls.value).burst - one.let_through for calls, one in found.items()]
    what = f"classes of {len(found)} that refuse, and let through after the wait they told"
    yield exactly(AREA, what, sum(one.is_true for one in found.values()), len(found))
    yield exactly(AREA, f"calls let through above the rate by {PROCESSES} processes", sum(excess.values()), 0)
    yield at_most(AREA, "calls refused too early, held ahead by the other process", max(0, *early), 20)
    yield exactly(AREA, "server errors meanwhile", sum(one.errors for one in found.values()), 0)


def _hammer(call: Call) -> Hammered:
    begun, statuses = time.monotonic(), Counter[int]()
    while (answer := call()).status != 429:
        statuses[answer.status] += 1
    seconds = time.monotonic() - begun
    threading.Event().wait(int(answer.headers["Retry-After"]))
    is_true = call().status != 429
    return Hammered(statuses.total(), seconds, is_true, sum(statuses[status] for status in statuses if status >= 500))


def _caller(site: Site, port: int, calls: Calls) -> Call:
    """One call of this class by one caller; each comes over a connection of its own, so any process may get it."""
    token = sign_in(site)[1] if calls is not Calls.AUTH else None
    method, path, body = {
        Calls.AUTH: ("POST", "/login", None),
        Calls.UPLOAD: ("POST", f"{JOBS}/upload", None),
        Calls.CREATE: ("POST", JOBS, {}),
        Calls.WRITE: ("PUT", f"{JOBS}/{uuid4()}", {"status": "CANCELLED"}),
        Calls.POLL: ("GET", f"{JOBS}/{uuid4()}", None),
        Calls.READ: ("GET", JOBS, None),
    }[calls]

    def call() -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, headers | ({"Content-Type": "application/json"} if text else {}))
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    return call


def _many_behind_one_address(site: Site, port: int, plan: Plan) -> Row:
    tokens = [sign_in(site)[1] for _ in range(plan.people)]

    def poll(own: list[str]) -> Counter[int]:
        connection, statuses = http.client.HTTPConnection("127.0.0.1", port, timeout=20), Counter[int]()
        for token in own * plan.polls:
            connection.request("GET", f"{JOBS}/{uuid4()}", headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
        connection.close()
        return statuses

    with ThreadPoolExecutor(CALLERS) as pool:
        statuses = sum(pool.map(poll, (tokens[start::CALLERS] for start in range(CALLERS))), Counter[int]())
    what = f"{plan.people} people at one address poll {statuses.total()} times: refused, or failed"
    return exactly(AREA, what, statuses.total() - statuses[404], 0)  # nobody has such a job


def _without_redis(site: Site, port: int, redis: servers.OwnRedis) -> Iterator[Row]:
    limit = site.app.extensions["toolbox"].settings.rate_limits.create
    redis.stop()
    found = _hammer(_caller(site, port, Calls.CREATE))
    yield exactly(AREA, "Redis away: server errors until the limit holds", found.errors, 0)
    yield exactly(AREA, "Redis away: calls above what each process allows", found.excess(limit, PROCESSES), 0)


def _with_redis_again(site: Site, port: int, redis: servers.OwnRedis) -> Row:
    limit = site.app.extensions["toolbox"].settings.rate_limits.create
    redis.start()
    threading.Event().wait(1.1)  # for so long a process leaves a dead Redis alone
    found = _hammer(_caller(site, port, Calls.CREATE))
    return exactly(AREA, "Redis back: calls above the rate", found.excess(limit), 0)


# --- odd requests ---------------------------------------------------------------------------------------------------


def _odd(port: int) -> Row:
    refused, sound = odd_requests.REFUSED_BY_THE_SERVER, odd_requests.ODD_BUT_SOUND
    wrong = [name for name in refused if not odd_requests.is_refused(port, name)]
    wrong += [name for name, (raw, status) in sound.items() if _status(port, raw) != status]
    return Row(
        AREA, f"{len(refused) + len(sound)} odd requests with a wrong answer", ", ".join(wrong) or "0", "0", not wrong
    )


def _status(port: int, raw: bytes) -> int:
    return odd_requests.status_of(odd_requests.ask(port, raw))
