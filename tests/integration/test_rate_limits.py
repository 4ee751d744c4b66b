"""Rates: what every RateLimits keeps, and what a caller of each class of route meets."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pixshift import create_app
from pixshift.blueprints.limits import Calls
from pixshift.domain.rates import Rate
from pixshift.gateways.ports import RateLimits
from pixshift.gateways.rate_limits import MemoryRateLimits, RedisRateLimits
from pixshift.gateways.redis_client import connect
from pixshift.settings import load_settings
from pixshift.settings_sections import RateLimit
from tests import factories, servers
from tests.factories import Person
from tests.integration.conftest import MakeApp

RATE = Rate(per_minute=60, burst=5)


@dataclass
class Bench:
    """Rates, and a way to let time pass without waiting for it."""

    rates: RateLimits
    pass_seconds: Callable[[float], None]

    def taken(self, key: str, rate: Rate, calls: int) -> int:
        """How many of so many calls may go on."""
        return [self.rates.take(key, rate) for _ in range(calls)].count(0.0)


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with connect(redis_url) as connected:
        yield connected


@pytest.fixture(params=["memory", "redis"])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        now = [1000.0]

        def pass_seconds(seconds: float) -> None:
            now[0] += seconds

        return Bench(MemoryRateLimits(lambda: now[0]), pass_seconds)
    client = request.getfixturevalue("client")

    def age(seconds: float) -> None:
        for key in client.scan_iter():
            paid, left = client.get(key), int(client.pttl(key) - seconds * 1000)
            if paid is not None:
                client.set(key, int(paid) - round(seconds * 1_000_000), px=max(1, left))

    return Bench(RedisRateLimits(client), age)


# --- what every RateLimits keeps ------------------------------------------------------------------------------------


def test_a_burst_goes_through_and_then_the_rate(bench: Bench) -> None:
    assert bench.taken("a", RATE, 8) == 5
    assert 0 < bench.rates.take("a", RATE) <= 1
    bench.pass_seconds(2)
    assert bench.taken("a", RATE, 8) == 2
    bench.pass_seconds(60)
    assert bench.taken("a", RATE, 8) == 5


def test_after_the_wait_it_was_told_a_call_goes_on(bench: Bench) -> None:
    for rate in (RATE, Rate(per_minute=7, burst=1), Rate(per_minute=1200, burst=3), Rate(per_minute=1, burst=2)):
        key = str(uuid4())
        bench.taken(key, rate, rate.burst)
        for _ in range(3):
            wait = bench.rates.take(key, rate)
            assert 0 < wait <= rate.interval + 0.000_001
            bench.pass_seconds(wait)
            assert bench.rates.take(key, rate) == 0


def test_a_refused_call_counts_nothing(bench: Bench) -> None:
    bench.taken("a", RATE, 500)
    assert bench.rates.take("a", RATE) <= 1


def test_one_key_takes_nothing_from_another(bench: Bench) -> None:
    bench.taken("a", RATE, 20)
    assert bench.taken("b", RATE, 5) == 5


def test_calls_at_the_same_moment_are_counted_one_by_one(bench: Bench) -> None:
    slow = Rate(per_minute=1, burst=30)
    start = threading.Barrier(16)

    def call(_: int) -> int:
        start.wait(10)
        return bench.taken("a", slow, 5)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(call, range(16))) == 30


# --- Redis ----------------------------------------------------------------------------------------------------------


def test_processes_share_one_count(client: Any) -> None:
    processes = [RedisRateLimits(client) for _ in range(3)]
    slow = Rate(per_minute=1, burst=30)
    assert [processes[call % 3].take("a", slow) for call in range(60)].count(0.0) == 30


def test_a_lot_costs_one_trip_and_lets_no_more_through(client: Any) -> None:
    slow = Rate(per_minute=1, burst=50, lot=20)
    first, second = RedisRateLimits(client), RedisRateLimits(client)
    before = client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    assert [first.take("a", slow) for _ in range(20)].count(0.0) == 20
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - before <= 2  # the first one brings the script
    assert [(first, second)[call % 2].take("a", slow) for call in range(80)].count(0.0) == 30


def test_a_lot_is_spent_within_a_minute_or_not_at_all(client: Any) -> None:
    now = [1000.0]
    rates = RedisRateLimits(client, lambda: now[0])
    slow = Rate(per_minute=1, burst=20, lot=20)
    assert rates.take("a", slow) == 0
    now[0] += 61
    assert rates.take("a", slow) > 0


def test_what_is_left_when_less_than_a_lot_is_left_is_given(client: Any) -> None:
    assert Bench(RedisRateLimits(client), time.sleep).taken("a", Rate(per_minute=1, burst=7, lot=20), 20) == 7


def test_a_clock_that_was_set_back_shuts_nobody_out(client: Any) -> None:
    rates = RedisRateLimits(client)
    rates.take("a", RATE)
    (key,) = client.keys()
    client.set(key, int(client.get(key)) + 3_600_000_000)
    assert rates.take("a", RATE) <= 1


def test_every_count_leaves_redis_by_itself(client: Any) -> None:
    rates = RedisRateLimits(client)
    for _ in range(5):
        rates.take("a", RATE)
    (key,) = client.keys()
    assert 0 < client.pttl(key) <= 5000


def test_without_redis_each_process_counts_alone_and_with_it_together_again(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers at once however often it is asked, because a Redis that is away is asked once a second at most."""
    now = [1000.0]
    rates, place = RedisRateLimits(client, lambda: now[0]), client.connection_pool.connection_kwargs
    assert rates.take("a", RATE) == 0
    port, place["port"] = place["port"], servers.free_port()
    client.connection_pool.disconnect()
    client.connection_pool.reset()
    assert [rates.take("a", RATE) for _ in range(200)].count(0.0) == 5
    assert [record.message for record in caplog.records] == ["rate limits is away: ConnectionError"]
    place["port"] = port
    client.connection_pool.reset()
    now[0] += 2
    assert rates.take("b", RATE) == 0
    assert client.get("pixshift:rate:b")
    assert caplog.records[-1].message == "rate limits is back"


