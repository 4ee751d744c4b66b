"""A copy of one's account: asked for on a page, made by a worker, downloaded by its owner alone, gone after a day."""

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from pixshift.domain import exports as rules
from pixshift.errors import NotFound, RateLimitExceeded
from pixshift.extensions import db
from pixshift.gateways.ports import StoredObject
from pixshift.models import AccountExport, ExportStatus
from pixshift.services import export_archive, exports, orphans
from pixshift.tasks.exports import make_due
from pixshift.tasks.retention import sweep_once
from tests import factories, jobs
from tests.factories import Person
from tests.jobs import World


class OpenStorage(jobs.Storage):
    """The storage in memory, with objects that can be opened."""

    def open(self, key: str) -> StoredObject:
        data = self.get(key)
        return StoredObject(len(data), io.BytesIO(data))


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A database with a clock that is set by hand."""
    with jobs.world(database_url, tmp_path) as made:
        made.storage = OpenStorage()
        gateways = dataclasses.replace(made.toolbox.gateways, storage=made.storage)  # type: ignore[arg-type]
        made.app.extensions["toolbox"] = dataclasses.replace(made.toolbox, gateways=gateways)
        yield made


def ask(world: World, person: UUID) -> AccountExport:
    with world.app.app_context():
        return exports.ask(world.toolbox, person)


def row(app: Flask, export_id: UUID) -> AccountExport:
    with app.app_context():
        return db.session.scalars(select(AccountExport).where(AccountExport.id == export_id)).one()


def only_row(app: Flask) -> AccountExport:
    with app.app_context():
        return db.session.scalars(select(AccountExport)).one()


def request_copy(who: Person) -> None:
    answer = who.client.post("/profile/export", headers=who.headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/profile#data")


def opened(client: FlaskClient, export_id: UUID) -> tuple[zipfile.ZipFile, dict[str, Any]]:
    answer = client.get(f"/profile/export/{export_id}")
    assert answer.status_code == 200
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    return archive, json.loads(archive.read("account.json"))


def test_a_copy_holds_what_we_know_and_the_pictures_that_are_there(app: Flask) -> None:
    who, other = factories.person(app), factories.person(app)
    kind = factories.style(app)
    job_id = factories.picture(app, who, kind)
    factories.picture(app, other, kind)
    request_copy(who)
    make_due(app)
    export = only_row(app)
    assert export.status is ExportStatus.READY
    archive, account = opened(who.client, export.id)
    job = factories.row(app, job_id)
    assert sorted(archive.namelist()) == sorted(
        ["account.json", f"photos/{job.upload_id}.jpg", f"pictures/{job_id}.{str(job.transformed_image_url)[-3:]}"]
    )
    storage = app.extensions["toolbox"].gateways.storage
    assert archive.read(f"photos/{job.upload_id}.jpg") == storage.get(job.original_image_url)
    assert (account["account"]["id"], account["account"]["phone"]) == (str(who.id), who.phone)
    assert [way["provider"] for way in account["waysIn"]] == ["MOBILE"]
    assert [(made["id"], made["style"], made["status"]) for made in account["pictures"]] == [
        (str(job_id), "Engraving", "COMPLETED")
    ]
    assert [photo["id"] for photo in account["photos"]] == [str(job.upload_id)]
    assert len(account["signIns"]) == 1
    assert (account["payments"], account["shareLinks"]) == ([], [])


def test_a_copy_names_no_secret_and_nobody_else(app: Flask) -> None:
    who, other = factories.person(app), factories.person(app)
    factories.picture(app, who, factories.style(app))
    request_copy(who)
    make_due(app)
    text = opened(who.client, only_row(app).id)[0].read("account.json").decode()
    for word in ("hash", "token", "lease", "uploads/", factories.PROMPT, str(other.id), other.phone):
        assert word not in text, word


def test_the_download_is_a_private_attachment(app: Flask) -> None:
    who = factories.person(app)
    request_copy(who)
    make_due(app)
    export = only_row(app)
    answer = who.client.get(f"/profile/export/{export.id}")
    assert answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="pixshift-account.zip"'
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert len(answer.data) == export.size_bytes


def test_nobody_else_may_have_it(app: Flask) -> None:
    who, other = factories.person(app), factories.person(app)
    request_copy(who)
    path = f"/profile/export/{only_row(app).id}"
    assert who.client.get(path).status_code == 404  # not made yet
    make_due(app)
    assert who.client.get(path).status_code == 200
    assert other.client.get(path).status_code == 404
    assert app.test_client().get(path).status_code == 303
    assert who.client.get(f"/profile/export/{uuid4()}").status_code == 404


def test_the_audit_of_the_store_knows_a_copy(app: Flask) -> None:
    who = factories.person(app)
    factories.picture(app, who, factories.style(app))
    request_copy(who)
    make_due(app)
    with app.app_context():
        assert orphans.audit(app.extensions["toolbox"]) == []
        foreign = rules.storage_key(who.id, uuid4())
        app.extensions["toolbox"].gateways.storage.put(foreign, b"zip", "application/zip")
        assert [found.key for found in orphans.unknown(app.extensions["toolbox"])] == [foreign]


def test_a_second_wish_is_answered_with_the_first_copy(world: World) -> None:
    person = world.person()
    first = ask(world, person)
    assert ask(world, person).id == first.id
    make_due(world.app)
    assert ask(world, person).id == first.id
    world.clock.forward(hours=24)
    assert ask(world, person).id != first.id


def test_three_copies_a_day_are_possible(world: World) -> None:
    person = world.person()
    for _ in range(3):
        export = ask(world, person)
        make_due(world.app)
        expire(world, export.id)
        world.clock.forward(hours=1)
    with pytest.raises(RateLimitExceeded) as refusal:
        ask(world, person)
    assert refusal.value.retry_after == 21 * 3600
    ask(world, world.person())
    world.clock.forward(hours=21)
    ask(world, person)


def expire(world: World, export_id: UUID) -> None:
    with world.app.app_context():
        db.session.execute(update(AccountExport).where(AccountExport.id == export_id).values(expires_at=world.clock()))
        db.session.commit()


def test_a_copy_goes_after_a_day(world: World) -> None:
    person = world.person()
    world.photo(person)
    export = ask(world, person)
    make_due(world.app)
    key = rules.storage_key(person, export.id)
    assert row(world.app, export.id).storage_key == key
    world.clock.forward(hours=23, minutes=59)
    sweep_once(world.app)
    assert key in world.storage.objects
    world.clock.forward(minutes=1)
    with world.app.app_context(), pytest.raises(NotFound):
        exports.open_export(world.toolbox, person, export.id)
    world.storage.is_away = True
    sweep_once(world.app)
    assert row(world.app, export.id).status is ExportStatus.READY
    world.storage.is_away = False
    sweep_once(world.app)
    assert key not in world.storage.objects
    assert row(world.app, export.id).status is ExportStatus.DELETED


def test_pictures_that_are_gone_are_left_out(world: World) -> None:
    person = world.person()
    there, lost, due = (world.photo(person) for _ in range(3))
    del world.storage.objects[lost.storage_key]
    with world.app.app_context():
        db.session.execute(update(type(due)).where(type(due).id == due.id).values(delete_due_at=world.clock()))
        db.session.commit()
    archive, account = made(world, person)
    assert sorted(archive.namelist()) == ["account.json", f"photos/{there.id}.jpg"]
    assert account["picturesDeletedMeanwhile"] == [f"photos/{lost.id}.jpg"]


def made(world: World, person: UUID) -> tuple[zipfile.ZipFile, dict[str, Any]]:
    export = ask(world, person)
    make_due(world.app)
    archive = zipfile.ZipFile(io.BytesIO(world.storage.objects[rules.storage_key(person, export.id)]))
    return archive, json.loads(archive.read("account.json"))


def test_what_does_not_fit_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_archive._Contents, "__init__", _small(export_archive._Contents.__init__))
    person = world.person()
    photos = [world.photo(person) for _ in range(2)]
    archive, account = made(world, person)
    assert len(archive.namelist()) == 2
    assert len(account["picturesTooManyForThisFile"]) == 1
    assert {f"photos/{photo.id}.jpg" for photo in photos} == {
        *account["picturesTooManyForThisFile"],
        *(name for name in archive.namelist() if name != "account.json"),
    }


def _small(plain: Any) -> Any:
    return lambda self: plain(self, room=len(jobs.PHOTO))


def test_a_copy_that_fails_is_tried_three_times(world: World) -> None:
    person = world.person()
    world.photo(person)
    export = ask(world, person)
    world.storage.is_away = True
    for minutes in (0, 5, 5):
        assert row(world.app, export.id).status is ExportStatus.PENDING
        world.clock.forward(minutes=minutes)
        make_due(world.app)
        make_due(world.app)  # its lease runs: nothing to do
    assert row(world.app, export.id).status is ExportStatus.FAILED
    world.storage.is_away = False
    assert ask(world, person).id != export.id


def test_a_copy_whose_makers_died_is_made_by_the_next_or_given_up(world: World) -> None:
    person = world.person()
    export = ask(world, person)
    with world.app.app_context():
        assert exports._claim(world.toolbox) is not None
        assert exports._claim(world.toolbox) is None
    world.clock.forward(minutes=5)
    make_due(world.app)
    assert row(world.app, export.id).status is ExportStatus.READY
    late = ask(world, world.person())
    world.clock.forward(hours=1)
    sweep_once(world.app)
    assert row(world.app, late.id).status is ExportStatus.FAILED


def test_the_account_page_tells_how_the_copy_stands(quick: Flask, who: Person) -> None:
    def section() -> str:
        return who.client.get("/profile").text.partition('id="data"')[2]

    assert "Make a copy" in section()
    request_copy(who)
    assert "Being put together" in section()
    make_due(quick)
    assert f"/profile/export/{only_row(quick).id}" in section()
    with quick.app_context():
        past = datetime.now(UTC) - timedelta(seconds=1)
        db.session.execute(update(AccountExport).values(expires_at=past))
        db.session.commit()
    assert "Make a copy" in section()
