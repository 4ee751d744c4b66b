"""What rows remember, on both databases alike."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask
from sqlalchemy import delete, func, select
from sqlalchemy.exc import StatementError

from pixshift.domain.lifecycle import Status
from pixshift.domain.roles import AuthProvider, UserRole
from pixshift.extensions import db
from pixshift.models import AdminAction, Identity, Transformation, Upload, User, UserSession
from pixshift.models.base import read_rows
from pixshift.services import audit
from pixshift.services.audit import Actor
from tests import factories


def test_a_moment_keeps_its_zone_and_its_microseconds(app: Flask) -> None:
    berlin = timezone(timedelta(hours=1))
    moment = datetime(2026, 11, 22, 13, 14, 15, 123456, tzinfo=berlin)
    with app.app_context():
        db.session.add(User(auth_provider=AuthProvider.GMAIL, created_at=moment))
        db.session.commit()
        db.session.expire_all()
        kept = db.session.scalars(select(User)).one().created_at
    assert kept == moment
    assert kept.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(app: Flask) -> None:
    with app.app_context():
        db.session.add(User(auth_provider=AuthProvider.GMAIL, created_at=datetime(2026, 11, 22)))  # noqa: DTZ001
        with pytest.raises(StatementError, match="without a zone"):
            db.session.flush()


def test_moments_compare_in_the_database(app: Flask) -> None:
    moment = datetime(2026, 11, 22, 12, tzinfo=UTC)
    with app.app_context():
        for hours in range(3):
            db.session.add(User(auth_provider=AuthProvider.GMAIL, created_at=moment + timedelta(hours=hours)))
        db.session.commit()
        later = select(func.count()).where(User.created_at > moment + timedelta(minutes=30))
        assert db.session.scalar(later) == 2


def test_a_word_that_is_not_in_the_enum_never_reaches_the_database(app: Flask) -> None:
    with app.app_context():
        db.session.add(User(auth_provider="TWITTER"))
        with pytest.raises(StatementError):
            db.session.flush()


def test_a_new_person_is_a_guest_who_has_used_nothing(app: Flask) -> None:
    with app.app_context():
        user = User(auth_provider=AuthProvider.MOBILE)
        db.session.add(user)
        db.session.commit()
        assert (user.role, user.free_tier_used, user.pricing_tier, user.erased_at) == (UserRole.GUEST, 0, None, None)
        assert user.created_at == user.updated_at or user.updated_at >= user.created_at


def test_what_belongs_to_a_person_goes_with_the_row(app: Flask) -> None:
    """As the design's foreign keys say; the application itself never deletes a person."""
    who = factories.person(app)
    factories.job(who, factories.style(app))
    with app.app_context():
        db.session.execute(delete(User))
        db.session.commit()
        for model in (Identity, UserSession, Upload, Transformation):
            assert db.session.scalar(select(func.count()).select_from(model)) == 0


def test_details_of_an_act_come_back_as_they_were(app: Flask) -> None:
    details = {"from": "GUEST", "to": "ADMIN", "numbers": [1, 2.5, None], "words": "äö✓"}
    with app.app_context():
        audit.record(Actor("cli:tester"), "ROLE_CHANGE", "USER", None, details)
        db.session.commit()
        db.session.expire_all()
        row = db.session.scalars(select(AdminAction)).one()
        assert (row.actor, row.details, row.admin_user_id) == ("cli:tester", details, None)


def test_an_act_that_is_rolled_back_leaves_no_record(app: Flask) -> None:
    with app.app_context():
        audit.record(Actor("cli:tester"), "ROLE_CHANGE", "USER")
        db.session.rollback()
        assert db.session.scalars(select(AdminAction)).all() == []


def test_rows_are_read_while_somebody_else_writes(app: Flask) -> None:
    factories.person(app)
    with app.app_context(), db.engine.begin() as writer:
        writer.execute(delete(UserSession))
        assert len(read_rows(select(User.id))) == 1
        assert len(read_rows(select(UserSession.id))) == 1


def test_a_job_knows_its_type_and_its_photo(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app)
    job_id = factories.job(who, kind)
    with app.app_context():
        job = db.session.get_one(Transformation, job_id)
        assert (job.type.id, job.user.id, job.status) == (kind, who.id, Status.PENDING)
        assert job.upload is not None
        assert job.upload.storage_key == job.original_image_url
