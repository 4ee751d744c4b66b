"""Where pictures lie: an S3 bucket, or files below one folder."""

import contextlib
import io
import os
import re
import stat
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import uuid4

from pixshift.errors import ExternalServiceError, NotFound
from pixshift.gateways.ports import ObjectEntry, StoredObject
from pixshift.settings_sections import Storage

# Lower case, no dots but the extension's: neither "..", nor hidden, nor temporary files can be named.
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}(/[a-z0-9][a-z0-9_-]{0,99}){0,4}\.[a-z0-9]{2,5}")
_PARTIAL, _TRIES = ".part", 50
# Somebody waits: a server that takes calls and does not answer has cost two reads and a pause, 9 s, when we give up.
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS, _CONNECTIONS = 2, 4, 2, 50
_MISSING = {"404", "NoSuchKey", "NotFound"}


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"not an object key: {key!r}")
    return key


def _away(error: Exception, *, is_answer: bool = False) -> ExternalServiceError:
    message = "The picture store does not answer. Please try again in a minute."
    failure = ExternalServiceError(message, retryable=True, category="API" if is_answer else "NETWORK")
    failure.__cause__ = error
    return failure


def _missing() -> NotFound:
    return NotFound("That picture is not there any more.")


class LocalStorage:
    """Files below ``folder``, for one machine. A key that is not one raises ValueError everywhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Write beside the place and rename, so that no reader ever sees half a picture."""
        target = self._folder / _checked(key)
        with _translated():
            for _ in range(_TRIES):  # a folder may be tidied away between its making and its use
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    return _write_whole(target, data)
        raise _away(FileNotFoundError(key))

    def get(self, key: str) -> bytes:
        with _translated():
            return (self._folder / _checked(key)).read_bytes()

    def open(self, key: str) -> StoredObject:
        with _translated():
            handle = (self._folder / _checked(key)).open("rb")
            return StoredObject(os.fstat(handle.fileno()).st_size, handle)

    def delete(self, key: str) -> None:
        path = self._folder / _checked(key)
        with _translated():
            path.unlink(missing_ok=True)
        for parent in list(path.parents)[: key.count("/")]:
            with contextlib.suppress(OSError):  # not empty, or somebody else was quicker
                parent.rmdir()

    def exists(self, key: str) -> bool:
        try:
            with _translated():
                return stat.S_ISREG((self._folder / _checked(key)).stat().st_mode)
        except NotFound:
            return False

    def entries(self, prefix: str = "") -> Iterator[ObjectEntry]:
        """Every object whose key begins with ``prefix``, in the order of keys."""
        return (entry for entry in self._walk(prefix) if not entry.key.endswith(_PARTIAL))

    def unfinished(self) -> Iterator[ObjectEntry]:
        return (entry for entry in self._walk() if entry.key.endswith(_PARTIAL))

    def _walk(self, prefix: str = "", folder: str = "") -> Iterator[ObjectEntry]:
        """Files below ``folder`` ("" or "…/"), holding the names of no more than one folder of each depth."""
        for name in self._names(folder):
            path = folder + name
            if name.endswith("/"):
                if path.startswith(prefix) or prefix.startswith(path):
                    yield from self._walk(prefix, path)
            elif path.startswith(prefix):
                with _translated(), contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    yield ObjectEntry(path, datetime.fromtimestamp((self._folder / path).stat().st_mtime, UTC))

    def _names(self, folder: str) -> list[str]:
        """What is in a folder, folders with a slash, so that they are sorted as the keys in them are."""
        with _translated(), contextlib.suppress(FileNotFoundError), os.scandir(self._folder / folder) as found:
            return sorted(item.name + "/" * item.is_dir(follow_symlinks=False) for item in found)
        return []

    def check(self) -> str:
        """Write, read and delete one small object; raises ExternalServiceError."""
        _round_trip(self)
        return f"local files in {self._folder}"


class S3Storage:
    """One bucket of AWS S3, or of a server that speaks like it when the settings name an endpoint."""

    def __init__(self, settings: Storage) -> None:
        self._settings, self._bucket, self._endpoint = settings, settings.bucket, settings.endpoint
        # Other servers refuse or ignore the header; at AWS it makes the encryption at rest visible.
        self._encryption = {} if self._endpoint else {"ServerSideEncryption": "AES256"}
        self._made: Any = None
        self._making = threading.Lock()

    def put(self, key: str, data: bytes, media_type: str) -> None:
        with _translated():
            self._client.put_object(
                Bucket=self._bucket, Key=_checked(key), Body=data, ContentType=media_type, **self._encryption
            )

    def get(self, key: str) -> bytes:
        return b"".join(self.open(key).chunks(1024 * 1024))

    def open(self, key: str) -> StoredObject:
        with _translated():
            answer = self._client.get_object(Bucket=self._bucket, Key=_checked(key))
            return StoredObject(answer["ContentLength"], cast(BinaryIO, _Body(answer["Body"])))

    def delete(self, key: str) -> None:
        with _translated():
            self._client.delete_object(Bucket=self._bucket, Key=_checked(key))

    def exists(self, key: str) -> bool:
        """Asked of the list: a HEAD says the same 404 of a missing bucket."""
        with _translated():
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=_checked(key), MaxKeys=1)
        return any(item["Key"] == key for item in answer.get("Contents", ()))

    def entries(self, prefix: str = "") -> Iterator[ObjectEntry]:
        with _translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for item in page.get("Contents", ()):
                    yield ObjectEntry(item["Key"], item["LastModified"])

    def unfinished(self) -> Iterator[ObjectEntry]:
        """None: S3 shows an object when it is whole."""
        return iter(())

    def check(self) -> str:
        """Write, read and delete one small object; raises ExternalServiceError."""
        _round_trip(self)
        return f"bucket {self._bucket} at {self._endpoint or 'AWS S3'}"

    @property
    def _client(self) -> Any:
        with self._making:  # a client may be shared by threads, its making may not
            if self._made is None:
                self._made = self._make_client()
            return self._made

    def _make_client(self) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            s3={"addressing_style": "path" if self._endpoint else "virtual"},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            max_pool_connections=_CONNECTIONS,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        secret = self._settings.secret_access_key
        return boto3.session.Session().client(
            "s3",
            region_name=self._settings.region,
            endpoint_url=self._endpoint,
            aws_access_key_id=self._settings.access_key_id,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=config,
        )


class _Body(io.RawIOBase):
    """The answer's stream, whose faults are ours."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        with _translated():
            return bytes(self._stream.read(None if size < 0 else size))

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn the faults of a disc or of botocore into ours."""
    try:
        yield
    except FileNotFoundError:
        raise _missing() from None
    except OSError as error:
        raise _away(error) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("boto3", "botocore", "urllib3"):
            raise
        raise _from_botocore(error) from error


def _from_botocore(error: Exception) -> Exception:
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict):
        return _away(error)
    code = str(answer.get("Error", {}).get("Code"))
    # A missing bucket is not a missing picture: somebody has to look.
    return _missing() if code in _MISSING else _away(error, is_answer=True)


def _write_whole(target: Path, data: bytes) -> None:
    descriptor, partial = tempfile.mkstemp(dir=target.parent, suffix=_PARTIAL)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
        Path(partial).replace(target)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _round_trip(store: "LocalStorage | S3Storage") -> None:
    key = f"checks/{uuid4()}.txt"  # nobody else's, on whichever machine they are
    store.put(key, b"pixshift", "text/plain")
    is_same = store.get(key) == b"pixshift"
    store.delete(key)
    if not is_same:
        raise ExternalServiceError("The picture store does not give back what it was given.")
