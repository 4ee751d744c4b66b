"""One part is away for a moment: the rest says so clearly, goes on and loses nothing. The drills do it for longer."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.disks import Disk
from pixshift.domain.lifecycle import Status
from tests import factories, jobs, servers, sites
from tests.conftest import migrate
from tests.factories import Person
from tests.sites import Site


@pytest.fixture
def site(postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Site]:
    with sites.site(tmp_path, postgres_url, redis_url) as made:
        yield made


def pictures(site: Site) -> Path:
    return Path(site.env["PIXSHIFT_INSTANCE"]) / "pictures"


def refusal(who: Person, path: str) -> tuple[int, str, bool]:
    """Status and code of a GET that fails, and whether its error has an id."""
    answer = who.client.get(path, headers=who.bearer)
    error = factories.error_of(answer)
    return answer.status_code, error["code"], bool(error["requestId"])


def test_a_photo_that_cannot_be_stored_is_refused_clearly_and_leaves_nothing(site: Site) -> None:
    who = factories.person(site.app)
    pictures(site).write_text("not a folder")
    answer = factories.send_photo(who, factories.photo())
    assert (answer.status_code, factories.error_of(answer)["code"]) == (502, "API_ERROR")
    pictures(site).unlink()
    assert factories.upload(who)["imageId"]
    assert len([file for file in pictures(site).rglob("*") if file.is_file()]) == 1


def test_a_picture_that_finds_the_disk_full_is_stored_when_there_is_room_and_was_made_once(site: Site) -> None:
    site.gemini.gate = gate = threading.Event()
    with site.worker() as worker:
        job = site.ask()
        servers.wait_until(lambda: site.gemini.in_flight == 1)
        with Disk(pictures(site), is_real=False).full([worker.process.pid]):
            gate.set()
            servers.wait_until(lambda: site.gemini.in_flight == 0)
            servers.wait_until(lambda: jobs.read_attempts(site.app, job)[0].storage_key, what="the try to store it")
            assert site.status(job) is Status.PROCESSING
            assert site.stored() == 0
        site.wait_for(job)
    assert site.is_complete(job)
    assert site.gemini.calls == 1
    assert list(pictures(site).rglob("*.part")) == []


def test_a_database_that_was_restarted_is_found_again_by_web_and_worker(redis_url: str, tmp_path: Path) -> None:
    with servers.own_postgres() as postgres, postgres.database() as name:
        url = postgres.url(name)
        migrate(url, tmp_path)
        with sites.site(tmp_path, url, redis_url) as site, site.worker():
            who = factories.person(site.app)
            site.gemini.gate = gate = threading.Event()
            job = site.ask()
            servers.wait_until(lambda: site.gemini.in_flight == 1)
            postgres.stop()
            gate.set()
            assert refusal(who, "/api/v1/transformations") == (500, "INTERNAL_ERROR", True)
            postgres.start()
            site.wait_for(job)
            assert site.is_complete(job)
            assert site.gemini.calls == 1
            assert who.client.get("/api/v1/transformations", headers=who.bearer).status_code == 200


def test_a_queue_file_that_was_deleted_is_made_anew_and_no_job_is_forgotten(sqlite_url: str, tmp_path: Path) -> None:
    with sites.site(tmp_path, sqlite_url, "") as site:
        waiting = [site.ask() for _ in range(3)]
        for file in Path(site.env["PIXSHIFT_INSTANCE"]).glob("queue.sqlite3*"):
            file.unlink()
        with site.worker():
            site.wait_for(*waiting)
        assert all(site.is_complete(job) for job in waiting)
