"""When a picture is due."""

import re
from datetime import UTC, datetime, timedelta

from pixshift.domain import retention
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
