"""The store of pictures, as local files and as S3: what it keeps, many at once, faults, and the product upon it."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from drills import errand
from drills.table import Ground, Row, Size, at_most, exactly
from pixshift.errors import ExternalServiceError, NotFound
from pixshift.gateways.ports import ImageStorage
from pixshift.gateways.storage import LocalStorage, S3Storage
from tests.stand_ins import s3
from tests.stand_ins.s3 import Bucket, FaultyS3

AREA = "Storage"
PATIENCE = 10.0  # seconds that a caller, and the person behind it, waits at most


@dataclass(frozen=True)
class Plan:
    """How much of it. A store that hangs takes its time, so it is tried in full only."""

    threads: int
    rounds: int
    listed: int
    faults: tuple[str, ...]


FULL = Plan(16, 20, 1100, s3.FAULTS)
SAMPLE = Plan(8, 2, 12, ("slow down", "wrong clock", "cut", "html"))


def rows(ground: Ground, size: Size) -> Iterator[Row]:
    plan = FULL if size is Size.FULL else SAMPLE
    with s3.moto() as url:
        with s3.bucket(url) as bucket:
            for name, make in (("files", lambda: LocalStorage(ground.folder / "files")), ("S3", bucket.storage)):
                yield from _contract(name, make(), plan)
                yield from _crowd(name, make(), plan)
            yield from _broken_files(ground.folder)
            yield from _broken_s3(bucket, plan)
        with s3.bucket(url) as bucket:
            yield from errand.rows(ground, bucket, size)


# --- what it keeps --------------------------------------------------------------------------------------------------


def _contract(name: str, storage: ImageStorage, plan: Plan) -> Iterator[Row]:
    wrong = [what for what, holds in CONTRACT.items() if not holds(storage)]
    found = str(len(wrong)) + "".join(f"; {what}" for what in wrong)
    yield Row(AREA, f"{name}: broken of {len(CONTRACT)} promises of the contract", found, "0", not wrong)
    keys = [f"uploads/{uuid4()}/{uuid4()}.jpg" for _ in range(plan.listed)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: storage.put(key, b"x", "image/jpeg"), keys))
        listed = [entry.key for entry in storage.entries()]
        list(pool.map(storage.delete, keys))
    yield exactly(AREA, f"{name}: missing or out of order of {plan.listed} listed", sum(_differ(listed, keys)), 0)
    yield exactly(AREA, f"{name}: objects left", len(list(storage.entries())), 0)


def _differ(listed: list[str], keys: list[str]) -> Iterator[bool]:
    yield len(listed) != len(keys)
    yield from (one != other for one, other in zip(listed, sorted(keys), strict=False))


def _key() -> str:
    return f"uploads/{uuid4()}/{uuid4()}.jpg"


def _is_kept(storage: ImageStorage) -> bool:
    key, data = _key(), os.urandom(300_000)
    storage.put(key, b"older", "image/jpeg")
    storage.put(key, data, "image/jpeg")
    opened = storage.open(key)
    is_same = storage.get(key) == data == b"".join(opened.chunks()) and opened.size == len(data)
    storage.delete(key)
    return is_same and opened.body.closed


def _is_gone(storage: ImageStorage) -> bool:
    key = _key()
    storage.put(key, b"x", "image/jpeg")
    was_there = storage.exists(key)
    storage.delete(key)
    storage.delete(key)
    return was_there and not storage.exists(key) and _raises(NotFound, lambda: storage.get(key))


def _is_no_key(storage: ImageStorage) -> bool:
    names = ("", "/etc/passwd", "../x.jpg", "uploads/../../x.jpg", "a\\b.jpg", "UP/x.jpg", "uploads/x.jpg\n", "x")
    return all(_raises(ValueError, lambda name=name: storage.put(name, b"x", "image/jpeg")) for name in names)


def _is_checked(storage: ImageStorage) -> bool:
    return bool(storage.check()) and list(storage.entries("checks/")) == []


def _raises(kind: type[Exception], call: Callable[[], Any]) -> bool:
    try:
        call()
    except kind:
        return True
    return False


CONTRACT: dict[str, Callable[[ImageStorage], bool]] = {
    "what was put last is got": _is_kept,
    "what was deleted is gone, twice too": _is_gone,
    "what is no key goes nowhere": _is_no_key,
    "the check leaves nothing": _is_checked,
}


# --- many at once ---------------------------------------------------------------------------------------------------


def _crowd(name: str, storage: ImageStorage, plan: Plan) -> Iterator[Row]:
    """All at the same few keys, and each at keys of its own, beginning with the very first call of a store."""
    shared = [_key() for _ in range(3)]
    contents = {os.urandom(1) * 200_000 for _ in range(plan.threads)}

    def one(data: bytes) -> int:
        halves = 0
        for number in range(plan.rounds):
            own, key = _key(), shared[number % 3]
            for place in (own, key):
                storage.put(place, data, "image/jpeg")
            halves += storage.get(own) != data
            with suppress(NotFound):
                halves += storage.get(key) not in contents
            for place in (own, key):
                storage.delete(place)
        return halves

    with ThreadPoolExecutor(plan.threads) as pool:
        ends = [pool.submit(one, data) for data in contents]
    faults = [end.exception() for end in ends if end.exception()]
    yield exactly(AREA, f"{name}: errors of {len(contents)} threads on the same and on different keys", len(faults), 0)
    yield exactly(AREA, f"{name}: wrong or half objects read", sum(e.result() for e in ends if not e.exception()), 0)
    left = [*storage.entries(), *storage.unfinished()]
    yield exactly(AREA, f"{name}: objects left by them", len(left), 0)


# --- faults ---------------------------------------------------------------------------------------------------------

_LOST = "uploads/6f1c1c0e-0000-4000-8000-000000000001/6f1c1c0e-0000-4000-8000-000000000002.jpg"
CALLS: tuple[Callable[[ImageStorage], Any], ...] = (
    lambda storage: storage.put(_LOST, b"x", "image/jpeg"),
    lambda storage: storage.get(_LOST),
    lambda storage: storage.delete(_LOST),
    lambda storage: storage.exists(_LOST),
    lambda storage: list(storage.entries()),
)
LISTING = CALLS[3:]  # whoever wants no content, or any, cannot see that a page is somebody else's


def _not_ours(storage: ImageStorage, calls: tuple[Callable[[ImageStorage], Any], ...] = CALLS) -> tuple[int, float]:
    """How many calls did not end in our own error that may be tried again; and the seconds of the longest."""

    def ends(call: Callable[[ImageStorage], Any]) -> tuple[bool, float]:
        begun = time.monotonic()
        try:
            call(storage)
        except ExternalServiceError as error:
            return not error.retryable, time.monotonic() - begun
        return True, time.monotonic() - begun

    with ThreadPoolExecutor(len(calls)) as pool:
        found = list(pool.map(ends, calls))
    return sum(is_wrong for is_wrong, _ in found), max(seconds for _, seconds in found)


def _broken_files(folder: Path) -> Iterator[Row]:
    """A folder that is a file."""
    (folder / "in the way").write_text("no folder")
    wrong, _ = _not_ours(LocalStorage(folder / "in the way"))
    yield exactly(AREA, "files: a folder that is none: calls without our error", wrong, 0)


def _broken_s3(bucket: Bucket, plan: Plan) -> Iterator[Row]:
    with _faulty(bucket) as (faulty, storage):
        for fault in plan.faults:
            faulty.mood = fault
            wrong, seconds = _not_ours(storage, LISTING if fault == "html" else CALLS)
            yield exactly(AREA, f"S3: {fault}: calls without our error", wrong, 0)
            yield at_most(AREA, f"S3: {fault}: longest call", seconds, PATIENCE, "s")
        faulty.mood = "ok"
        storage.put(_LOST, os.urandom(500_000), "image/jpeg")
        faulty.mood = "cut body"
        short = sum(not _raises(ExternalServiceError, lambda: storage.get(_LOST)) for _ in range(10))
        yield exactly(AREA, "S3: bodies that break off taken for whole, of 10", short, 0)
        faulty.mood = "ok"
        storage.delete(_LOST)
    wrong, seconds = _not_ours(S3Storage(s3.storage_settings(faulty.url)))
    yield exactly(AREA, "S3: server gone: calls without our error", wrong, 0)
    yield at_most(AREA, "S3: server gone: longest call", seconds, PATIENCE, "s")
    wrong, _ = _not_ours(S3Storage(bucket.settings("nobodys-bucket")))
    yield exactly(AREA, "S3: no such bucket: calls without our error", wrong, 0)


@contextmanager
def _faulty(bucket: Bucket) -> Iterator[tuple[FaultyS3, ImageStorage]]:
    with FaultyS3(bucket.url) as server:
        yield server, S3Storage(s3.storage_settings(server.url))
