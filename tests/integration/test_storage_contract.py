"""What every ImageStorage keeps: local files and S3 answer the same questions."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.awsrequest import AWSResponse

from pixshift.errors import ExternalServiceError, NotFound
from pixshift.gateways.ports import ImageStorage
from pixshift.gateways.storage import LocalStorage, S3Storage
from tests import servers
from tests.stand_ins import s3 as stand_in
from tests.stand_ins.s3 import storage_settings

KEY = "uploads/6f1c1c0e-0000-4000-8000-000000000001/6f1c1c0e-0000-4000-8000-000000000002.jpg"
OTHER = "transformations/6f1c1c0e-0000-4000-8000-000000000001/6f1c1c0e-0000-4000-8000-000000000003.png"
NO_KEYS = [
    "",
    "/etc/passwd",
    "../x.jpg",
    "uploads/../../x.jpg",
    "uploads//x.jpg",
    "uploads/.x.jpg",
    "a\\b.jpg",
    "x",
    "UP/x.jpg",
    "uploads/x.jpg\n",
]


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with stand_in.moto() as url:
        yield url


@pytest.fixture
def bucket(s3_url: str) -> Iterator[stand_in.Bucket]:
    with stand_in.bucket(s3_url) as made:
        yield made


@pytest.fixture
def s3(bucket: stand_in.Bucket) -> S3Storage:
    return S3Storage(bucket.settings())


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStorage:
    if request.param == "local":
        return LocalStorage(tmp_path / "pictures")
    made: S3Storage = request.getfixturevalue("s3")
    return made


def test_what_is_put_is_what_is_got(storage: ImageStorage) -> None:
    data = os.urandom(300_000)

    storage.put(KEY, data, "image/jpeg")

    assert storage.get(KEY) == data
    assert storage.exists(KEY)
    assert not storage.exists(OTHER)


def test_an_open_object_says_its_size_and_comes_in_chunks(storage: ImageStorage) -> None:
    storage.put(KEY, b"x" * 150_000, "image/jpeg")

    stored = storage.open(KEY)
    chunks = list(stored.chunks(65536))

    assert stored.size == 150_000
    assert [len(chunk) for chunk in chunks] == [65536, 65536, 18928]
    assert stored.body.closed


def test_an_object_may_be_closed_half_way(storage: ImageStorage) -> None:
    storage.put(KEY, b"x" * 150_000, "image/jpeg")

    stored = storage.open(KEY)
    assert stored.body.read(10) == b"x" * 10
    stored.body.close()
    stored.body.close()


def test_the_newest_put_wins(storage: ImageStorage) -> None:
    storage.put(KEY, b"one", "image/jpeg")
    storage.put(KEY, b"two", "image/jpeg")

    assert storage.get(KEY) == b"two"


def test_deleting_twice_is_fine(storage: ImageStorage) -> None:
    storage.put(KEY, b"x", "image/jpeg")

    storage.delete(KEY)
    storage.delete(KEY)

    assert not storage.exists(KEY)
    with pytest.raises(NotFound):
        storage.get(KEY)
    with pytest.raises(NotFound):
        storage.open(KEY)


def test_entries_list_keys_and_times(storage: ImageStorage) -> None:
    assert list(storage.entries()) == []
    for key in (KEY, OTHER):
        storage.put(key, b"x", "image/jpeg")

    entries = list(storage.entries())

    assert [entry.key for entry in entries] == sorted((KEY, OTHER))
    assert [entry.key for entry in storage.entries("uploads/")] == [KEY]
    assert all(abs(datetime.now(UTC) - entry.modified_at) < timedelta(minutes=1) for entry in entries)


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_is_no_key_goes_nowhere(storage: ImageStorage, key: str) -> None:
    for call in (storage.get, storage.open, storage.delete, storage.exists):
        with pytest.raises(ValueError, match="not an object key"):
            call(key)
    with pytest.raises(ValueError, match="not an object key"):
        storage.put(key, b"x", "image/jpeg")


def test_many_threads_may_use_it_at_once(storage: ImageStorage) -> None:
    keys = [f"uploads/user-{number % 3}/{number}.jpg" for number in range(24)]

    def there_and_back(key: str) -> bool:
        storage.put(key, key.encode(), "image/jpeg")
        is_same = storage.get(key) == key.encode()
        storage.delete(key)
        return is_same

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(there_and_back, keys))
    assert list(storage.entries()) == []


def test_many_threads_on_one_key_see_a_whole_object_or_none(storage: ImageStorage) -> None:
    """Whoever puts, reads and deletes the same object meanwhile: nobody sees half of it, and nobody fails."""
    contents = {os.urandom(1) * 100_000 for _ in range(4)}

    def put_read_delete(data: bytes) -> None:
        for _ in range(6):
            storage.put(KEY, data, "image/jpeg")
            with contextlib.suppress(NotFound):
                assert storage.get(KEY) in contents
            assert [entry.key for entry in storage.entries()] in ([], [KEY])
            storage.exists(KEY)
            storage.delete(KEY)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put_read_delete, contents))
    assert list(storage.entries()) == []
    assert list(storage.unfinished()) == []


def test_entries_come_in_the_order_of_keys_however_folders_are_named(storage: ImageStorage) -> None:
    keys = ["a-b/x.jpg", "a/x.jpg", "a/x/y.jpg", "a0.jpg", "a.jpg", "ab/x.jpg", "b.jpg"]
    for key in keys:
        storage.put(key, b"x", "image/jpeg")

    assert [entry.key for entry in storage.entries()] == sorted(keys)
    for prefix in ("a", "a/", "a/x", "a/x/", "a/x/y.jpg", "c"):
        assert [entry.key for entry in storage.entries(prefix)] == sorted(key for key in keys if key.startswith(prefix))


def test_the_check_leaves_nothing_behind(storage: ImageStorage) -> None:
    line = storage.check()

    assert line
    assert "\n" not in line
    assert list(storage.entries()) == []


@pytest.fixture(params=["local", "s3", "no bucket"])
def broken(request: pytest.FixtureRequest, tmp_path: Path, s3_url: str) -> Iterator[ImageStorage]:
    """A folder that is a file; a server that is not there; a bucket that nobody made."""
    if request.param == "local":
        (tmp_path / "pictures").write_text("in the way")
        yield LocalStorage(tmp_path / "pictures")
    elif request.param == "no bucket":
        yield S3Storage(storage_settings(s3_url, bucket="nobodys-bucket"))
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        yield S3Storage(storage_settings(f"http://127.0.0.1:{port}"))


def test_a_store_that_is_away_can_be_tried_again(broken: ImageStorage) -> None:
    with pytest.raises(ExternalServiceError) as failed:
        broken.put(KEY, b"x", "image/jpeg")

    assert failed.value.retryable
    assert "pictures" not in failed.value.message
    calls = (broken.get, broken.open, broken.delete, broken.exists, lambda key: list(broken.entries(key)))
    for call in (*calls, lambda _: broken.check()):
        with pytest.raises(ExternalServiceError):
            call(KEY)


@pytest.mark.parametrize("call", ["get", "open", "delete", "exists"])
def test_a_server_that_is_away_is_not_a_missing_picture(call: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    storage = S3Storage(storage_settings(f"http://127.0.0.1:{port}"))

    with pytest.raises(ExternalServiceError) as failed:
        getattr(storage, call)(KEY)

    assert failed.value.category == "NETWORK"


def test_a_bucket_that_nobody_made_is_not_a_missing_picture(s3_url: str) -> None:
    storage = S3Storage(storage_settings(s3_url, bucket="nobodys-bucket"))

    for call in (storage.get, storage.open, storage.delete, storage.exists, lambda key: list(storage.entries(key))):
        with pytest.raises(ExternalServiceError):
            call(KEY)


# --- local files only -----------------------------------------------------------------------------------------------


def test_empty_folders_are_tidied_away(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "pictures")
    storage.put(KEY, b"x", "image/jpeg")
    storage.put(OTHER, b"x", "image/png")

    storage.delete(KEY)

    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["transformations"]
    storage.delete(OTHER)
    assert list((tmp_path / "pictures").iterdir()) == []


def test_half_a_picture_is_never_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(tmp_path)
    storage.put(KEY, b"old", "image/jpeg")

    def no_space(self: Path, target: Path) -> Path:
        assert [entry.key for entry in storage.entries()] == [KEY]  # what is half written is not listed
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(ExternalServiceError):
        storage.put(KEY, b"new", "image/jpeg")

    assert storage.get(KEY) == b"old"
    assert [path.name for path in (tmp_path / KEY).parent.iterdir()] == [Path(KEY).name]


def test_what_a_killed_writer_left_is_shown_as_unfinished_and_can_be_deleted(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "pictures")
    killed = subprocess.Popen(
        [sys.executable, "-c", _KILLED_WHILE_WRITING, str(tmp_path / "pictures"), KEY], cwd=servers.ROOT
    )
    assert killed.wait(20) == -signal.SIGKILL

    (left,) = storage.unfinished()
    assert (Path(left.key).parent, Path(left.key).suffix) == (Path(KEY).parent, ".part")
    assert list(storage.entries()) == []
    assert not storage.exists(KEY)

    storage.delete(left.key)
    assert list(storage.unfinished()) == []
    assert list((tmp_path / "pictures").iterdir()) == []


_KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from pixshift.gateways.storage import LocalStorage
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
LocalStorage(Path(sys.argv[1])).put(sys.argv[2], b"half a picture", "image/jpeg")
"""


