"""What is due goes, once, with a signed record; what cannot go now goes later."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import OperationalError

from pixshift.domain.lifecycle import Status
from pixshift.domain.retention import deletion_record
from pixshift.errors import ExternalServiceError, InvalidInput
from pixshift.extensions import db
from pixshift.models import Upload
from pixshift.services import leases, retention
from pixshift.tasks.retention import sweep_once
from tests import jobs
from tests.jobs import World


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(sqlite_url, tmp_path) as made:
        yield made


def done(world: World) -> UUID:
    job = world.job()
    world.make_next()
    assert world.read(job).status is Status.COMPLETED
    return job


def download(world: World, job: UUID) -> None:
    with world.app.app_context():
        retention.downloaded(world.toolbox, job)


def sweep(world: World) -> int:
    with world.app.app_context():
        return retention.sweep(world.toolbox)


def photo_of(world: World, job: UUID) -> Upload:
    with world.app.app_context():
        photo = db.session.get(Upload, world.read(job).upload_id)
        assert photo is not None
        return photo


def test_the_first_complete_download_makes_picture_and_photo_due_in_four_and_a_half_minutes(world: World) -> None:
    job = done(world)
    world.clock.forward(minutes=7)
    download(world, job)
    due = world.clock() + timedelta(minutes=4, seconds=30)
    assert world.read(job).downloaded_at == world.clock()
    assert world.read(job).delete_due_at == photo_of(world, job).delete_due_at == due


def test_later_downloads_do_not_prolong_the_time(world: World) -> None:
    job = done(world)
    download(world, job)
    before = world.read(job)
    world.clock.forward(minutes=3)
    download(world, job)
    after = world.read(job)
    assert (after.downloaded_at, after.delete_due_at) == (before.downloaded_at, before.delete_due_at)


def test_a_download_never_puts_a_deletion_off(world: World) -> None:
    job = done(world)
    world.clock.forward(hours=23, minutes=59)
    download(world, job)
    assert world.read(job).delete_due_at == world.clock() + timedelta(minutes=1)


def test_only_a_finished_picture_can_have_been_downloaded(world: World) -> None:
    job = world.job()
    download(world, job)
    assert world.read(job).downloaded_at is None


def test_nothing_goes_before_its_time_and_everything_at_its_time(world: World) -> None:
    job = done(world)
    download(world, job)
    world.clock.forward(minutes=4, seconds=29)
    assert sweep(world) == 0
    world.clock.forward(seconds=1)
    assert sweep(world) == 2
    assert world.storage.objects == {}
    assert sweep(world) == 0


def test_the_record_of_a_deletion_is_signed_and_stays(world: World) -> None:
    job = done(world)
    download(world, job)
    world.clock.forward(minutes=5)
    sweep(world)
    row, photo, secret = world.read(job), photo_of(world, job), world.toolbox.secret
    assert row.deleted_at == photo.deleted_at == world.clock()
    assert row.deletion_record == deletion_record(secret, "picture", str(job), world.clock())
    assert photo.deletion_record == deletion_record(secret, "photo", str(photo.id), world.clock())
    assert row.status is Status.COMPLETED
    world.clock.forward(minutes=5)
    sweep(world)
    assert world.read(job).deletion_record == row.deletion_record


def test_a_photo_nobody_used_goes_after_a_day(world: World) -> None:
    photo = world.photo(world.person())
    world.clock.forward(hours=23, minutes=59)
    assert sweep(world) == 0
    world.clock.forward(minutes=1)
    assert sweep(world) == 1
    assert photo.storage_key not in world.storage.objects


def test_a_picture_nobody_downloaded_goes_after_a_day(world: World) -> None:
    job = done(world)
    world.clock.forward(hours=24)
    sweep(world)
    assert world.storage.objects == {}
    assert world.read(job).deleted_at == world.clock()


def test_what_the_storage_does_not_delete_stays_due_and_goes_in_a_later_round(world: World) -> None:
    job = done(world)
    download(world, job)
    world.clock.forward(minutes=5)
    world.storage.is_away = True
    assert sweep(world) == 0
    assert (world.read(job).deleted_at, world.read(job).deletion_record) == (None, None)
    world.storage.is_away = False
    assert sweep(world) == 2
    assert world.storage.objects == {}


def test_one_object_that_cannot_go_does_not_keep_the_others(world: World) -> None:
    stuck, *others = [done(world) for _ in range(6)]
    world.storage.refuses.add(world.read(stuck).transformed_image_url or "")
    world.clock.forward(hours=24)
    assert sweep(world) == 11
    assert world.read(stuck).deleted_at is None
    assert all(world.read(job).deleted_at for job in others)


def test_a_storage_that_does_not_answer_is_asked_a_few_times_a_round_not_hundreds(world: World) -> None:
    for _ in range(15):
        done(world)
    asked = []

    def no_answer(key: str) -> None:
        asked.append(key)
        raise ExternalServiceError("The picture store does not answer.", retryable=True, category="NETWORK")

    world.storage.delete = no_answer  # type: ignore[method-assign]
    world.clock.forward(hours=24)
    assert sweep(world) == 0
    assert len(asked) == 8


def test_a_storage_that_refuses_single_objects_is_asked_for_all_of_them(world: World) -> None:
    for _ in range(5):
        done(world)
    asked = []

    def refuse(key: str) -> None:
        asked.append(key)
        raise ExternalServiceError("Access denied.", category="API")

    world.storage.delete = refuse  # type: ignore[method-assign]
    world.clock.forward(hours=24)
    assert sweep(world) == 0
    assert len(asked) == 10


def test_hundreds_that_cannot_go_do_not_keep_the_newest(world: World) -> None:
    person = world.person()
    for number in range(2 * retention.BATCH):
        photo = jobs.add_photo(world.app, person, world.clock() - timedelta(seconds=number + 1))
        world.storage.refuses.add(photo.storage_key)
    newest = done(world)
    world.clock.forward(hours=24)

    def refuse(key: str) -> None:
        if key in world.storage.refuses:
            raise ExternalServiceError("Access denied.", category="API")
        world.storage.objects.pop(key)

    world.storage.delete = refuse  # type: ignore[method-assign]
    assert sweep(world) == 2
    assert world.read(newest).deleted_at == world.clock()


def test_an_object_whose_deletion_could_not_be_recorded_is_recorded_by_the_next_round(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = done(world)
    world.clock.forward(hours=24)
    with world.app.app_context(), monkeypatch.context() as patch:
        patch.setattr(db.session, "commit", _no_commit)
        with pytest.raises(OperationalError):
            retention.sweep(world.toolbox)
    assert world.storage.objects == {}
    assert (world.read(job).deleted_at, photo_of(world, job).deleted_at) == (None, None)
    assert sweep(world) == 2
    assert world.read(job).deletion_record
    assert photo_of(world, job).deletion_record


def _no_commit() -> None:
    raise OperationalError("COMMIT", {}, ConnectionError("the database went away"))


def test_what_is_overdue_is_counted_after_a_minute(world: World) -> None:
    job = done(world)
    download(world, job)
    due_at = world.read(job).delete_due_at
    world.clock.forward(minutes=5, seconds=29)
    with world.app.app_context():
        assert retention.overdue(world.clock()) == (0, None)
        world.clock.forward(seconds=1)
        assert retention.overdue(world.clock()) == (2, due_at)
        assert sweep(world) == 2
        assert retention.overdue(world.clock()) == (0, None)


def test_what_an_attempt_of_a_lost_worker_stored_goes_and_the_picture_of_the_next_one_stays(world: World) -> None:
    job = world.job()
    lost = world.claimed()
    leftover = f"transformations/{lost.user_id}/{lost.id}-{lost.attempt_id}.png"
    world.storage.objects[leftover] = b"half done"
    with world.app.app_context():
        db.session.execute(jobs.update(jobs.Attempt).values(storage_key=leftover))
        db.session.commit()
    assert sweep(world) == 0  # the worker may still be at it
    world.clock.forward(seconds=61)
    with world.app.app_context():
        leases.take_back_lost(world.toolbox)
    world.make_next()
    assert sweep(world) == 1
    assert leftover not in world.storage.objects
    assert world.read(job).transformed_image_url in world.storage.objects
    assert [attempt.storage_key for attempt in world.attempts(job)] == [None, None]


def test_delete_now_does_not_wait_for_the_sweeper(world: World) -> None:
    job = done(world)
    with world.app.app_context():
        retention.delete_now(world.toolbox, job)
    assert world.storage.objects == {}
    assert world.read(job).deleted_at == photo_of(world, job).deleted_at == world.clock()


def test_delete_now_does_not_do_the_sweepers_work_while_somebody_waits(world: World) -> None:
    job, others = done(world), done(world)
    download(world, others)
    world.clock.forward(minutes=5)
    with world.app.app_context():
        retention.delete_now(world.toolbox, job)
    assert world.read(job).deleted_at == world.clock()
    assert world.read(others).deleted_at is None
    assert sweep(world) == 2


def test_delete_now_with_the_storage_away_is_made_good_by_a_sweep(world: World) -> None:
    job = done(world)
    world.storage.is_away = True
    with world.app.app_context():
        retention.delete_now(world.toolbox, job)
    assert world.read(job).deleted_at is None
    world.storage.is_away = False
    sweep(world)
    assert world.storage.objects == {}


def test_delete_now_is_refused_while_the_picture_is_being_made_because_it_would_come_back(world: World) -> None:
    job = world.job()
    claimed = world.claimed()
    with world.app.app_context(), pytest.raises(InvalidInput, match="still being made"):
        retention.delete_now(world.toolbox, job)
    world.make(claimed)
    assert world.read(job).status is Status.COMPLETED


def test_the_photo_of_a_failed_job_can_be_deleted_at_once(world: World) -> None:
    job = world.job()
    world.editor.fail("PROMPT_BLOCKED")
    world.make_next()
    with world.app.app_context():
        retention.delete_now(world.toolbox, job)
    assert world.storage.objects == {}


def test_a_record_of_another_installation_or_moment_is_another_record() -> None:
    one = str(uuid4())
    records = {
        deletion_record(secret, kind, one, moment)
        for secret in (b"a" * 32, b"b" * 32)
        for kind in ("photo", "picture")
        for moment in (jobs.NOON, jobs.NOON + timedelta(microseconds=1))
    }
    assert len(records) == 8


def test_a_step_of_the_sweep_that_breaks_does_not_keep_the_others_from_their_work(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = done(world)
    download(world, job)
    world.clock.forward(minutes=5)

    def broken() -> int:
        raise ZeroDivisionError

    world.queue.pending = broken  # type: ignore[method-assign]
    sweep_once(world.app)
    assert world.storage.objects == {}
    assert "sweep failed" in caplog.text
