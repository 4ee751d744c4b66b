"""Objects that no row knows and rows whose object is gone: told, and removed when nobody can be at them any more."""

import dataclasses
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import Result
from flask import Flask

from pixshift.domain import images
from pixshift.errors import ExternalServiceError
from pixshift.extensions import db
from pixshift.gateways.ports import ImageStorage
from pixshift.gateways.storage import LocalStorage, S3Storage
from pixshift.models import Upload
from pixshift.services import orphans, retention
from pixshift.services.orphans import State
from pixshift.tasks import retention as tasks
from tests import jobs, servers
from tests.jobs import World
from tests.stand_ins import s3 as stand_in


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(database_url, tmp_path) as made, storing_in(made, LocalStorage(tmp_path / "pictures")):
        yield made


@contextmanager
def storing_in(world: World, storage: ImageStorage) -> Iterator[None]:
    gateways = dataclasses.replace(world.toolbox.gateways, storage=storage)
    world.app.extensions["toolbox"] = dataclasses.replace(world.toolbox, gateways=gateways)
    yield


def store(world: World) -> ImageStorage:
    return world.toolbox.gateways.storage


def put(world: World, key: str) -> str:
    store(world).put(key, b"something", "image/jpeg")
    return key


def photo(world: World, person: UUID) -> Upload:
    row = jobs.add_photo(world.app, person, world.clock())
    put(world, row.storage_key)
    return row


def done(world: World) -> UUID:
    person = world.person(free_used=1)
    job = world.job(person, photo(world, person))
    world.make_next()
    return job


def age(folder: Path, **span: float) -> None:
    """As if every file below had been written that much earlier."""
    written = (datetime.now(UTC) - timedelta(**span)).timestamp()
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (written, written))


def planted(world: World) -> list[str]:
    """One of every kind that may be left behind."""
    person, job = uuid4(), done(world)
    deleted = world.read(job)
    with world.app.app_context():
        retention.delete_now(world.toolbox, job)
    return [
        put(world, images.upload_key(person, uuid4())),  # its process died before the row was written
        put(world, images.result_key(person, uuid4(), uuid4(), "image/png")),
        put(world, deleted.transformed_image_url or ""),  # written after its deletion
        put(world, deleted.original_image_url),
        put(world, f"checks/{uuid4()}.txt"),
        put(world, "uploads/somebodys.jpg"),
    ]


def look(world: World, *, remove: bool = False) -> dict[str, State]:
    with world.app.app_context():
        return {finding.key: finding.state for finding in orphans.audit(world.toolbox, remove=remove)}


def keys(world: World) -> list[str]:
    return [entry.key for entry in store(world).entries()]


def test_what_no_row_knows_is_found_and_removed_and_what_a_row_knows_stays(world: World, tmp_path: Path) -> None:
    kept = world.read(done(world))
    unknown = planted(world)
    partial = tmp_path / "pictures" / Path(unknown[0]).with_name("tmp0abc_12.part")
    partial.write_bytes(b"half a pict")
    half_written = partial.relative_to(tmp_path / "pictures").as_posix()
    age(tmp_path / "pictures", minutes=11)

    assert look(world) == dict.fromkeys([*unknown, half_written], State.UNKNOWN)
    assert look(world, remove=True) == dict.fromkeys([*unknown, half_written], State.REMOVED)

    assert look(world) == {}
    assert keys(world) == sorted([kept.original_image_url, kept.transformed_image_url or ""])
    assert not partial.exists()


def test_what_may_be_an_upload_under_way_is_left_however_wrong_our_clock_is(world: World, tmp_path: Path) -> None:
    young, check = put(world, images.upload_key(uuid4(), uuid4())), put(world, f"checks/{uuid4()}.txt")
    world.clock.now = datetime.now(UTC) + timedelta(hours=3)
    age(tmp_path / "pictures", minutes=1)
    assert look(world, remove=True) == {young: State.YOUNG}  # and somebody asks whether the store answers
    assert keys(world) == [check, young]


def test_an_upload_whose_row_came_meanwhile_is_not_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.person()
    upload_id = uuid4()
    put(world, images.upload_key(person, upload_id))
    monkeypatch.setattr(jobs, "uuid4", lambda: upload_id)

    def row_comes(*_: object) -> Iterator[orphans.Finding]:
        jobs.add_photo(world.app, person, world.clock())
        return iter(())

    monkeypatch.setattr(orphans, "lost", row_comes)
    assert look(world) == {}


def test_what_lies_in_no_folder_of_ours_is_told_and_never_removed(world: World, tmp_path: Path) -> None:
    foreign = put(world, "backups/database.sql")
    (tmp_path / "pictures" / "NOTES.TXT").write_text("mine")
    (tmp_path / "pictures" / "uploads").mkdir()
    (tmp_path / "pictures" / "uploads" / "No Key.JPG").write_text("mine")
    age(tmp_path / "pictures", days=3)
    found = look(world, remove=True)
    assert found == {foreign: State.FOREIGN, "NOTES.TXT": State.FOREIGN, "uploads/No Key.JPG": State.FOREIGN}
    assert len(keys(world)) == 3


def test_a_picture_that_a_row_counts_on_and_that_is_not_there_is_told(world: World) -> None:
    row, other = world.read(done(world)), world.read(done(world))
    store(world).delete(row.transformed_image_url or "")
    store(world).delete(other.original_image_url)
    assert look(world) == {row.transformed_image_url: State.LOST, other.original_image_url: State.LOST}


def test_the_picture_of_an_attempt_under_way_is_known(world: World, tmp_path: Path) -> None:
    person = world.person(free_used=1)
    world.job(person, photo(world, person))
    claimed = world.claimed()
    key = put(world, images.result_key(person, claimed.id, claimed.attempt_id, "image/png"))
    with world.app.app_context():
        db.session.execute(jobs.update(jobs.Attempt).values(storage_key=key))
        db.session.commit()
    age(tmp_path / "pictures", hours=1)
    assert look(world, remove=True) == {}


