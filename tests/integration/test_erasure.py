"""Being forgotten: what goes, what stays, and that nobody is forgotten by accident."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from pixshift.domain.lifecycle import FINAL, BillingStatus, Reservation, Status
from pixshift.domain.roles import UserRole
from pixshift.errors import InvalidInput
from pixshift.extensions import db
from pixshift.gateways.storage import LocalStorage
from pixshift.models import (
    AccountExport,
    AdminAction,
    BillingRecord,
    ExportStatus,
    Identity,
    ShareLink,
    Upload,
    User,
    UserSession,
)
from pixshift.services import erasure, exports, orphans
from pixshift.services.audit import Actor
from pixshift.tasks.exports import make_due
from pixshift.tasks.retention import sweep_once
from tests import factories, jobs
from tests.factories import Person
from tests.jobs import World


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(database_url, tmp_path) as made:
        gateways = dataclasses.replace(made.toolbox.gateways, storage=LocalStorage(tmp_path / "pictures"))
        made.app.extensions["toolbox"] = dataclasses.replace(made.toolbox, gateways=gateways)
        yield made


def erase(who: Person, word: str = "ERASE") -> TestResponse:
    return who.client.post("/profile/erase", data={"confirm": word}, headers=who.headers)


def forget(world: World, person: UUID) -> None:
    with world.app.app_context():
        erasure.erase(world.toolbox, person, Actor("test"))


def photo(world: World, person: UUID) -> Upload:
    row = jobs.add_photo(world.app, person, world.clock())
    world.toolbox.gateways.storage.put(row.storage_key, jobs.PHOTO, "image/jpeg")
    return row


def stored(app: Flask) -> list[str]:
    return [entry.key for entry in app.extensions["toolbox"].gateways.storage.entries()]


def acts(app: Flask) -> list[AdminAction]:
    with app.app_context():
        return list(db.session.scalars(select(AdminAction)))


def grow_old(app: Flask, who: Person) -> None:
    """As if they had signed in eleven minutes ago."""
    with app.app_context():
        then = datetime.now(UTC) - timedelta(minutes=11)
        db.session.execute(update(UserSession).where(UserSession.user_id == who.id).values(created_at=then))
        db.session.commit()


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_says_what_goes_and_what_stays(who: Person) -> None:
    page = who.client.get("/profile/erase")
    assert page.status_code == 200
    for words in ("cannot be undone", "Invoices", "Type ERASE"):
        assert words in page.text


@pytest.mark.parametrize("word", ["", "yes", "ERASE ME", "e r a s e"])
def test_another_word_erases_nothing(quick: Flask, who: Person, word: str) -> None:
    answer = erase(who, word)
    assert answer.status_code == 400
    assert "Type the word ERASE to go on." in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert factories.user_row(quick, who.id).phone == who.phone


@pytest.mark.parametrize("word", ["ERASE", " erase ", "Erase"])
def test_the_word_erases(quick: Flask, who: Person, word: str) -> None:
    answer = erase(who, word)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/goodbye")
    assert "session=;" in answer.headers["Set-Cookie"]
    assert who.client.get_cookie("session") is None
    assert "Your account is erased" in who.client.get("/goodbye").text
    user = factories.user_row(quick, who.id)
    assert (user.erased_at is not None, user.phone, user.email, user.pricing_tier) == (True, None, None, None)


def test_who_signed_in_long_ago_signs_in_once_more(quick: Flask, who: Person) -> None:
    grow_old(quick, who)
    for answer in (who.client.get("/profile/erase"), erase(who)):
        assert answer.status_code == 401
        assert "please sign in once more" in answer.text
        assert 'name="confirm"' not in answer.text
    assert factories.user_row(quick, who.id).erased_at is None
    again = who.client.post("/profile/erase/sign-in", headers=who.headers)
    assert (again.status_code, again.headers["Location"]) == (303, "/login")
    with who.client.session_transaction() as flow:
        assert flow["next"] == "/profile/erase"
    assert who.client.get("/profile", headers=who.bearer).status_code == 303


# --- what it does ---------------------------------------------------------------------------------------------------


def test_every_sign_in_ends_with_the_next_request(app: Flask) -> None:
    who = factories.person(app)
    other_device = factories.person(app, who.phone)
    assert other_device.id == who.id
    assert other_device.client.get("/api/v1/auth/session").status_code == 200
    assert erase(who).status_code == 303
    for device in (who, other_device):
        answer = app.test_client().get("/api/v1/auth/session", headers=device.bearer)
        assert answer.status_code == 401
        assert factories.error_of(answer)["code"] == "AUTH_EXPIRED"


def test_nothing_is_stored_any_more_when_the_page_says_so(app: Flask) -> None:
    who, other = factories.person(app), factories.person(app)
    kind = factories.style(app)
    job_id = factories.picture(app, who, kind)
    kept = factories.picture(app, other, kind)
    factories.upload(who)
    factories.job(who, kind)
    who.client.post("/profile/export", headers=who.headers)
    make_due(app)
    assert len([key for key in stored(app) if str(who.id) in key]) == 5
    assert erase(who).status_code == 303
    assert {key.split("/")[1] for key in stored(app)} == {str(other.id)}
    job = factories.row(app, job_id)
    assert job.deleted_at is not None
    assert len(job.deletion_record or "") == 32
    with app.app_context():
        assert set(db.session.scalars(select(Upload.name).where(Upload.user_id == who.id))) == {None}
        assert list(db.session.scalars(select(AccountExport.status))) == [ExportStatus.DELETED]
        assert list(db.session.scalars(select(UserSession.device).where(UserSession.user_id == who.id))) == [None]
        assert orphans.audit(app.extensions["toolbox"]) == []
    assert factories.row(app, kept).deleted_at is None
    assert factories.photo_row(app, factories.row(app, kept).upload_id or "").name == "photo.jpg"


def test_the_number_is_free_again_and_leads_to_a_new_account(app: Flask) -> None:
    who = factories.person(app)
    erase(who)
    again = factories.person(app, who.phone)
    assert again.id != who.id
    assert factories.user_row(app, again.id).free_tier_used == 0
    assert "Nothing yet." in again.client.get("/transformations").text
    assert factories.user_row(app, who.id).phone is None


def test_invoices_and_the_audit_log_stay_without_a_name(app: Flask) -> None:
    who = factories.person(app)
    job_id = factories.picture(app, who, factories.style(app))
    with app.app_context():
        db.session.add(
            BillingRecord(
                user_id=who.id, transformation_id=job_id, amount=Decimal("2.00"), status=BillingStatus.COMPLETED
            )
        )
        db.session.commit()
    erase(who)
    with app.app_context():
        bill = db.session.scalars(select(BillingRecord)).one()
        assert (bill.user_id, bill.transformation_id, bill.amount) == (who.id, job_id, Decimal("2.00"))
        assert list(db.session.scalars(select(Identity))) == []
    (act,) = acts(app)
    assert (act.actor, act.action_type, act.entity_type, act.entity_id) == ("self", "ERASE", "USER", who.id)
    assert act.details is None


def test_links_that_were_shared_end(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person, photo(world, person))
    world.make_next()
    with world.app.app_context():
        ends = world.clock() + timedelta(hours=5)
        db.session.add(ShareLink(transformation_id=job, user_id=person, expires_at=ends))
        db.session.commit()
    forget(world, person)
    with world.app.app_context():
        assert db.session.scalars(select(ShareLink.revoked_at)).one() == world.clock()


def test_what_waits_is_ended_and_given_back(world: World) -> None:
    person = world.person(free_used=2)
    waiting = world.job(person, photo(world, person))
    unpaid = world.job(person, photo(world, person), due_at=None)
    forget(world, person)
    for job in (waiting, unpaid):
        row = world.read(job)
        assert (row.status, row.error_code, row.reservation) == (Status.FAILED, "CANCELLED", Reservation.RELEASED)
    assert world.free_used(person) == 0
    assert world.claim() is None
    assert stored(world.app) == []


def test_the_result_of_a_running_job_does_not_survive(world: World) -> None:
    person = world.person(free_used=1)
    job = world.job(person, photo(world, person))
    world.editor.before_answer = lambda: forget(world, person)
    world.make_next()
    row = world.read(job)
    assert (row.status, row.transformed_image_url) == (Status.FAILED, None)
    sweep_once(world.app)
    assert stored(world.app) == []
    assert [attempt.outcome for attempt in world.attempts(job)] == ["LEASE_LOST"]


def test_a_copy_in_the_making_does_not_survive(world: World) -> None:
    person = world.person()
    with world.app.app_context():
        exports.ask(world.toolbox, person)
        claim = exports._claim(world.toolbox)
        assert claim is not None
    forget(world, person)
    with world.app.app_context():
        world.toolbox.gateways.storage.put(claim.key, b"zip", "application/zip")
        assert not exports._finish(world.toolbox, claim, 3)
        exports._take_back(world.toolbox, claim)
    assert stored(world.app) == []


def test_what_arrives_meanwhile_goes_with_the_next_sweep(world: World) -> None:
    person = world.person()
    forget(world, person)
    late = photo(world, person)  # its request had begun before
    job = world.job(person, late)
    sweep_once(world.app)
    assert stored(world.app) == []
    assert world.read(job).status is Status.FAILED
    with world.app.app_context():
        assert erasure.follow_up(world.toolbox) == 0
        assert db.session.scalars(select(Upload.name)).one() is None


def test_a_store_that_is_away_is_swept_later(database_url: str, tmp_path: Path) -> None:
    with jobs.world(database_url, tmp_path) as world:
        person = world.person()
        world.photo(person)
        world.storage.is_away = True
        forget(world, person)
        assert len(world.storage.objects) == 1
        world.storage.is_away = False
        sweep_once(world.app)
        assert world.storage.objects == {}


def test_twice_is_as_good_as_once(world: World) -> None:
    person = world.person()
    forget(world, person)
    first = factories.user_row(world.app, person).erased_at
    world.clock.forward(minutes=1)
    forget(world, person)
    assert factories.user_row(world.app, person).erased_at == first
    assert len(acts(world.app)) == 1


def test_the_last_admin_stays(app: Flask) -> None:
    admin = factories.person(app, role=UserRole.ADMIN)
    answer = erase(admin)
    assert answer.status_code == 400
    assert "last admin" in answer.text
    with app.app_context(), pytest.raises(InvalidInput):
        erasure.erase(app.extensions["toolbox"], admin.id, Actor("test"))
    assert factories.user_row(app, admin.id).phone == admin.phone
    factories.person(app, role=UserRole.ADMIN)
    assert erase(admin).status_code == 303
    assert factories.user_row(app, admin.id).role is UserRole.GUEST


def test_workers_that_are_busy_meanwhile_leave_nothing_behind(world: World) -> None:
    person, other = world.person(free_used=6), world.person(free_used=6)
    mine = [world.job(person, photo(world, person)) for _ in range(6)]
    others = [world.job(other, photo(world, other)) for _ in range(6)]
    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work_off, world) for _ in range(3)]
        pool.submit(forget, world, person).result()
        for worker in workers:
            worker.result()
    work_off(world)
    sweep_once(world.app)
    assert {world.read(job).status for job in others} == {Status.COMPLETED}
    assert all(world.read(job).status in FINAL for job in mine)
    assert {key.split("/")[1] for key in stored(world.app)} == {str(other)}
    made = sum(world.read(job).status is Status.COMPLETED for job in mine)
    assert world.free_used(person) == made


def work_off(world: World) -> None:
    while job := world.claim():
        world.make(job)


def test_of_two_last_admins_who_leave_at_once_one_stays(app: Flask) -> None:
    admins = [factories.person(app, role=UserRole.ADMIN) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(erase, admins))
    assert statuses == [303, 400]


# --- operators ------------------------------------------------------------------------------------------------------


def test_an_operator_erases_by_number(app: Flask) -> None:
    who = factories.person(app)
    run = app.test_cli_runner().invoke
    refused = run(args=["users", "erase", who.phone], input="n\n")
    assert refused.exit_code == 1
    assert factories.user_row(app, who.id).erased_at is None
    done = run(args=["users", "erase", who.phone, "--yes"])
    assert (done.exit_code, done.stdout) == (0, f"{who.id} is erased.\n")
    assert who.phone not in done.output
    assert factories.user_row(app, who.id).erased_at is not None
    assert acts(app)[0].actor.startswith("cli")
    unknown = run(args=["users", "erase", who.phone, "--yes"])
    assert (unknown.exit_code, unknown.stderr[:6]) == (1, "Error:")


def test_erased_people_have_no_row_of_personal_data(app: Flask) -> None:
    who = factories.person(app)
    erase(who)
    with app.app_context():
        user = db.session.scalars(select(User).where(User.id == who.id)).one()
        assert (user.phone, user.email, user.role) == (None, None, UserRole.GUEST)
