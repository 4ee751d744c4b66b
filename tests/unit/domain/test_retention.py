"""When a picture is due, and whose an object is."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pixshift.domain import images, retention
from pixshift.domain.lifecycle import SWEEP_SECONDS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_downloaded_picture_is_due_half_a_minute_before_the_promise_ends() -> None:
    assert retention.due_after_download(NOON) - NOON == timedelta(minutes=4, seconds=30)
    assert timedelta(minutes=5) == retention.PROMISE
    assert retention.AFTER_DOWNLOAD + timedelta(seconds=SWEEP_SECONDS) < retention.PROMISE


def test_what_nobody_uses_goes_after_a_day() -> None:
    assert retention.due_unused(NOON) - NOON == timedelta(hours=24)


def test_a_deletion_record_is_a_signature_over_what_when_and_by_whom() -> None:
    records = {
        retention.deletion_record(secret, kind, object_id, moment)
        for secret in (b"a", b"b")
        for kind in ("photo", "picture")
        for object_id in ("1", "2")
        for moment in (NOON, NOON + timedelta(microseconds=1))
    }
    assert len(records) == 16
    assert all(re.fullmatch(r"[0-9a-f]{32}", record) for record in records)
    assert retention.deletion_record(b"a", "photo", "1", NOON) in records


def test_the_ids_in_a_key_are_those_it_was_made_of() -> None:
    person, photo, job, attempt = (uuid4() for _ in range(4))
    key = images.upload_key(person, photo)
    assert (retention.photo_in(key), retention.job_and_attempt_in(key)) == (photo, None)
    for media_type in images.EXTENSIONS:
        key = images.result_key(person, job, attempt, media_type)
        assert (retention.photo_in(key), retention.job_and_attempt_in(key)) == (None, (job, attempt))


@pytest.mark.parametrize("key", ["", "uploads/x.jpg", "uploads/a/b/c.jpg", "checks/x.txt", "transformations/x/y/z.png"])
def test_other_keys_have_no_ids(key: str) -> None:
    assert (retention.photo_in(key), retention.job_and_attempt_in(key)) == (None, None)


def test_only_what_lies_in_our_folders_is_ours() -> None:
    assert all(retention.is_ours(key) for key in ("uploads/x", "transformations/x/y.part", "checks/x.txt"))
    assert not any(retention.is_ours(key) for key in ("", "backups/uploads/x.jpg", "uploads.tar", "x.jpg"))
