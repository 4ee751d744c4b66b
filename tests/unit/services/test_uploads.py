"""Photos that people bring: what is left behind when keeping one fails half-way."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from pixshift.gateways.image_decoder import PooledImageDecoder
from pixshift.services import orphans, uploads
from tests import factories, jobs
from tests.jobs import World


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(sqlite_url, tmp_path) as made:
        decoder = PooledImageDecoder(workers=1)
        object.__setattr__(made.toolbox.gateways, "decoder", decoder)
        yield made
        decoder.close()


def test_a_photo_that_no_row_was_written_for_goes_as_an_unknown_object(world: World) -> None:
    nobody = uuid4()  # whom the database refuses

    with world.app.app_context(), pytest.raises(IntegrityError):
        uploads.create(world.toolbox, nobody, data=factories.photo(), filename="a.jpg")

    (key,) = world.storage.objects
    with world.app.app_context():
        assert orphans._known([key]) == set()
