"""The store and the database compared: objects that no row knows are removed, rows whose object is gone are told.

A process that dies between storing a photo and writing its row leaves such an object; so does a write that arrives
after the deletion. Everything is read in batches, outside any transaction.
"""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, islice
from uuid import UUID, uuid4

from sqlalchemy import select

from pixshift.domain import exports, retention
from pixshift.errors import PixShiftError
from pixshift.gateways.ports import ImageStorage, ObjectEntry
from pixshift.models import AccountExport, Attempt, ExportStatus, Transformation, Upload
from pixshift.models.base import read_rows
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
BATCH = 500
_QUESTIONS_AT_ONCE = 8
_KEPT = (ExportStatus.PENDING, ExportStatus.READY)


class State(StrEnum):
    """What is the matter with an object."""

    UNKNOWN = "unknown"  # no row knows it, and nobody can be at it any more
    YOUNG = "young"  # no row knows it yet: perhaps an upload is under way
    FOREIGN = "foreign"  # not in a folder of ours, or not named as ours are: it is never removed
    REMOVED = "removed"  # it was unknown
    LOST = "lost"  # a row's picture that is not there


@dataclass(frozen=True, slots=True)
class Finding:
    """An object that does not match; ``age`` is None when it is not there."""

    key: str
    age: timedelta | None
    state: State


def audit(toolbox: Toolbox, *, remove: bool = False) -> list[Finding]:
    """Everything that does not match, both ways; ``remove`` is for what is unknown. Raises ExternalServiceError.

    Young objects are looked at again in the end: an upload is followed by its row, and a check of the store is over.
    """
    found = [*unknown(toolbox, remove=remove), *lost(toolbox)]
    young = [finding.key for finding in found if finding.state is State.YOUNG]
    passing = _known(young) | {key for key in young if key.startswith("checks/")}
    return [finding for finding in found if finding.key not in passing]


def remove_unknown(toolbox: Toolbox) -> int:
    """Remove what no row knows. Answers how many went; raises ExternalServiceError. Twice at once does no harm."""
    gone = sum(finding.state is State.REMOVED for finding in unknown(toolbox, remove=True))
    if gone:
        log.warning("objects that no row knew removed", extra={"count": gone})
    return gone


def unknown(toolbox: Toolbox, *, remove: bool = False) -> Iterator[Finding]:
    """Objects that no row knows, or only a row that says they are deleted."""
    storage = toolbox.gateways.storage
    now = _time_of(storage)
    everything = chain(storage.entries(), storage.unfinished())
    while batch := list(islice(everything, BATCH)):
        known = _known([entry.key for entry in batch])
        for entry in batch:
            if entry.key not in known:
                finding = Finding(entry.key, now - entry.modified_at, _state(entry, now))
                yield _removed(storage, finding) if remove and finding.state is State.UNKNOWN else finding


def _time_of(storage: ImageStorage) -> datetime:
    """The store's own clock, by which its objects are as old as they are: ours may be minutes ahead."""
    key = f"checks/{uuid4()}.txt"
    storage.put(key, b"what time is it", "text/plain")
    times = [entry.modified_at for entry in storage.entries(key)]
    storage.delete(key)
    return times[0]


def _state(entry: ObjectEntry, now: datetime) -> State:
    if not retention.is_ours(entry.key):
        return State.FOREIGN
    return State.UNKNOWN if entry.modified_at <= now - retention.UNKNOWN_GRACE else State.YOUNG


def _removed(storage: ImageStorage, finding: Finding) -> Finding:
    """One that cannot go is tried again next time; a store that does not answer ends the round."""
    try:
        storage.delete(finding.key)
    except ValueError:  # its name is no key of ours: somebody has to look
        return Finding(finding.key, finding.age, State.FOREIGN)
    except PixShiftError as error:
        if error.category == "NETWORK":
            raise
        log.error("an unknown object could not be removed", extra={"key": finding.key, "error": type(error).__name__})
        return finding
    return Finding(finding.key, finding.age, State.REMOVED)


def _known(keys: list[str]) -> set[str]:
    """Those keys that a row counts on, looked up by the ids in them."""
    photos = [photo for key in keys if (photo := retention.photo_in(key))]
    made = [pair for key in keys if (pair := retention.job_and_attempt_in(key))]
    copies = [export for key in keys if (export := exports.export_in(key))]
    # Attempts first: what an attempt names becomes its job's picture, never the other way round.
    queries = (
        select(Attempt.storage_key).where(Attempt.id.in_([attempt for _, attempt in made])),
        select(Upload.storage_key).where(Upload.id.in_(photos), Upload.deleted_at.is_(None)),
        select(Transformation.transformed_image_url).where(
            Transformation.id.in_([job for job, _ in made]), Transformation.deleted_at.is_(None)
        ),
        select(AccountExport.storage_key).where(AccountExport.id.in_(copies), AccountExport.status.in_(_KEPT)),
    )
    wanted = (made, photos, made, copies)
    return {row[0] for query, ids in zip(queries, wanted, strict=True) if ids for row in read_rows(query)}


def lost(toolbox: Toolbox) -> Iterator[Finding]:
    """Pictures that a row counts on and the store does not have."""
    for keys in chain(_counted_on(Upload), _counted_on(Transformation)):
        missing = _missing(toolbox.gateways.storage, keys)
        still = _known(missing)  # a sweeper may have deleted one meanwhile
        yield from (Finding(key, None, State.LOST) for key in missing if key in still)


def _counted_on(model: type[Upload] | type[Transformation]) -> Iterator[list[str]]:
    column = Upload.storage_key if model is Upload else Transformation.transformed_image_url
    last = UUID(int=0)
    there = select(model.id, column).where(model.deleted_at.is_(None), column.is_not(None)).order_by(model.id)
    while rows := read_rows(there.where(model.id > last).limit(BATCH)):
        last = rows[-1][0]
        yield [row[1] for row in rows]


def _missing(storage: ImageStorage, keys: Iterable[str]) -> list[str]:
    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE) as pool:
        return [key for key, is_there in pool.map(lambda key: (key, storage.exists(key)), keys) if not is_there]