def test_more_objects_and_rows_than_a_batch_holds_are_all_seen(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "BATCH", 3)
    person = world.person()
    rows = [photo(world, person) for _ in range(7)]
    unknown = {put(world, images.upload_key(person, uuid4())) for _ in range(7)}
    store(world).delete(rows[4].storage_key)
    age(tmp_path / "pictures", hours=1)
    assert look(world) == {rows[4].storage_key: State.LOST} | dict.fromkeys(unknown, State.UNKNOWN)


def test_one_that_cannot_be_removed_does_not_keep_the_others_and_a_store_that_is_away_ends_the_look(
    world: World, tmp_path: Path
) -> None:
    unknown = planted(world)
    age(tmp_path / "pictures", hours=1)

    class Refusing(LocalStorage):
        category = "API"

        def delete(self, key: str) -> None:
            if key == unknown[0]:
                raise ExternalServiceError("Access denied.", category=self.category)
            super().delete(key)

    refusing = Refusing(tmp_path / "pictures")
    with storing_in(world, refusing):
        assert look(world, remove=True) == {
            key: State.UNKNOWN if key == unknown[0] else State.REMOVED for key in unknown
        }
        refusing.category = "NETWORK"
        with pytest.raises(ExternalServiceError):
            look(world, remove=True)


def test_many_at_once_do_no_harm(world: World, tmp_path: Path) -> None:
    kept = world.read(done(world))
    planted(world)
    age(tmp_path / "pictures", hours=1)

    def remove(_: int) -> int:
        with world.app.app_context():
            return orphans.remove_unknown(world.toolbox)

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(remove, range(5))) >= 6
    assert keys(world) == sorted([kept.original_image_url, kept.transformed_image_url or ""])


def test_a_worker_looks_by_itself_and_again_after_a_failure(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(world)
    age(tmp_path / "pictures", hours=1)

    class AwayAtFirst(LocalStorage):
        refused = 0

        def put(self, key: str, data: bytes, media_type: str) -> None:
            self.refused += 1
            if self.refused == 1:
                raise ExternalServiceError("The picture store does not answer.", category="NETWORK")
            super().put(key, data, media_type)

    monkeypatch.setattr(tasks, "FIRST_LOOK_SECONDS", 0.01)
    stop, pictures = threading.Event(), LocalStorage(tmp_path / "pictures")
    with storing_in(world, AwayAtFirst(tmp_path / "pictures")):
        worker = threading.Thread(target=tasks.look_forever, args=(world.app, stop))
        worker.start()
        try:
            servers.wait_until(lambda: not list(pictures.entries()), what="the unknown objects to go")
        finally:
            stop.set()
            worker.join(10)
    assert not worker.is_alive()


def test_the_same_on_s3(sqlite_url: str, tmp_path: Path) -> None:
    with (
        stand_in.moto() as url,
        stand_in.bucket(url) as bucket,
        jobs.world(sqlite_url, tmp_path) as world,
        storing_in(world, S3Storage(bucket.settings())),
    ):
        kept = world.read(done(world))
        unknown = planted(world)
        bucket.make_older(timedelta(minutes=11))
        young = put(world, images.upload_key(uuid4(), uuid4()))
        assert look(world, remove=True) == dict.fromkeys(unknown, State.REMOVED) | {young: State.YOUNG}
        assert bucket.keys() == sorted([kept.original_image_url, kept.transformed_image_url or "", young])


# --- the command ----------------------------------------------------------------------------------------------------


def audit(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["retention", "audit", *words])


def test_the_command_tells_and_removes(world: World, tmp_path: Path) -> None:
    assert audit(world.app).output == "Every object has its row, and every row its object.\n"
    unknown = planted(world)
    age(tmp_path / "pictures", hours=3)

    told = audit(world.app)
    assert (told.exit_code, told.stderr) == (1, "Error: 6 found that do not match.\n")
    lines = told.stdout.splitlines()
    assert lines[0].split() == ["STATE", "AGE", "KEY"]
    assert sorted(line.split() for line in lines[1:]) == sorted(["unknown", "3", "h", key] for key in unknown)

    listed = audit(world.app, "--json")
    assert listed.exit_code == 1
    findings = json.loads(listed.stdout)["findings"]
    assert {finding["key"] for finding in findings} == set(unknown)
    assert all(finding["state"] == "unknown" and finding["ageSeconds"] >= 10800 for finding in findings)

    removed = audit(world.app, "--delete")
    assert (removed.exit_code, removed.stdout.count("removed  3 h  ")) == (0, 6)
    assert audit(world.app).exit_code == 0


def test_a_sweep_by_hand_removes_what_no_row_knows_too(world: World, tmp_path: Path) -> None:
    planted(world)
    age(tmp_path / "pictures", hours=3)
    swept = world.app.test_cli_runner().invoke(args=["retention", "sweep"])
    assert (swept.exit_code, swept.output) == (0, "6 deleted.\n")
    assert keys(world) == []


def test_the_command_says_what_is_lost_and_that_a_store_is_away(world: World, tmp_path: Path) -> None:
    row = world.read(done(world))
    store(world).delete(row.transformed_image_url or "")
    told = audit(world.app, "--delete")
    assert told.exit_code == 1
    assert told.stdout.splitlines()[1].split() == ["lost", "-", row.transformed_image_url]
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    (tmp_path / "pictures").write_text("no folder")
    away = audit(world.app)
    assert (away.exit_code, away.stdout) == (1, "")
    assert "picture store does not answer" in away.stderr