# --- memory ---------------------------------------------------------------------------------------------------------


def test_strangers_with_many_addresses_do_not_fill_the_memory() -> None:
    rates = MemoryRateLimits(most_keys=1000)
    for _ in range(20):
        rates.take("who hammers", Rate(per_minute=1, burst=20))
    for number in range(5000):
        rates.take(f"stranger {number}", RATE)
    assert len(rates) <= 1000
    assert rates.take("who hammers", Rate(per_minute=1, burst=20)) > 0


def test_lots_of_strangers_do_not_fill_the_memory(client: Any) -> None:
    rates = RedisRateLimits(client, most_keys=100)
    for number in range(250):
        rates.take(f"stranger {number}", Rate(per_minute=60, burst=60, lot=10))
    assert len(rates) <= 100


# --- what a caller meets --------------------------------------------------------------------------------------------

SMALL = RateLimit(per_minute=60, burst=3)
ROUTES = {
    Calls.UPLOAD: ("POST", "/api/v1/transformations/upload"),
    Calls.CREATE: ("POST", "/api/v1/transformations"),
    Calls.WRITE: ("PUT", "/api/v1/transformations/{id}"),
    Calls.POLL: ("GET", "/api/v1/transformations/{id}"),
    Calls.READ: ("GET", "/api/v1/transformations"),
}


@pytest.fixture
def narrow(make_app: MakeApp, sqlite_url: str) -> Iterator[Callable[..., Flask]]:
    """Builds the application with three calls at once for these classes, sixty a minute from then on."""
    made: list[Flask] = []

    def build(*narrowed: Calls, **environ: str) -> Flask:
        plain = make_app(DATABASE_URL=sqlite_url, **environ).extensions["toolbox"].settings
        rates = plain.rate_limits.model_copy(update={calls.value: SMALL for calls in narrowed})
        made.append(create_app(plain.model_copy(update={"rate_limits": rates})))
        return made[-1]

    yield build
    for app in made:
        app.extensions["toolbox"].gateways.close()


def call(who: Person, calls: Calls) -> TestResponse:
    method, path = ROUTES[calls]
    return who.client.open(path.format(id=uuid4()), method=method, headers=who.headers)


def codes(client: FlaskClient, address: str, times: int) -> list[int]:
    """What an anonymous caller at this address hears who tries codes."""
    client.environ_base["REMOTE_ADDR"] = address
    token = {"X-CSRFToken": factories.csrf_token(client)}
    body = {"phone": "+12025550123", "otp": "1"}
    return [client.post("/api/v1/auth/sms/verify-otp", json=body, headers=token).status_code for _ in range(times)]


@pytest.mark.parametrize("calls", [calls for calls in ROUTES if calls is not Calls.READ])
def test_each_class_of_routes_has_a_rate_of_its_own(calls: Calls, narrow: Callable[..., Flask]) -> None:
    app = narrow(calls)
    who = factories.person(app)
    answers = [call(who, calls) for _ in range(4)]
    assert 429 not in [answer.status_code for answer in answers[:3]]
    refused, error = answers[3], factories.error_of(answers[3])
    assert (refused.status_code, error["code"], refused.headers["Retry-After"]) == (429, "RATE_LIMIT_EXCEEDED", "1")
    assert error["details"] == {"limit": 60, "per": "minute", "retryAfter": 1}
    others = [call(who, other).status_code for other in ROUTES if other is not calls]
    assert 429 not in others


def test_codes_are_counted_by_address_though_somebody_is_signed_in(narrow: Callable[..., Flask]) -> None:
    app = narrow(Calls.AUTH)
    people = [factories.person(app) for _ in range(2)]
    assert codes(people[0].client, "192.0.2.7", 3) == [400] * 3
    assert codes(people[1].client, "192.0.2.7", 1) == [429]
    assert codes(app.test_client(), "192.0.2.7", 1) == [429]
    assert codes(app.test_client(), "192.0.2.8", 1) == [400]


