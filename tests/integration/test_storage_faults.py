"""S3 that refuses, is slow, breaks off or is not there: our errors, soon, and never half a picture."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from pixshift.domain.lifecycle import Status
from pixshift.errors import ExternalServiceError
from pixshift.gateways import storage as gateway
from pixshift.gateways.ports import ImageStorage
from pixshift.gateways.storage import S3Storage
from pixshift.services import retention
from pixshift.services.health import Probe
from tests import factories, jobs
from tests.factories import Person
from tests.integration.conftest import MakeApp
from tests.stand_ins import s3 as stand_in
from tests.stand_ins.s3 import FaultyS3, storage_settings

KEY = "uploads/6f1c1c0e-0000-4000-8000-000000000001/6f1c1c0e-0000-4000-8000-000000000002.jpg"
JOBS = "/api/v1/transformations"
CALLS: dict[str, Callable[[ImageStorage], Any]] = {
    "put": lambda storage: storage.put(KEY, b"x", "image/jpeg"),
    "get": lambda storage: storage.get(KEY),
    "open": lambda storage: storage.open(KEY),
    "delete": lambda storage: storage.delete(KEY),
    "exists": lambda storage: storage.exists(KEY),
    "entries": lambda storage: list(storage.entries()),
    "check": lambda storage: storage.check(),
}


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with stand_in.moto() as url:
        yield url


@pytest.fixture
def bucket(s3_url: str) -> Iterator[stand_in.Bucket]:
    with stand_in.bucket(s3_url) as made:
        yield made


@pytest.fixture
def faulty(bucket: stand_in.Bucket) -> Iterator[FaultyS3]:
    with FaultyS3(bucket.url) as server:
        yield server


@pytest.fixture
def storage(faulty: FaultyS3) -> S3Storage:
    return S3Storage(storage_settings(faulty.url))


def fault_of(call: Callable[[ImageStorage], Any], storage: ImageStorage) -> ExternalServiceError | None:
    try:
        call(storage)
    except ExternalServiceError as error:
        return error
    return None


@pytest.mark.parametrize("mood", stand_in.FAULTS)
def test_every_call_ends_soon_with_our_error(
    storage: S3Storage, faulty: FaultyS3, monkeypatch: pytest.MonkeyPatch, mood: str
) -> None:
    monkeypatch.setattr(gateway, "_READ_SECONDS", 0.3)  # what it is by itself: tests of the contract
    storage.put(KEY, b"x", "image/jpeg")
    # Whoever wants no content, or any, cannot see that it is a page of somebody else's; ``check`` is there for that.
    calls = {name: call for name, call in CALLS.items() if mood != "html" or name in ("entries", "exists")}
    faulty.mood = mood
    begun = time.monotonic()
    with ThreadPoolExecutor(len(calls)) as threads:
        faults = dict(zip(calls, threads.map(lambda call: fault_of(call, storage), calls.values()), strict=True))
    assert time.monotonic() - begun < 5
    assert {name: error is not None and error.retryable for name, error in faults.items()} == dict.fromkeys(calls, True)
    wanted = "NETWORK" if mood in ("hang", "cut") else "API"
    assert {error.category for error in faults.values() if error} == {wanted}
    faulty.mood = "ok"
    storage.put(KEY, b"y", "image/jpeg")
    assert storage.get(KEY) == b"y"


@pytest.mark.parametrize("mood", ["error", "slow down", "cut", "slow"])
def test_a_fault_that_passes_is_tried_again_at_once(storage: S3Storage, faulty: FaultyS3, mood: str) -> None:
    for call in (CALLS["put"], CALLS["get"], CALLS["delete"]):
        faulty.push(mood)
        assert fault_of(call, storage) is None


@pytest.mark.parametrize("size", [100, 65_536, 1_000_000])
def test_an_object_that_breaks_off_is_never_taken_for_a_short_one(
    storage: S3Storage, faulty: FaultyS3, size: int
) -> None:
    storage.put(KEY, os.urandom(size), "image/jpeg")
    faulty.mood = "cut body"
    with pytest.raises(ExternalServiceError) as got:
        storage.get(KEY)
    assert (got.value.category, got.value.retryable) == ("NETWORK", True)
    taken: list[bytes] = []
    with pytest.raises(ExternalServiceError):
        taken.extend(storage.open(KEY).chunks())
    assert len(b"".join(taken)) < size


# --- the whole product on S3 ----------------------------------------------------------------------------------------


@pytest.fixture
def on_s3(make_app: MakeApp, sqlite_url: str, bucket: stand_in.Bucket, faulty: FaultyS3) -> Flask:
    return make_app(DATABASE_URL=sqlite_url, **{**bucket.environ, "AWS_ENDPOINT_URL_S3": faulty.url})


@pytest.fixture
def person(on_s3: Flask) -> Person:
    return factories.person(on_s3)


def test_a_download_that_the_store_breaks_off_is_broken_for_its_reader_and_starts_no_clock(
    on_s3: Flask, person: Person, faulty: FaultyS3
) -> None:
    job = factories.picture(on_s3, person, factories.style(on_s3))
    faulty.mood = "cut body"

    def take() -> bool:
        answer = person.client.get(f"{JOBS}/{job}/download")
        return len(answer.data) == answer.content_length

    with pytest.raises(ExternalServiceError):  # the server closes the connection before the promised length
        take()
    assert factories.row(on_s3, job).downloaded_at is None
    faulty.mood = "slow"
    assert take()
    assert factories.row(on_s3, job).downloaded_at is not None


def test_a_photo_that_breaks_off_on_its_way_to_the_model_is_read_again(
    on_s3: Flask, person: Person, faulty: FaultyS3
) -> None:
    job = factories.job(person, factories.style(on_s3))
    faulty.push("cut body")
    factories.work(on_s3)
    assert factories.row(on_s3, job).status is Status.COMPLETED


@pytest.mark.parametrize("mood", ["hang", "slow down", "wrong key"])
def test_an_upload_is_answered_while_the_store_is_away(
    on_s3: Flask, person: Person, faulty: FaultyS3, monkeypatch: pytest.MonkeyPatch, mood: str
) -> None:
    monkeypatch.setattr(gateway, "_READ_SECONDS", 0.3)
    faulty.mood = mood
    answer = factories.send_photo(person, factories.photo())
    assert (answer.status_code, factories.error_of(answer)["code"]) == (502, "API_ERROR")
    assert "Please try again in a minute" in factories.error_of(answer)["message"]


def test_whether_the_store_answers_is_asked_once_however_many_want_to_know(on_s3: Flask, faulty: FaultyS3) -> None:
    def ready() -> tuple[int, str]:
        answer = on_s3.test_client().get("/readyz")
        return answer.status_code, answer.json["parts"]["storage"]

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: ready(), range(40))) == {(200, "ok")}
    assert [call.path.partition("/checks/")[1] for call in faulty.timeline] == ["/checks/"] * 3  # put, get, delete


def test_a_store_that_hangs_keeps_nobody_who_asks_whether_we_are_ready(
    on_s3: Flask, faulty: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "PATIENCE_SECONDS", 0.2)
    faulty.mood = "hang"
    begun = time.monotonic()
    for _ in range(5):
        answer = on_s3.test_client().get("/readyz")
        assert (answer.status_code, answer.json["parts"]["storage"]) == (503, "away")
    assert time.monotonic() - begun < 2
    assert faulty.calls <= 1


NASTY = [
    "../../etc/passwd.jpg",
    "a b;c$(id).jpg",
    "\u202egpj.exe",
    "<script>.jpg",
    "x" * 5000 + ".jpg",
    "uploads/x.jpg",
]


@pytest.mark.parametrize("where", ["local", "s3"])
def test_stored_names_are_uuids_and_nothing_else(
    make_app: MakeApp, sqlite_url: str, bucket: stand_in.Bucket, where: str
) -> None:
    app = make_app(DATABASE_URL=sqlite_url, **(bucket.environ if where == "s3" else {}))
    who, style = factories.person(app), factories.style(app)
    for name in NASTY:
        answer = factories.send_photo(who, factories.photo(), name=name)
        assert answer.status_code == 201, answer.text
    factories.job(who, style, answer.json["imageId"])
    factories.work(app)
    keys = [entry.key for entry in app.extensions["toolbox"].gateways.storage.entries()]
    assert len(keys) == len(NASTY) + 1
    for key in keys:
        folder, *ids = key.rpartition(".")[0].split("/")
        assert (folder, len(ids)) in (("uploads", 2), ("transformations", 3))
        assert [str(jobs.UUID(word)) for word in ids] == ids
        assert ids[0] == str(who.id)


@pytest.mark.parametrize("where", ["local", "s3"])
def test_a_link_expires_after_five_minutes_and_dies_with_its_object(
    make_app: MakeApp, sqlite_url: str, bucket: stand_in.Bucket, where: str
) -> None:
    app = make_app(DATABASE_URL=sqlite_url, **(bucket.environ if where == "s3" else {}))
    who = factories.person(app)
    job = factories.picture(app, who, factories.style(app))
    body = who.client.get(f"{JOBS}/{job}").json["transformation"]
    links = [body[name] for name in ("originalImageUrl", "transformedImageUrl", "thumbnailUrl")]

    def statuses() -> list[int]:
        answers = [who.client.get(link) for link in links]
        return [answer.status_code for answer in answers if answer.data is not None]

    assert statuses() == [200, 200, 200]
    tools = app.extensions["toolbox"]
    app.extensions["toolbox"] = dataclasses.replace(tools, now=lambda: tools.now() + timedelta(seconds=301))
    assert statuses() == [403, 403, 403]
    app.extensions["toolbox"] = tools
    with app.app_context():
        retention.delete_now(tools, job)
    assert statuses() == [404, 404, 404]
    assert list(tools.gateways.storage.entries()) == []
