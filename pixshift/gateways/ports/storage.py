"""Where pictures lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An open object: bytes in all, and its content in chunks. ``close`` it when it is not read to the end."""

    size: int
    body: BinaryIO

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        try:
            while chunk := self.body.read(size):
                yield chunk
        finally:
            self.body.close()


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    key: str
    modified_at: datetime


class ImageStorage(Protocol):
    """Objects by key.

    ``uploads/{userId}/{imageId}.jpg``, ``transformations/{userId}/{id}/{attemptId}.<ext>``,
    ``exports/{userId}/{exportId}.zip``.
    """

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store whole or not at all. Raises ExternalServiceError (NETWORK, retryable) when storage does not answer."""
        ...

    def get(self, key: str) -> bytes:
        """The whole object. Raises NotFound, ExternalServiceError."""
        ...

    def open(self, key: str) -> StoredObject:
        """For streaming. Raises NotFound, ExternalServiceError."""
        ...

    def delete(self, key: str) -> None:
        """Gone afterwards; deleting what is not there is fine. Raises ExternalServiceError."""
        ...

    def exists(self, key: str) -> bool:
        """Raises ExternalServiceError."""
        ...

    def entries(self, prefix: str = "") -> Iterator[ObjectEntry]:
        """What is stored, in the order of keys and read as it is asked for. Raises ExternalServiceError meanwhile."""
        ...

    def unfinished(self) -> Iterator[ObjectEntry]:
        """What writers that were killed left half written; ``entries`` does not show it, ``delete`` takes it."""
        ...

    def check(self) -> str:
        """Write, read and delete one small object; answers a line about the store. Raises ExternalServiceError."""
        ...