def test_people_behind_one_address_do_not_stop_each_other(narrow: Callable[..., Flask]) -> None:
    app = narrow(Calls.POLL)
    people = [factories.person(app) for _ in range(5)]
    for who in people:
        who.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert [call(who, Calls.POLL).status_code for who in people * 3] == [404] * 15
    assert call(people[0], Calls.POLL).status_code == 429


def test_a_wrong_token_is_counted_by_address(narrow: Callable[..., Flask]) -> None:
    client = narrow(Calls.READ).test_client()
    answers = [client.get("/api/v1/auth/session", headers={"Authorization": f"Bearer {uuid4()}"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]


def test_an_ipv6_caller_is_its_network_and_a_mapped_one_its_own_address(narrow: Callable[..., Flask]) -> None:
    app = narrow(Calls.AUTH)
    neighbours = [f"2001:db8:0:1::{number:x}" for number in range(1, 5)]
    assert [codes(app.test_client(), address, 1)[0] for address in neighbours] == [400, 400, 400, 429]
    assert codes(app.test_client(), "2001:db8:0:2::1", 1) == [400]
    mapped = [f"::ffff:192.0.2.{number}" for number in range(1, 5)]
    assert [codes(app.test_client(), address, 1)[0] for address in mapped] == [400] * 4


def test_a_forwarded_address_is_believed_only_from_configured_hops(narrow: Callable[..., Flask]) -> None:
    def tries(app: Flask) -> list[int]:
        client, body = app.test_client(), {"phone": "+12025550123", "otp": "1"}
        token = {"X-CSRFToken": factories.csrf_token(client)}
        forwarded = [{**token, "X-Forwarded-For": f"203.0.113.{number}"} for number in range(5)]
        return [client.post("/login/code", json=body, headers=headers).status_code for headers in forwarded]

    assert tries(narrow(Calls.AUTH)) == [303, 303, 303, 429, 429]
    assert tries(narrow(Calls.AUTH, TRUSTED_PROXIES="1")) == [303] * 5


def test_a_refusal_does_nothing_else(narrow: Callable[..., Flask]) -> None:
    """No body is parsed, no CSRF token judged, no cookie set, nothing written; the rest of the body is taken."""
    app = narrow(Calls.UPLOAD)
    who = factories.person(app)
    for _ in range(3):
        call(who, Calls.UPLOAD)
    body, media_type = factories.multipart(factories.photo(), "photo.jpg", {})
    answer = who.client.post("/api/v1/transformations/upload", data=body, content_type=media_type)
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (429, [])
    assert answer.request.environ["wsgi.input"].read() == b""


def test_a_refusal_has_three_skins(narrow: Callable[..., Flask]) -> None:
    client = narrow(Calls.READ).test_client()
    for _ in range(3):
        client.get("/nothing-here")
    page, part = client.get("/login"), client.get("/login", headers={"HX-Request": "true"})
    program = client.get("/api/v1/auth/csrf")
    for answer in (page, part, program):
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert "That was a bit fast. Please wait 1 second and try again." in answer.text
        assert answer.headers.getlist("Set-Cookie") == []
    assert "<html" in page.text
    assert "<html" not in part.text


def test_probes_and_assets_are_never_counted(narrow: Callable[..., Flask]) -> None:
    client = narrow(*set(Calls) - {Calls.NONE}).test_client()
    for _ in range(10):
        assert client.get("/healthz").status_code == 200


def test_a_limit_that_is_hit_is_logged_without_the_address(
    narrow: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    who = factories.person(narrow(Calls.POLL))
    who.client.environ_base["REMOTE_ADDR"] = "192.0.2.77"
    logger = logging.getLogger("pixshift.blueprints.limits")
    logger.addHandler(caplog.handler)
    for _ in range(4):
        call(who, Calls.POLL)
    logger.removeHandler(caplog.handler)
    (line,) = [record for record in caplog.records if record.message == "limit hit"]
    assert (vars(line)["calls"], vars(line)["network"]) == ("poll", "192.0.2.0/24")
    assert "192.0.2.77" not in str(vars(line))


def test_the_retry_after_of_an_answer_is_true(make_app: MakeApp, sqlite_url: str, redis_url: str) -> None:
    settings = make_app(DATABASE_URL=sqlite_url, REDIS_URL=redis_url).extensions["toolbox"].settings
    rates = settings.rate_limits.model_copy(update={"read": RateLimit(per_minute=120, burst=2)})
    app = create_app(settings.model_copy(update={"rate_limits": rates}))
    client, pause = app.test_client(), threading.Event()
    while (answer := client.get("/privacy")).status_code == 200:
        pass
    pause.wait(int(answer.headers["Retry-After"]))
    assert client.get("/privacy").status_code == 200
    app.extensions["toolbox"].gateways.close()


def test_the_rates_come_from_their_file() -> None:
    limits = load_settings({"PIXSHIFT_ENV": "test"}).rate_limits
    found = {name: (limit.per_minute, limit.burst) for name, limit in limits}
    assert found == {
        "auth": (60, 60), "upload": (300, 300), "create": (120, 120), "write": (300, 300), "poll": (1200, 1200),
        "read": (1200, 1200), "report": (20, 20), "vendor": (3000, 3000),
    }  # fmt: skip
