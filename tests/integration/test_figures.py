"""The numbers of the desk against rows written by hand, on both databases; closed days are kept, and kept right."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from pixshift.domain.lifecycle import RefundStatus
from pixshift.domain.roles import AuthProvider
from pixshift.domain.tallies import Day, Speed, Tally
from pixshift.extensions import db
from pixshift.models import DailyCount, DailyFigures, DailyTotals, Transformation, User
from pixshift.services import figures, figures_days
from pixshift.services.figures import Figures, Totals
from pixshift.tasks.retention import tidy_once
from tests import jobs
from tests.figure_rows import Rows
from tests.jobs import World

TODAY = date(2026, 11, 22)
KEPT = (DailyTotals, DailyFigures, DailyCount)


def at(days_ago: int, hour: int = 10, minute: int = 0, second: float = 0) -> datetime:
    begin = datetime(2026, 11, 22, tzinfo=UTC) - timedelta(days=days_ago)
    return begin + timedelta(hours=hour, minutes=minute, seconds=second)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """Noon on 22 November 2026."""
    with jobs.world(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def rows(world: World) -> Rows:
    return Rows(world.app, world.person(), world.type_id)


def read(world: World, shown: int = 7) -> Figures:
    with world.app.app_context():
        return figures.read(world.toolbox, shown)


def totals(world: World) -> Totals:
    with world.app.app_context():
        return figures.totals(world.toolbox)


def keep(world: World) -> int:
    with world.app.app_context():
        return figures_days.keep_closed(world.toolbox)


def fill(rows: Rows) -> UUID:
    """Some of everything, on three days; answers another style."""
    other = rows.style("Other")
    for days_ago in (2, 1, 0):
        for seconds in (4, 8, 6, 20):
            rows.ended(at(days_ago), seconds=seconds, cost="0.04")
        rows.ended(at(days_ago), "PICTURE_BLOCKED", cost="0.04")
        rows.ended(at(days_ago), "CANCELLED")
        rows.ended(at(days_ago), "NOT_PAID")
        job = rows.ended(at(days_ago), seconds=30, cost="0.05", transformation_type_id=other)
        rows.ended(at(days_ago), cost="0.07", lab_run_id=rows.lab_run())
        record = rows.charged(at(days_ago), job_id=job)
        rows.charged(at(days_ago), "9.99")  # a month
        rows.given_back(record, at(days_ago, 11))
        rows.sign_in(at(days_ago))
        rows.sign_in(at(days_ago), AuthProvider.GMAIL)
        rows.code(at(days_ago), "US", used=True)
        rows.code(at(days_ago), "US", used=False)
        rows.code(at(days_ago), "DE", used=True)
    return other


def test_an_empty_database_has_figures_too(world: World) -> None:
    found = read(world, 90)
    assert len(found.days) == 90
    assert {day.tally for day in found.days} == {Tally()}
    assert [style.today for style in found.styles] == [Tally()]
    sums = totals(world)
    assert (sums.users, sums.active_users, sums.transformations, sums.revenue) == (0, 0, 0, {})
    assert keep(world) == 1  # yesterday
    assert totals(world) == sums


def test_a_day_is_counted_style_by_style(world: World, rows: Rows) -> None:
    other = fill(rows)
    today = read(world).today
    dollars = Decimal
    assert today.tallies[rows.type_id] == Tally(4, 1, 1, 2, 1, dollars("0.20"), dollars("0.07"))
    assert today.tallies[other] == Tally(1, 0, cost=dollars("0.05"), captured=dollars("0.99"), refunded=dollars("0.99"))
    assert today.speeds == {
        rows.type_id: Speed(6000, 20_000), other: Speed(30_000, 30_000), None: Speed(8000, 30_000)
    }  # fmt: skip
    assert today.counts == {
        ("captured", "USD"): dollars("10.98"), ("refunded", "USD"): dollars("0.99"),
        ("sign_in", "MOBILE"): 1, ("sign_in", "GMAIL"): 1,
        ("sms_sent", "US"): 2, ("sms_verified", "US"): 1, ("sms_sent", "DE"): 1, ("sms_verified", "DE"): 1,
    }  # fmt: skip


def test_kept_days_are_what_counting_them_says(world: World, rows: Rows) -> None:
    fill(rows)
    counted, sums = read(world), totals(world)
    assert keep(world) == 2
    for before, after in zip(counted.days, read(world).days, strict=True):
        assert (after.tallies, after.counts, after.speed) == (before.tallies, before.counts, before.speed)
    assert totals(world) == sums


def test_totals_are_of_all_time_with_the_lab_apart(world: World, rows: Rows) -> None:
    fill(rows)
    rows.waiting(at(0, 11))
    rows.waiting(at(40, 11))
    for _ in range(2):
        sums = totals(world)
        assert (sums.pictures.made, sums.pictures.failed, sums.pictures.blocked) == (15, 3, 3)
        assert (sums.pictures.cancelled, sums.pictures.lab, sums.unfinished) == (6, 3, 2)
        assert sums.transformations == 26
        assert (sums.pictures.cost, sums.pictures.lab_cost) == (Decimal("0.75"), Decimal("0.21"))
        assert sums.revenue == {"USD": Decimal("29.97")}
        assert (sums.users, sums.active_users) == (7, 6)
        keep(world)


def test_keeping_twice_changes_nothing(world: World, rows: Rows) -> None:
    fill(rows)
    keep(world)
    first = {model: rows.all(model) for model in KEPT}
    assert len(first[DailyTotals]) == 2
    keep(world)
    assert {model: rows.all(model) for model in KEPT} == first


def test_a_day_begins_and_ends_at_midnight_utc(world: World, rows: Rows) -> None:
    rows.ended(at(1, 23, 59, 59.999999))
    rows.ended(at(0, 0, 0, 0))
    rows.ended(at(1, 0, 0, 0))
    rows.ended(at(2, 23, 59, 59.999999))
    for _ in range(2):
        assert [day.tally.made for day in read(world).days[-3:]] == [1, 2, 1]
        keep(world)


def test_gaps_are_filled_by_themselves(world: World, rows: Rows) -> None:
    rows.ended(at(40))
    rows.ended(at(20))
    rows.charged(at(20))
    assert keep(world) == 40
    with world.app.app_context():
        db.session.execute(delete(DailyTotals).where(DailyTotals.day.between(date(2026, 11, 1), date(2026, 11, 5))))
        db.session.commit()
    assert sum(day.tally.made for day in read(world, 90).days) == 1
    assert keep(world) == 5 + 2
    assert len(rows.all(DailyTotals)) == 40
    assert [(day.day, day.tally.made) for day in read(world, 90).days if day.tally.ended] == [
        (date(2026, 10, 13), 1),
        (date(2026, 11, 2), 1),
    ]


def test_a_worker_that_was_away_for_days_is_not_needed_for_right_numbers(world: World, rows: Rows) -> None:
    rows.ended(at(1))
    keep(world)
    world.clock.forward(days=3)
    rows.ended(at(-1))
    rows.ended(at(-3))
    assert [day.tally.made for day in read(world).days[-5:]] == [1, 0, 1, 0, 1]
    assert totals(world).transformations == 3
    assert keep(world) == 3
    assert [day.tally.made for day in read(world).days[-5:]] == [1, 0, 1, 0, 1]


def test_what_is_written_late_is_found_by_the_next_count(world: World, rows: Rows) -> None:
    keep(world)
    job = rows.ended(at(1, 23, 59))
    rows.ended(at(2, 23, 59))
    assert totals(world).transformations == 0
    keep(world)
    assert totals(world).transformations == 2
    with world.app.app_context():  # an operator lets it be made again: it has not ended after all
        db.session.execute(delete(Transformation).where(Transformation.id == job))
        db.session.commit()
    keep(world)
    assert totals(world).transformations == 1


def test_the_erased_and_what_was_deleted_stay_counted(world: World, rows: Rows) -> None:
    fill(rows)
    before = totals(world)
    with world.app.app_context():
        db.session.execute(update(User).values(erased_at=at(0)))
        db.session.execute(update(Transformation).values(deleted_at=at(0), transformed_image_url=None))
        db.session.commit()
    keep(world)
    after = totals(world)
    assert (after.users, after.erased_users) == (before.users, before.users)
    assert (after.pictures, after.revenue) == (before.pictures, before.revenue)


def test_active_is_who_was_seen_in_thirty_days_each_once(world: World, rows: Rows) -> None:
    somebody = rows.sign_in(at(45), seen=at(1))
    rows.sign_in(at(45), seen=at(31))
    with world.app.app_context():
        from pixshift.models import UserSession

        db.session.add(
            UserSession(user_id=somebody, token_hash="x", created_at=at(3), last_seen_at=at(2), expires_at=at(0))
        )
        db.session.commit()
    assert totals(world).active_users == 1


def test_money_of_another_currency_is_not_added_to_dollars(world: World, rows: Rows) -> None:
    rows.charged(at(0), "5.00", currency="EUR")
    job = rows.ended(at(0))
    rows.charged(at(0), "7.00", job_id=job, currency="EUR")
    rows.charged(at(1), "0.99")
    for _ in range(2):
        assert totals(world).revenue == {"EUR": Decimal("12.00"), "USD": Decimal("0.99")}
        found = read(world)
        assert [found.income(day) for day in found.days[-2:]] == [Decimal("0.99"), Decimal(0)]
        assert found.today.tally.captured == 0
        keep(world)


def test_a_refund_counts_on_the_day_it_succeeded_and_not_before(world: World, rows: Rows) -> None:
    record = rows.charged(at(3), "0.99")
    rows.given_back(record, at(1), "0.50")
    rows.given_back(record, at(1), "0.49", RefundStatus.FAILED)
    found = read(world)
    assert [found.income(day) for day in found.days[-4:]] == [Decimal("0.99"), Decimal(0), Decimal("-0.50"), Decimal(0)]
    assert totals(world).revenue == {"USD": Decimal("0.49")}


def test_styles_are_those_on_offer_and_those_used_today_with_what_is_normal(world: World, rows: Rows) -> None:
    fill(rows)
    gone = rows.style("Gone")
    with world.app.app_context():
        from pixshift.models import TransformationType

        db.session.execute(update(TransformationType).where(TransformationType.id == gone).values(enabled=False))
        db.session.commit()
    for _ in range(2):
        other, pop = read(world).styles
        assert (other.name, pop.name) == ("Other", "Pop-Art")
        assert (pop.today.made, pop.normal.made, pop.normal.failed) == (4, 8, 2)
        assert pop.speed == Speed(6000, 20_000)
        keep(world)


def test_the_worker_keeps_days_when_it_tidies_up(world: World, rows: Rows) -> None:
    fill(rows)
    tidy_once(world.app)
    assert {row[0] for row in rows.all(DailyTotals)} == {date(2026, 11, 20), date(2026, 11, 21)}


def test_a_day_that_somebody_else_keeps_at_the_same_time_is_left_to_them(
    world: World, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(rows)
    with world.app.app_context():
        theirs = figures_days.change
        done: list[Day] = []

        def meanwhile(statement: object) -> int:
            """Just before our INSERT, another process commits its own."""
            if getattr(statement, "is_insert", False) and not done:
                done.append(Day(TODAY))
                db.session.rollback()
                with db.engine.begin() as connection:
                    connection.execute(statement)  # type: ignore[arg-type]
            return theirs(statement)  # type: ignore[arg-type]

        monkeypatch.setattr(figures_days, "change", meanwhile)
        figures_days.keep_closed(world.toolbox)
        monkeypatch.undo()
        assert done
        figures_days.keep_closed(world.toolbox)
    assert totals(world).transformations == 24
