"""Worker processes as an operator runs them: they work, they stop, they are killed, and no picture is lost."""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from pixshift.domain.lifecycle import Reservation, Status
from tests import jobs, servers, sites
from tests.sites import Site

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(params=["postgresql and redis", "sqlite"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    big = request.param != "sqlite"
    database_url = str(request.getfixturevalue("postgres_url" if big else "sqlite_url"))
    redis_url = str(request.getfixturevalue("redis_url")) if big else ""
    with sites.site(tmp_path, database_url, redis_url) as made:
        yield made


@pytest.fixture
def big_site(postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Site]:
    """PostgreSQL and Redis alone."""
    with sites.site(tmp_path, postgres_url, redis_url) as made:
        yield made


def is_clean(log: str) -> bool:
    return not re.search(r"Traceback|\"level\": \"(error|critical)\"", log)


def test_a_worker_makes_the_picture_and_stops_clean_when_told_to(site: Site) -> None:
    with site.worker() as worker:
        job = site.ask()
        site.wait_for(job)
        assert worker.stop() == 0
    assert site.is_complete(job)
    assert "worker stopped" in worker.text()
    assert is_clean(worker.text()), worker.text()
    assert jobs.alive(worker.process.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_other_ways_to_say_stop_mean_the_same(site: Site, number: signal.Signals) -> None:
    with site.worker() as worker:
        os.kill(worker.process.pid, number)
        assert worker.process.wait(10) == 0
    assert is_clean(worker.text()), worker.text()


def test_two_processes_of_four_threads_make_fifty_jobs_each_exactly_once(site: Site) -> None:
    waiting = [site.ask() for _ in range(50)]
    with site.worker(4), site.worker(4):
        site.wait_for(*waiting, timeout=60)
    assert all(site.is_complete(job) for job in waiting)
    assert site.gemini.calls == 50
    assert Counter(len(jobs.read_attempts(site.app, job)) for job in waiting) == {1: 50}
    assert site.stored() == 50


def test_a_worker_told_to_stop_finishes_what_it_has_in_hand(site: Site) -> None:
    site.gemini.mood, site.gemini.delay = "slow", 2.0
    with site.worker() as worker:
        job = site.ask()
        servers.wait_until(lambda: site.gemini.in_flight == 1)
        assert worker.stop() == 0
    assert site.is_complete(job)
    assert len(jobs.read_attempts(site.app, job)) == 1
    assert is_clean(worker.text()), worker.text()


def test_a_worker_that_cannot_finish_in_time_hands_back(big_site: Site) -> None:
    """With two seconds instead of twenty-five; a drill waits for all of them."""
    site = big_site
    site.gemini.push("hang")
    with jobs.worker(site.folder, site.env, launcher=("tests/hasty.py", "2")) as worker:
        job = site.ask()
        servers.wait_until(lambda: site.gemini.in_flight == 1)
        assert worker.stop() == 0
    row = jobs.read_job(site.app, job)
    assert (row.status, row.lease_token) == (Status.PENDING, None)
    assert is_clean(worker.text()), worker.text()
    with site.worker():
        site.wait_for(job)
    assert site.is_complete(job)
    assert len(jobs.read_attempts(site.app, job)) == 2


def test_a_job_whose_worker_was_killed_is_made_by_another_one_once(site: Site) -> None:
    site.gemini.push("hang")
    with site.worker() as victim:
        job = site.ask()
        servers.wait_until(lambda: site.gemini.in_flight == 1)
        victim.process.kill()
        victim.process.wait(10)
    assert site.status(job) is Status.PROCESSING
    with site.worker():
        assert site.status(job) is Status.PROCESSING  # its lease still runs
    site.lease_runs_out(job)
    with site.worker():
        site.wait_for(job)
    assert site.is_complete(job)
    assert jobs.read_job(site.app, job).attempts == 2
    assert [attempt.outcome for attempt in jobs.read_attempts(site.app, job)] == [None, "COMPLETED"]
    assert site.stored() == 1


def test_a_job_that_kills_three_workers_fails_and_costs_nothing(big_site: Site) -> None:
    site = big_site
    site.gemini.mood = "hang"
    job = site.ask()
    for attempt in (1, 2, 3):
        with site.worker() as victim:
            servers.wait_until(lambda: site.status(job) is Status.PROCESSING)
            servers.wait_until(lambda attempt=attempt: site.gemini.calls == attempt)
            victim.process.kill()
            victim.process.wait(10)
        site.lease_runs_out(job)
    with site.worker():
        site.wait_for(job, status=Status.FAILED)
    row = jobs.read_job(site.app, job)
    assert (row.failure_reason, row.attempts, row.reservation) == ("WORKER_LOST", 3, Reservation.RELEASED)
    assert jobs.read_free_used(site.app, site.people[job]) == 0
    assert site.gemini.calls == 3


def test_a_frozen_worker_that_wakes_up_too_late_changes_nothing(site: Site) -> None:
    site.gemini.mood, site.gemini.delay = "slow", 1.0
    with site.worker() as frozen:
        job = site.ask()
        servers.wait_until(lambda: site.gemini.in_flight == 1)
        os.kill(frozen.process.pid, signal.SIGSTOP)
        site.lease_runs_out(job)
        with site.worker() as other:
            site.wait_for(job)
            winner = jobs.read_job(site.app, job).transformed_image_url
            os.kill(frozen.process.pid, signal.SIGCONT)
            servers.wait_until(lambda: "too late" in frozen.text() or _ended(site, job, 1), what="the late end")
            assert other.stop() == 0
        assert frozen.stop() == 0
    assert site.is_complete(job)
    assert jobs.read_job(site.app, job).transformed_image_url == winner
    assert [attempt.outcome for attempt in jobs.read_attempts(site.app, job)] == ["LEASE_LOST", "COMPLETED"]
    assert site.stored() == 1


def _ended(site: Site, job: UUID, number: int) -> bool:
    return jobs.read_attempts(site.app, job)[number - 1].outcome is not None


def test_jobs_asked_for_while_the_queue_was_away_are_found_when_a_worker_comes(
    postgres_url: str, tmp_path: Path
) -> None:
    with sites.site(tmp_path, postgres_url, NOWHERE) as site:
        begun = time.monotonic()
        waiting = [site.ask() for _ in range(3)]
        assert time.monotonic() - begun < 10
        site.env["REDIS_URL"] = ""  # the queue is back, and empty
        with site.worker():
            site.wait_for(*waiting)
        assert all(site.is_complete(job) for job in waiting)


def test_a_worker_whose_queue_is_away_says_so_briefly_and_still_stops_clean(big_site: Site) -> None:
    big_site.env["REDIS_URL"] = NOWHERE
    with big_site.worker(4) as worker:
        servers.wait_until(lambda: "queue away" in worker.text())
        assert worker.stop() == 0
    assert "Traceback" not in worker.text()
    assert worker.text().count("\n") < 20, worker.text()
