"""The sweeper with real queues and both databases: what is due and unclaimed is found again, whatever happened."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import redis
from flask import Flask

from pixshift.domain.lifecycle import Status
from pixshift.tasks.queue import HueyQueue
from pixshift.tasks.retention import sweep_once
from tests import jobs


@pytest.fixture
def app(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application with Redis, on PostgreSQL and on SQLite."""
    with jobs.application(database_url, tmp_path, REDIS_URL=redis_url) as made:
        yield made


@pytest.fixture
def quiet_app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The same with the queue in a file."""
    with jobs.application(database_url, tmp_path) as made:
        yield made


def queue(app: Flask) -> HueyQueue:
    found: HueyQueue = app.extensions["toolbox"].gateways.queue
    return found


def waiting(app: Flask, count: int, **values: object) -> list[UUID]:
    now = datetime.now(UTC)
    type_id = jobs.add_type(app)
    person = jobs.add_person(app, free_used=count)
    photo = jobs.add_photo(app, person, now)
    return [jobs.add_job(app, person, photo, type_id, now, **values) for _ in range(count)]


def flush_and_sweep(app: Flask) -> None:
    waiting(app, 30)
    for _ in range(30):
        queue(app).nudge()
    queue(app).huey.flush()
    assert queue(app).pending() == 0
    sweep_once(app)
    assert queue(app).pending() == 30
    sweep_once(app)
    assert queue(app).pending() == 30


def test_a_queue_that_was_flushed_has_a_nudge_for_every_job_after_one_sweep(app: Flask) -> None:
    flush_and_sweep(app)


def test_the_same_holds_for_the_queue_in_a_file(quiet_app: Flask) -> None:
    flush_and_sweep(quiet_app)


def test_redis_that_lost_everything_is_no_loss(app: Flask, redis_url: str) -> None:
    waiting(app, 5)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    sweep_once(app)
    assert queue(app).pending() == 5


def test_nudges_that_wait_already_are_not_doubled(app: Flask) -> None:
    waiting(app, 5)
    for _ in range(3):
        queue(app).nudge()
    sweep_once(app)
    assert queue(app).pending() == 5


def test_jobs_that_are_not_due_or_wait_for_money_are_not_nudged(app: Flask) -> None:
    (later,) = waiting(app, 1)
    jobs.change_job(app, later, due_at=datetime.now(UTC) + timedelta(minutes=5))
    sweep_once(app)
    assert queue(app).pending() == 0
    jobs.change_job(app, later, due_at=None)
    sweep_once(app)
    assert queue(app).pending() == 0


def test_what_a_lost_worker_held_is_nudged_in_the_same_round(app: Flask) -> None:
    (lost,) = waiting(app, 1)
    gone = datetime.now(UTC) - timedelta(seconds=1)
    jobs.change_job(app, lost, status=Status.PROCESSING, attempts=1, lease_token=jobs.uuid4(), lease_expires_at=gone)
    sweep_once(app)
    assert jobs.read_job(app, lost).status is Status.PENDING
    assert queue(app).pending() == 1


def test_sweepers_of_many_machines_at_once_do_no_harm(app: Flask) -> None:
    lost = waiting(app, 12)
    gone = datetime.now(UTC) - timedelta(seconds=1)
    for job in lost:
        jobs.change_job(app, job, status=Status.PROCESSING, attempts=3, lease_token=jobs.uuid4(), lease_expires_at=gone)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(sweep_once, [app] * 6))
    rows = [jobs.read_job(app, job) for job in lost]
    assert {(row.status, row.failure_reason) for row in rows} == {(Status.FAILED, "WORKER_LOST")}
    assert jobs.read_free_used(app, rows[0].user_id) == 0
