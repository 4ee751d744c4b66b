"""What a poll says right after each change of a job: with the mirror in Redis, with a dead Redis, and without one."""

import dataclasses
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from sqlalchemy import update

from pixshift.domain.job_facts import JobFacts
from pixshift.domain.lifecycle import MAX_ATTEMPTS, Stage, Status
from pixshift.extensions import db
from pixshift.gateways.ports import Revoked, SessionSnapshot
from pixshift.gateways.redis_client import connect
from pixshift.gateways.status_mirror import NoStatusMirror, RedisStatusMirror
from pixshift.models import User
from pixshift.models.base import utcnow
from pixshift.services import desk, leases, retention, sessions, transformations, watching
from pixshift.services.audit import Actor
from tests import jobs, servers
from tests.jobs import World


class Desk:
    """One running job, its owner and the owner's polls."""

    def __init__(self, world: World, redis_url: str) -> None:
        self.world, self.redis_url = world, redis_url
        self.person = world.person(free_used=1)
        self.photo = world.photo(self.person)
        self.job = world.job(self.person, self.photo)
        self.token = self.sign_in(self.person)

    def sign_in(self, person: UUID) -> str:
        with self.world.app.app_context():
            token = sessions.start(self.world.toolbox, person, "a test")
            db.session.commit()
        return token

    def get(self, path: str, token: str = "", **headers: str) -> Any:
        headers |= {"Authorization": f"Bearer {token or self.token}"}
        return self.world.app.test_client().get(path, headers=headers)

    def program(self, token: str = "") -> Any:
        return self.get(f"/api/v1/transformations/{self.job}", token)

    def page(self, token: str = "") -> Any:
        return self.get(f"/transformations/{self.job}/status", token, **{"HX-Request": "true"})

    def polled(self) -> tuple[str, str]:
        """The status a program is told, and the stage a page shows."""
        stage = self.page().text.partition('data-stage="')[2].partition('"')[0]
        return self.program().json["transformation"]["status"], stage

    def run(self, call: Callable[[], object]) -> Any:
        with self.world.app.app_context():
            return call()

    def changed(self, call: Callable[[], object]) -> tuple[str, str]:
        """What the polls right after a change say."""
        self.polled(), self.polled()  # the mirror holds it now, if there is one
        self.run(call)
        return self.polled()


