"""What needs a decision comes and goes: each kind alone, with its numbers, and nothing when all is well."""

import dataclasses
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from pixshift.domain import circuits
from pixshift.domain.lifecycle import RefundStatus
from pixshift.extensions import db
from pixshift.gateways.stripe import StripeGateway
from pixshift.models import (
    BillingRecord,
    ModelCircuit,
    Refund,
    SmsMessage,
    Transformation,
    TransformationType,
    Upload,
    WebhookEvent,
)
from pixshift.services import decisions, figures
from pixshift.services.decisions import Decision, Kind
from pixshift.settings_sections import Stripe
from tests import jobs
from tests.figure_rows import Rows
from tests.jobs import World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KEYS = {"api_key": "sk_test_1", "webhook_secret": "whsec_1", "publishable_key": "", "api_base": "http://127.0.0.1:9"}


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    """Noon on 22 November 2026, Stripe configured, nothing the matter."""
    with jobs.world(sqlite_url, tmp_path) as made:
        gateways = made.toolbox.gateways
        stripe = StripeGateway(Stripe.model_validate(KEYS))
        change(made, gateways=dataclasses.replace(gateways, payments={"stripe": stripe}))
        yield made


@pytest.fixture
def rows(world: World) -> Rows:
    return Rows(world.app, world.person(), world.type_id)


def change(world: World, **parts: Any) -> None:
    world.app.extensions["toolbox"] = dataclasses.replace(world.toolbox, **parts)


def pending(world: World) -> list[Decision]:
    with world.app.app_context():
        return decisions.pending(world.toolbox, figures.read(world.toolbox, 7))


def only(world: World, kind: Kind) -> Decision:
    """The one decision there is."""
    (decision,) = pending(world)
    assert decision.kind is kind
    return decision


def execute(world: World, statement: Any) -> None:
    with world.app.app_context():
        db.session.execute(statement)
        db.session.commit()


def test_nothing_needs_a_decision_at_first(world: World) -> None:
    assert pending(world) == []


def test_a_style_that_fails_more_than_usual(world: World, rows: Rows) -> None:
    now = world.clock.now
    for number in range(40):
        rows.ended(now - 3 * DAY, "NO_IMAGE" if number == 0 else None)
    for number in range(30):
        reason = "NO_IMAGE" if number < 6 else "TIMEOUT" if number < 8 else "CANCELLED" if number < 20 else None
        rows.ended(now - HOUR, reason)
    decision = only(world, Kind.FAILURES)
    assert decision.title == "Pop-Art fails more than usual: 44.4%, normally 2.5%"
    assert decision.text == "8 of 18 today, 6 of them “no image”. Nobody was charged for these."
    assert decision.is_urgent
    assert decision.style_id == world.type_id
    world.clock.forward(days=1)
    assert pending(world) == []


def test_the_lab_alarms_nobody(world: World, rows: Rows) -> None:
    run = rows.lab_run()
    for _ in range(8):
        rows.ended(world.clock.now - HOUR, "NO_IMAGE", lab_run_id=run)
    assert pending(world) == []


def test_an_open_circuit(world: World) -> None:
    now = world.clock.now
    row = {"model": "some-model", "faults": 7, "last_fault_at": now, "opened_at": now - 26 * MINUTE}
    with world.app.app_context():
        db.session.add(ModelCircuit(**row))
        db.session.commit()
    decision = only(world, Kind.CIRCUIT)
    assert decision.title == "some-model has not answered for 26 min"
    assert decision.text.startswith("7 faults in a row.")
    world.clock.forward(seconds=circuits.FRESH.total_seconds() + 1)
    assert pending(world) == []


def test_what_should_be_deleted_and_is_not(world: World, rows: Rows) -> None:
    photo = world.photo(rows.user_id)
    world.clock.forward(hours=24, minutes=3)
    decision = only(world, Kind.DELETION)
    assert decision.title == "1 picture should be deleted by now"
    assert "3 min ago" in decision.text
    execute(world, update(Upload).where(Upload.id == photo.id).values(deleted_at=world.clock.now))
    assert pending(world) == []


def test_holds_older_than_an_hour(world: World, rows: Rows) -> None:
    now = world.clock.now
    rows.held(now - 59 * MINUTE)
    assert pending(world) == []
    record = rows.held(now - HOUR)
    assert only(world, Kind.HOLDS).title == "1 hold is older than 1 hour"
    rows.held(now - HOUR - 52 * MINUTE)
    decision = only(world, Kind.HOLDS)
    assert decision.title == "2 holds are older than 1 hour"
    assert decision.text.startswith("$1.98 in all, the oldest for 1 h 52 min.")
    execute(world, update(BillingRecord).values(status="COMPLETED", captured=Decimal("0.99")))
    assert record
    assert pending(world) == []


def test_refunds_that_failed(world: World, rows: Rows) -> None:
    record = rows.charged(world.clock.now)
    rows.given_back(record, world.clock.now, status=RefundStatus.PENDING)
    assert pending(world) == []
    rows.given_back(record, world.clock.now, "0.50", RefundStatus.FAILED)
    decision = only(world, Kind.REFUNDS)
    assert decision.title == "1 refund was refused or came back"
    assert decision.text.startswith("$0.50 in all.")
    assert decision.is_urgent
    execute(world, update(Refund).values(status=RefundStatus.SUCCEEDED))
    assert pending(world) == []


