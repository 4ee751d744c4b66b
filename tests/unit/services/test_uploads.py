"""Photos that people bring: what is left behind when keeping one fails half-way."""

import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from pixshift.errors import ExternalServiceError
from pixshift.gateways.image_decoder import PooledImageDecoder
from pixshift.services import uploads
from tests import factories, jobs
from tests.jobs import World


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(sqlite_url, tmp_path) as made:
        decoder = PooledImageDecoder(workers=1)
        object.__setattr__(made.toolbox.gateways, "decoder", decoder)
        yield made
        decoder.close()


def test_a_photo_that_no_row_was_written_for_is_taken_back(world: World) -> None:
    nobody = uuid4()  # whom the database refuses

    with world.app.app_context(), pytest.raises(IntegrityError):
        uploads.create(world.toolbox, nobody, data=factories.photo(), filename="a.jpg")

    assert world.storage.objects == {}
    assert len(world.storage.deletions) == 1


def test_what_the_database_said_is_heard_even_when_the_photo_cannot_be_taken_back(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(key: str) -> None:
        raise ExternalServiceError("The picture store does not answer.", retryable=True, category="NETWORK")

    monkeypatch.setattr(world.storage, "delete", away)

    with (
        caplog.at_level(logging.WARNING),
        world.app.app_context(),
        pytest.raises(IntegrityError),
    ):
        uploads.create(world.toolbox, uuid4(), data=factories.photo(), filename="a.jpg")

    (key,) = world.storage.objects
    (record,) = [record for record in caplog.records if record.name == uploads.__name__]
    assert record.storage_key == key  # type: ignore[attr-defined]
