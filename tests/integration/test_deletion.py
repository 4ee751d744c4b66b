"""Pictures that go, on both databases and with real files: in time, whoever died, however many sweepers there are."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from pixshift.extensions import db
from pixshift.gateways.storage import LocalStorage
from pixshift.models import Upload
from pixshift.services import leases, retention
from pixshift.tasks.retention import sweep_once
from tests import jobs
from tests.jobs import World


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """With a storage of files in place of the one in memory."""
    with jobs.world(database_url, tmp_path) as made:
        storage = LocalStorage(tmp_path / "pictures")
        gateways = dataclasses.replace(made.toolbox.gateways, storage=storage)
        made.app.extensions["toolbox"] = dataclasses.replace(made.toolbox, gateways=gateways)
        yield made


def stored(world: World) -> list[str]:
    return [entry.key for entry in world.toolbox.gateways.storage.entries()]


def photo(world: World, person: UUID) -> Upload:
    row = jobs.add_photo(world.app, person, world.clock())
    world.toolbox.gateways.storage.put(row.storage_key, jobs.PHOTO, "image/jpeg")
    return row


def done(world: World) -> UUID:
    person = world.person(free_used=1)
    job = world.job(person, photo(world, person))
    world.make_next()
    return job


def download(world: World, job: UUID) -> None:
    with world.app.app_context():
        retention.downloaded(world.toolbox, job)


def test_five_minutes_after_the_download_no_file_is_left_and_the_history_knows_it(world: World) -> None:
    finished = [done(world) for _ in range(10)]
    assert len(stored(world)) == 20
    for job in finished:
        download(world, job)
    world.clock.forward(minutes=4, seconds=45)  # the last sweep before the promise
    sweep_once(world.app)
    assert stored(world) == []
    assert list((Path(world.toolbox.settings.instance).parent / "pictures").rglob("*")) == []
    for job in finished:
        row = world.read(job)
        assert row.deleted_at == world.clock()
        assert len(row.deletion_record or "") == 32


def test_photos_and_pictures_nobody_wanted_go_after_a_day(world: World) -> None:
    photo(world, world.person())
    done(world)
    world.clock.forward(hours=23, minutes=59)
    sweep_once(world.app)
    assert len(stored(world)) == 3
    world.clock.forward(minutes=1)
    sweep_once(world.app)
    assert stored(world) == []


def test_sweepers_at_once_delete_everything_once_and_leave_one_record_each(world: World) -> None:
    finished = [done(world) for _ in range(15)]
    world.clock.forward(hours=24)

    def sweep(_: int) -> int:
        with world.app.app_context():
            return retention.sweep(world.toolbox)

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(sweep, range(5))) == 30
    assert stored(world) == []
    assert all(world.read(job).deletion_record for job in finished)


def test_a_folder_that_cannot_be_written_keeps_the_row_due_until_it_can(world: World, tmp_path: Path) -> None:
    job = done(world)
    world.clock.forward(hours=24)
    pictures = tmp_path / "pictures"
    pictures.rename(tmp_path / "elsewhere")
    pictures.write_text("no folder any more")
    sweep_once(world.app)
    assert world.read(job).deleted_at is None
    pictures.unlink()
    (tmp_path / "elsewhere").rename(pictures)
    sweep_once(world.app)
    assert world.read(job).deleted_at == world.clock()
    assert stored(world) == []


def test_the_object_of_an_attempt_that_was_lost_after_storing_is_removed(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person, photo(world, person))
    lost = world.claimed()
    storage = world.toolbox.gateways.storage
    leftover = f"transformations/{person}/{job}-{lost.attempt_id}.png"
    storage.put(leftover, b"stored, and then its worker was killed", "image/png")
    with world.app.app_context():
        db.session.execute(jobs.update(jobs.Attempt).values(storage_key=leftover))
        db.session.commit()
    world.clock.forward(seconds=61)
    with world.app.app_context():
        leases.take_back_lost(world.toolbox)
    world.make_next()
    sweep_once(world.app)
    row = world.read(job)
    assert sorted(stored(world)) == sorted([row.original_image_url, row.transformed_image_url or ""])


def test_delete_now_leaves_nothing_at_once_and_its_photo_goes_too(world: World) -> None:
    job = done(world)
    with world.app.app_context():
        retention.delete_now(world.toolbox, job)
    assert stored(world) == []


def test_a_photo_used_twice_goes_with_the_first_download_and_the_other_picture_stays(world: World) -> None:
    person = world.person(free_used=2)
    both = photo(world, person)
    first, second = world.job(person, both), world.job(person, both)
    world.make_next()
    world.make_next()
    download(world, first)
    world.clock.forward(minutes=5)
    sweep_once(world.app)
    assert stored(world) == [world.read(second).transformed_image_url]
    world.clock.forward(hours=24)
    sweep_once(world.app)
    assert stored(world) == []


def test_more_due_objects_than_one_round_takes_are_gone_after_the_next_one(world: World) -> None:
    person = world.person()
    rows = [jobs.add_photo(world.app, person, world.clock() - timedelta(hours=25)) for _ in range(600)]
    assert all(row.deleted_at is None for row in rows)
    for _ in range(2):
        sweep_once(world.app)
    with world.app.app_context():
        assert retention.due(world.clock()) == []