def test_a_gateway_that_is_silent_when_it_usually_speaks(world: World, rows: Rows) -> None:
    now = world.clock.now
    for day in range(1, 8):
        for minute in range(0, 30, 3):  # in half an hour before noon
            rows.event(now - day * DAY - minute * MINUTE)
    rows.event(now - 10 * MINUTE)
    assert pending(world) == []
    execute(world, delete(WebhookEvent).where(WebhookEvent.received_at > now - HOUR))
    rows.event(now - 26 * MINUTE)
    decision = only(world, Kind.SILENCE)
    assert decision.title == "Stripe has been silent for 26 min"
    assert decision.text.startswith("At this time of day an event comes about every 2 min.")
    rows.event(now - MINUTE)
    assert pending(world) == []


def test_a_gateway_that_is_silent_for_days_is_compared_with_the_days_before(world: World, rows: Rows) -> None:
    now = world.clock.now
    for number in range(7 * 24):
        rows.event(now - 3 * DAY - number * HOUR)
    assert only(world, Kind.SILENCE).title == "Stripe has been silent for 3 days"


def test_a_quiet_hour_and_a_new_gateway_are_no_silence(world: World, rows: Rows) -> None:
    now = world.clock.now
    rows.event(now - 5 * HOUR)  # the first ever
    assert pending(world) == []
    for day in range(1, 8):
        for minute in range(0, 30, 2):  # at another time of day
            rows.event(now - day * DAY + 6 * HOUR + minute * MINUTE)
    rows.event(now - 40 * MINUTE)
    assert pending(world) == []


def spend(world: World, rows: Rows, amount: str) -> None:
    rows.ended(world.clock.now - MINUTE, cost=amount)


def test_spend_on_the_way_to_the_cap(world: World, rows: Rows) -> None:
    cap = world.toolbox.settings.billing.spend_caps.all
    spend(world, rows, str(cap * Decimal("0.49")))
    assert pending(world) == []
    spend(world, rows, str(cap * Decimal("0.12")))
    decision = only(world, Kind.SPEND)  # 61 % at noon
    assert decision.title == "Spend reaches the daily cap at about 19:40"
    assert decision.text.startswith(f"${cap * Decimal('0.61'):,.2f} of ${cap:,.2f} used.")
    assert not decision.is_urgent
    world.clock.forward(hours=10)  # at 22:00 it will not be reached any more
    assert pending(world) == []
    spend(world, rows, str(cap * Decimal("0.25")))
    assert only(world, Kind.SPEND).title == "Spend is near the daily cap"
    spend(world, rows, str(cap * Decimal("0.2")))
    assert only(world, Kind.SPEND).title == "Spend has reached the daily cap"
    assert only(world, Kind.SPEND).is_urgent
    world.editor.is_twin = True
    assert pending(world) == []


def test_pictures_that_wait_although_nothing_holds_them_up(world: World, rows: Rows) -> None:
    rows.waiting(world.clock.now - 4 * MINUTE)
    assert pending(world) == []
    world.clock.forward(minutes=8)
    decision = only(world, Kind.QUEUE)
    assert decision.title == "1 picture waits for longer than 5 minutes"
    assert decision.text.startswith("The first for 12 min.")
    execute(world, update(Transformation).values(due_at=None))  # it waits for its payer
    assert pending(world) == []


@pytest.mark.parametrize(
    ("days", "title", "is_urgent"),
    [
        (61, None, False),
        (60, "some-model retires in 60 days", False),
        (1, "some-model retires in 1 day", False),
        (0, "some-model retires today", True),
        (-5, "some-model has retired", True),
    ],
)
def test_a_model_about_to_retire(world: World, days: int, title: str | None, is_urgent: bool) -> None:
    last = world.clock.now.date() + timedelta(days=days)
    retires(world, {"some-model": last, "nobody-asks-for-it": last})
    assert pending(world) == []
    execute(world, update(TransformationType).values(model="some-model"))
    assert [decision.title for decision in pending(world)] == ([title] if title else [])
    if title:
        decision = only(world, Kind.MODEL)
        assert decision.is_urgent is is_urgent
        assert f"{last.day} {last:%B %Y}. 1 style on offer asks for it" in decision.text
    execute(world, update(TransformationType).values(enabled=False))
    assert pending(world) == []


def test_the_configured_model_is_asked_by_styles_without_one_of_their_own(world: World) -> None:
    retires(world, {world.toolbox.settings.gemini.model: world.clock.now.date()})
    jobs.add_type(world.app, "another")
    assert "2 styles on offer ask for it" in only(world, Kind.MODEL).text


def retires(world: World, dates: dict[str, date]) -> None:
    gemini = world.toolbox.settings.gemini.model_copy(update={"retires": dates})
    change(world, settings=world.toolbox.settings.model_copy(update={"gemini": gemini}))


def test_codes_that_hardly_anybody_uses(world: World, rows: Rows) -> None:
    for number in range(50):
        rows.code(world.clock.now - HOUR, "DE", used=number < 4)
        rows.code(world.clock.now - HOUR, "US", used=number < 40)
    decision = only(world, Kind.CODES)
    assert decision.title == "Few codes sent to DE are used: 8%"
    assert decision.text.startswith("4 of 50 in 24 hours.")
    execute(world, delete(SmsMessage))
    assert pending(world) == []


def test_the_urgent_comes_first(world: World, rows: Rows) -> None:
    rows.held(world.clock.now - 2 * HOUR)
    record = rows.charged(world.clock.now)
    rows.given_back(record, world.clock.now, "0.50", RefundStatus.FAILED)
    rows.waiting(world.clock.now - HOUR)
    assert [decision.is_urgent for decision in pending(world)] == [True, True, False]