@contextmanager
def own_redis(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis that a test may kill."""
    socket = folder / "redis.sock"
    words = [servers._redis_binary(), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        servers.wait_until(lambda: servers._answers_ping(f"unix://{socket}"), what="Redis")
        yield f"unix://{socket}", process
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(params=["with Redis", "Redis stopped", "without Redis"])
def place(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Desk]:
    """The same product three times, on both databases: nobody may notice the difference."""
    if request.param == "Redis stopped":
        with (
            servers.short_folder() as folder,
            own_redis(folder) as (url, process),
            jobs.world(database_url, tmp_path, REDIS_URL=url) as world,
        ):
            made = at_work(world, url)
            made.polled()
            process.kill()
            process.wait(10)
            yield made
        return
    url = request.getfixturevalue("redis_url") if request.param == "with Redis" else ""
    with jobs.world(database_url, tmp_path, REDIS_URL=url) as world:
        yield at_work(world, url)


@pytest.fixture
def mirrored(sqlite_url: str, redis_url: str, tmp_path: Path) -> Iterator[Desk]:
    with jobs.world(sqlite_url, tmp_path, REDIS_URL=redis_url) as world:
        yield at_work(world, redis_url)


def at_work(world: World, url: str) -> Desk:
    world.clock.now = utcnow()  # sessions are proved by the same clock
    return Desk(world, url)


def statuses(place: Desk) -> Any:
    return place.world.toolbox.gateways.statuses


def kept(place: Desk) -> JobFacts | None:
    """What the mirror holds."""
    return statuses(place).get(place.job, "nobody")[1]


# --- every change is seen by the next poll --------------------------------------------------------------------------


def test_a_claim_a_stage_and_the_end_are_seen_at_once(place: Desk) -> None:
    assert place.polled() == ("PENDING", "waiting")
    claimed: list[Any] = []
    assert place.changed(lambda: claimed.append(leases.claim(place.world.toolbox))) == ("PROCESSING", "making")
    storage, seen = place.world.storage, []
    put = storage.put

    def slow_put(key: str, data: bytes, media_type: str) -> None:
        seen.append(place.polled())
        put(key, data, media_type)

    storage.put = slow_put  # type: ignore[method-assign]
    assert place.changed(lambda: place.world.make(claimed[0])) == ("COMPLETED", "final")
    assert seen == [("PROCESSING", "checking")]


def test_a_failure_and_the_next_try_are_seen_at_once(place: Desk) -> None:
    job = place.world.claimed()
    place.world.editor.fail("VENDOR_DOWN", retryable=True)
    assert place.changed(lambda: place.world.make(job)) == ("PENDING", "waiting")
    place.world.clock.forward(minutes=2)
    job = place.world.claimed()
    place.world.editor.fail("PROMPT_BLOCKED")
    assert place.changed(lambda: place.world.make(job)) == ("FAILED", "final")
    assert place.program().json["transformation"]["errorCode"] == "TRANSFORMATION_FAILED"


def test_a_cancel_is_seen_at_once(place: Desk) -> None:
    tools = place.world.toolbox
    assert place.changed(lambda: transformations.cancel(tools, place.person, place.job)) == ("FAILED", "final")
    assert place.program().json["transformation"]["errorCode"] == "CANCELLED"


def test_what_a_worker_hands_back_is_seen_at_once(place: Desk) -> None:
    lease = place.world.claimed().lease
    assert place.changed(lambda: leases.hand_back(place.world.toolbox, lease)) == ("PENDING", "waiting")


def test_what_the_sweeper_takes_back_is_seen_at_once(place: Desk) -> None:
    for status, stage in [("PENDING", "waiting")] * (MAX_ATTEMPTS - 1) + [("FAILED", "final")]:
        assert place.world.claim() is not None
        place.polled()
        place.world.clock.forward(seconds=61)
        assert place.changed(lambda: leases.take_back_lost(place.world.toolbox)) == (status, stage)


def test_what_an_operator_does_is_seen_at_once(place: Desk) -> None:
    tools = place.world.toolbox
    assert place.changed(lambda: desk.fail(tools, place.job, Actor("cli:tester"))) == ("FAILED", "final")
    assert place.changed(lambda: desk.requeue(tools, place.job, Actor("cli:tester"))) == ("PENDING", "waiting")


def test_a_download_and_a_deletion_are_seen_at_once(place: Desk) -> None:
    tools = place.world.toolbox
    place.world.make_next()
    place.changed(lambda: retention.downloaded(tools, place.job))
    assert place.program().json["transformation"]["downloadedAt"] is not None
    assert place.program().json["transformation"]["transformedImageUrl"] is not None
    place.changed(lambda: retention.delete_now(tools, place.job))
    assert place.program().json["transformation"]["transformedImageUrl"] is None
    assert "Deleted" in place.page().text


def test_a_photo_that_goes_while_it_is_used_again_is_not_shown_any_more(place: Desk) -> None:
    place.world.make_next()
    first = place.job
    place.job = place.world.job(place.person, place.photo)
    assert place.world.claim() is not None
    place.changed(lambda: retention.delete_now(place.world.toolbox, first))
    assert place.program().json["transformation"]["originalImageUrl"] is None
    assert "/pictures/photo/" not in place.page().text


# --- who may see it -------------------------------------------------------------------------------------------------


def test_somebody_elses_job_is_not_there(place: Desk) -> None:
    stranger = place.sign_in(place.world.person())
    for _ in range(2):
        place.polled()
        assert (place.program(stranger).status_code, place.page(stranger).status_code) == (404, 404)
    place.job = uuid4()
    assert (place.program().status_code, place.page().status_code) == (404, 404)


def test_a_poll_after_the_sign_out_is_refused(place: Desk) -> None:
    place.polled()
    with place.world.app.app_context():
        caller = sessions.resolve(place.world.toolbox, place.token)
        sessions.end(place.world.toolbox, caller)
    assert (place.program().status_code, place.program().json["error"]["code"]) == (401, "AUTH_EXPIRED")


def test_a_poll_of_somebody_erased_is_refused(place: Desk) -> None:
    place.polled()
    with place.world.app.app_context():
        db.session.execute(update(User).where(User.id == place.person).values(erased_at=utcnow()))
        db.session.commit()
        sessions.role_changed(place.world.toolbox, place.person)
    assert place.program().status_code == 401


# --- the mirror itself ----------------------------------------------------------------------------------------------


def test_a_second_poll_reads_no_row(mirrored: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    place = mirrored
    assert place.world.claim() is not None
    first = place.program().json, place.page().text
    with monkeypatch.context() as patch:
        patch.setattr(watching, "read_rows", None)
        patch.setattr(sessions, "read_rows", None)
        assert (place.program().json, place.page().text) == first


def test_the_mirror_gives_what_the_row_gave(mirrored: Desk) -> None:
    place = mirrored
    assert place.world.claim() is not None
    caller = sessions.Caller(place.person, None, uuid4(), "")  # type: ignore[arg-type]
    read = place.run(lambda: watching.look(place.world.toolbox, caller, place.job))
    assert kept(place) == read
    assert (read.status, read.stage, read.upload.name) == (Status.PROCESSING, Stage.MAKING, "photo.jpg")
    row = place.world.read(place.job)
    own = [name for name in JobFacts._fields if name not in ("type", "upload")]
    assert [getattr(read, name) for name in own] == [getattr(row, name) for name in own]


def test_a_job_without_a_photo_is_kept_too(mirrored: Desk) -> None:
    place = mirrored
    place.world.change(place.job, upload_id=None)
    for _ in range(2):
        assert place.program().json["transformation"]["originalImageUrl"] is None
    assert kept(place) is not None


def test_what_has_ended_is_not_kept(mirrored: Desk) -> None:
    place = mirrored
    place.world.make_next()
    place.polled()
    assert kept(place) is None


def test_a_slow_reader_cannot_put_an_old_state_back(mirrored: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the row, then sleeps while the job is claimed and polled, then fills."""
    place, read_rows = mirrored, watching.read_rows

    def slowly(*words: Any) -> Any:
        rows = read_rows(*words)
        monkeypatch.setattr(watching, "read_rows", read_rows)
        with ThreadPoolExecutor(1) as other:
            other.submit(place.world.claimed).result()
            assert other.submit(place.polled).result() == ("PROCESSING", "making")
        return rows

    monkeypatch.setattr(watching, "read_rows", slowly)
    assert place.program().json["transformation"]["status"] == "PENDING"  # asked before the change
    assert place.polled() == ("PROCESSING", "making")
    held = kept(place)
    assert held is not None
    assert held.status is Status.PROCESSING


def test_a_reader_that_is_slower_than_its_ticket_fills_nothing(mirrored: Desk) -> None:
    place = mirrored
    place.polled()
    facts = kept(place)
    assert facts is not None
    statuses(place).forget(place.job)
    ticket = statuses(place).expect(place.job)
    with redis.Redis.from_url(place.redis_url) as client:
        assert all(0 < client.ttl(key) <= 5 for key in client.scan_iter("pixshift:job:*"))
        client.delete(*client.scan_iter("pixshift:job:*"))
    statuses(place).fill(ticket, facts)
    assert kept(place) is None
    statuses(place).fill("", facts)
    assert kept(place) is None


def test_what_is_kept_goes_by_itself(mirrored: Desk) -> None:
    mirrored.polled()
    with redis.Redis.from_url(mirrored.redis_url) as client:
        (key,) = client.scan_iter("pixshift:job:*")
        assert 0 < client.ttl(key) <= 30


@pytest.mark.parametrize("value", ["", "{}", "[]", "null", "ticket 0", '["a", "b"]', "\x00"])
def test_what_another_version_wrote_counts_for_nothing(mirrored: Desk, value: str) -> None:
    mirrored.polled()
    with redis.Redis.from_url(mirrored.redis_url) as client:
        (key,) = client.scan_iter("pixshift:job:*")
        client.set(key, value)
    assert mirrored.polled() == ("PENDING", "waiting")


def test_a_revoked_session_is_known_in_the_same_trip(mirrored: Desk) -> None:
    place = mirrored
    place.polled()
    token_hash = sessions._hash(place.token)
    session, facts = statuses(place).get(place.job, token_hash)
    assert isinstance(session, SessionSnapshot)
    assert (session.user_id, facts.id) == (str(place.person), place.job)
    place.world.toolbox.gateways.sessions.revoke(token_hash)
    assert isinstance(statuses(place).get(place.job, token_hash)[0], Revoked)


def test_the_mirror_that_is_none_knows_nothing(mirrored: Desk) -> None:
    mirrored.polled()
    facts, none = kept(mirrored), NoStatusMirror()
    assert facts is not None
    none.fill(none.expect(mirrored.job), facts)
    none.forget(mirrored.job)
    assert none.get(mirrored.job, "") == (None, None)


def test_a_dead_redis_never_raises(mirrored: Desk) -> None:
    mirrored.polled()
    facts = kept(mirrored)
    assert facts is not None
    with connect(f"redis://127.0.0.1:{servers.free_port()}") as client:
        dead = RedisStatusMirror(client)
        dead.fill(dead.expect(mirrored.job), facts)
        dead.forget(mirrored.job)
        assert dead.get(mirrored.job, "") == (None, None)


def test_gateways_made_by_hand_need_no_mirror(mirrored: Desk) -> None:
    gateways = mirrored.world.toolbox.gateways
    without = {item.name: getattr(gateways, item.name) for item in dataclasses.fields(gateways)}
    del without["statuses"]
    assert isinstance(type(gateways)(**without).statuses, NoStatusMirror)