# --- S3 only --------------------------------------------------------------------------------------------------------


def test_what_is_stored_has_its_type(s3: S3Storage) -> None:
    s3.put(KEY, b"picture", "image/jpeg")

    assert s3._client.head_object(Bucket="pictures", Key=KEY)["ContentType"] == "image/jpeg"


def test_at_amazon_objects_are_encrypted_and_buckets_are_in_the_host_name() -> None:
    storage = S3Storage(storage_settings(None))
    sent: dict[str, object] = {}
    client = storage._client

    def catch(params: dict[str, object], **_: object) -> tuple[AWSResponse, dict[str, object]]:
        sent.update(params)
        return AWSResponse("https://example.invalid", 200, {}, None), {}

    client.meta.events.register("before-call.s3.PutObject", catch)

    storage.put(KEY, b"x", "image/jpeg")

    assert str(sent["url"]).startswith("https://pictures.s3.eu-central-1.amazonaws.com/uploads/")
    headers = sent["headers"]
    assert isinstance(headers, dict)
    assert headers["x-amz-server-side-encryption"] == "AES256"
    assert "x-amz-checksum-crc32" not in headers
    client.close()


def test_the_client_is_made_once_and_patient_only_so_long(s3: S3Storage) -> None:
    with ThreadPoolExecutor(8) as threads:
        clients = set(threads.map(lambda _: id(s3._client), range(8)))

    config = s3._client.meta.config
    assert len(clients) == 1
    worst = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout) + 1  # and a pause
    assert worst <= 13
    assert config.retries["total_max_attempts"] * config.read_timeout + 1 <= 10
