"""flask billing, and what flask doctor says of money."""

import json
from dataclasses import replace
from uuid import uuid4

import pytest
from click.testing import Result
from sqlalchemy import update

from pixshift.domain.lifecycle import BillingStatus, RefundStatus
from pixshift.errors import InternalError
from pixshift.extensions import db
from pixshift.models import AdminAction, Refund, User, WebhookEvent
from pixshift.services import payment_health, webhooks
from tests import money
from tests.money import Shop


def run(shop: Shop, *words: str, says: str | None = None) -> Result:
    return shop.jobs.app.test_cli_runner().invoke(args=["billing", *words], input=says)


def said(shop: Shop) -> dict[str, str]:
    """What each check says; an error's words after "WRONG: "."""
    lines = {}
    with shop.jobs.app.app_context():
        for name, check in payment_health.checks(shop.toolbox):
            try:
                lines[name] = check()
            except InternalError as error:
                lines[name] = f"WRONG: {error.message}"
    return lines


def test_reconcile_finds_what_nobody_told(shop: Shop) -> None:
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.world.decide(str(shop.attempt(job).session_id), "pay")
    first = run(shop, "reconcile", "--since", "4d", "--json")
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout) == {"looked": 1, "changed": 1, "plans": 0, "differences": []}
    assert run(shop, "reconcile").stdout.split() == ["LOOKED", "AT", "CHANGED", "PLANS", "1", "0", "0"]


def test_reconcile_ends_with_1_while_books_do_not_agree(shop: Shop) -> None:
    shop.held(shop.person())
    shop.gateway.plan.append(("payments_since", "before"))
    result = run(shop, "reconcile", "--since", "12h")
    assert result.exit_code == 1
    assert "did not answer" in result.stdout


@pytest.mark.parametrize("span", ["4", "d", "4w", "-1d"])
def test_a_span_that_is_none_is_explained(shop: Shop, span: str) -> None:
    result = run(shop, "reconcile", f"--since={span}")
    assert result.exit_code == 1
    assert "12h or 4d" in result.stderr


def test_an_operator_gives_money_back_and_it_is_written_down(shop: Shop) -> None:
    job = shop.held(shop.person())
    shop.jobs.make_next()
    record = str(shop.record(job).id)
    assert run(shop, "refund", record, says="n\n").exit_code == 1
    assert shop.record(job).status is BillingStatus.COMPLETED
    result = run(shop, "refund", record, "--yes")
    assert (result.exit_code, result.stdout) == (0, "0.99 USD: succeeded.\n")
    assert shop.world.ledger().refunded == 99
    with shop.jobs.app.app_context():
        act = db.session.scalars(db.select(AdminAction)).one()
        assert (act.action_type, str(act.entity_id), act.details["amount"]) == ("REFUND", record, "0.99")
    again = run(shop, "refund", record, "--yes")
    assert again.exit_code == 0
    assert shop.world.ledger().refunded == 99


def test_what_cannot_be_given_back_is_said(shop: Shop) -> None:
    unknown = run(shop, "refund", str(uuid4()), "--yes")
    assert (unknown.exit_code, unknown.stderr) == (1, "Error: We do not know this payment.\n")
    job = shop.held(shop.person())
    held = run(shop, "refund", str(shop.record(job).id), "--yes")
    assert (held.exit_code, held.stderr) == (1, "Error: Nothing is left to give back of this payment.\n")


def test_somebody_may_pay_again_after_a_dispute(shop: Shop) -> None:
    person = shop.person()
    with shop.jobs.app.app_context():
        db.session.execute(update(User).values(phone="+12025550123", spending_blocked_at=shop.jobs.clock()))
        db.session.commit()
    assert run(shop, "unblock", "+12025550123").exit_code == 0
    assert not shop.is_blocked(person)
    assert run(shop, "unblock", "+12025550999").exit_code == 1


def event(shop: Shop, **values: object) -> None:
    row = {"gateway": "practice", "event_id": uuid4().hex, "type": "t", "kind": "other", "is_live": False} | values
    with shop.jobs.app.app_context():
        db.session.add(WebhookEvent(**{"received_at": shop.jobs.clock(), "next_try_at": shop.jobs.clock()} | row))
        db.session.commit()


def test_events_are_listed(shop: Shop) -> None:
    event(shop, type="seen", processed_at=shop.jobs.clock(), outcome="applied")
    event(shop, type="new")
    assert "applied" in run(shop, "events").stdout
    waiting = json.loads(run(shop, "events", "--waiting", "--json").stdout)["events"]
    assert [(item["type"], item["outcome"]) for item in waiting] == [("new", "waiting")]


def test_the_doctor_says_how_money_stands(shop: Shop) -> None:
    lines = said(shop)
    assert "nobody is charged" in lines["payments by practice"]
    assert lines["payment events"] == "0 wait"
    assert lines["model spend"].startswith("$0.00 of $")
    assert not [line for line in lines.values() if line.startswith("WRONG")]


def test_the_doctor_says_what_is_wrong_with_money(shop: Shop) -> None:
    event(shop, tries=webhooks.MOST_TRIES)
    job = shop.held(shop.person())
    shop.jobs.clock.forward(hours=2)
    with shop.jobs.app.app_context():
        record = shop.record(job).id
        db.session.add(Refund(billing_record_id=record, cause="x", amount=1, status=RefundStatus.FAILED))
        db.session.commit()
    caps = shop.toolbox.settings.billing.spend_caps.model_copy(update={"all": money.Decimal("0.04")})
    billing = shop.toolbox.settings.billing.model_copy(update={"spend_caps": caps})
    settings = shop.toolbox.settings.model_copy(update={"billing": billing})
    shop.jobs.app.extensions["toolbox"] = replace(shop.toolbox, settings=settings)
    wrong = {name for name, line in said(shop).items() if line.startswith("WRONG")}
    assert wrong == {"payment events", "holds", "refunds", "model spend"}


def test_a_gateway_without_its_secret_or_in_the_wrong_mode_is_wrong(shop: Shop) -> None:
    shop.gateway.is_twin, shop.gateway.name = False, "stripe"  # type: ignore[attr-defined]
    tools = shop.toolbox
    shop.jobs.app.extensions["toolbox"] = replace(
        tools, gateways=replace(tools.gateways, payments={"stripe": shop.gateway})
    )
    assert "no webhook secret" in said(shop)["payments by practice"]
    production = tools.settings.model_copy(update={"env": "production"})
    shop.jobs.app.extensions["toolbox"] = replace(shop.toolbox, settings=production)
    assert "test mode in production" in said(shop)["payments by practice"]
    secret = tools.settings.gateway.stripe.model_copy(update={"webhook_secret": tools.settings.secret_key})
    gateway = tools.settings.gateway.model_copy(update={"stripe": secret})
    shop.jobs.app.extensions["toolbox"] = replace(
        shop.toolbox, settings=tools.settings.model_copy(update={"gateway": gateway})
    )
    assert "no event seen yet" in said(shop)["payments by practice"]
    event(shop, gateway="stripe")
    shop.jobs.clock.forward(minutes=5)
    assert "last event 5 min ago" in said(shop)["payments by practice"]
