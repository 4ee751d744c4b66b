"""A part that is away for a moment costs no picture that was already paid for."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from pixshift.domain.lifecycle import Reservation, Status
from pixshift.errors import ExternalServiceError
from pixshift.extensions import db
from pixshift.services.patience import outlast
from tests import jobs
from tests.jobs import World


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    """With a worker that waits as long as a real one."""
    with jobs.world(sqlite_url, tmp_path) as made:
        made.app.extensions["toolbox"] = dataclasses.replace(made.toolbox, patience_seconds=60.0)
        yield made


def is_complete(world: World, job: object) -> bool:
    row = world.read(job)  # type: ignore[arg-type]
    is_there = row.transformed_image_url in world.storage.objects
    return row.status is Status.COMPLETED and is_there and row.reservation is Reservation.SETTLED


def test_a_picture_waits_for_a_store_that_comes_back(world: World) -> None:
    job = world.job()
    put, refusals = world.storage.put, ["once", "twice"]

    def refuse_twice(key: str, data: bytes, media_type: str) -> None:
        if refusals:
            refusals.pop()
            raise ExternalServiceError("The picture store does not answer.", retryable=True, category="NETWORK")
        put(key, data, media_type)

    world.storage.put = refuse_twice  # type: ignore[method-assign]
    world.make_next()
    assert refusals == []
    assert is_complete(world, job)
    assert (len(world.editor.requests), world.read(job).attempts) == (1, 1)


@pytest.mark.parametrize("commit", [1, 2], ids=["while it is checked", "when it is complete"])
def test_a_commit_that_happened_though_its_answer_was_lost_harms_nothing(world: World, commit: int) -> None:
    job = world.job()
    claimed = world.claimed()
    seen = []

    def lose_the_answer(connection: Connection) -> None:
        seen.append("commit")
        if len(seen) == commit:
            connection.connection.cursor().execute("COMMIT")
            raise OperationalError("COMMIT", None, Exception("server closed the connection unexpectedly"))

    with world.app.app_context():
        event.listen(db.engine, "commit", lose_the_answer)
    world.make(claimed)
    assert len(seen) > commit
    assert is_complete(world, job)
    assert [attempt.outcome for attempt in world.attempts(job)] == ["COMPLETED"]
    assert len(world.editor.requests) == 1


def test_patience_ends(world: World) -> None:
    impatient = dataclasses.replace(world.toolbox, patience_seconds=0.0)

    def away() -> None:
        raise ExternalServiceError("The picture store does not answer.", retryable=True)

    with world.app.app_context(), pytest.raises(ExternalServiceError):
        outlast(impatient, away)
