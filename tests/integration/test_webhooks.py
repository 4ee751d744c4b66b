"""What gateways tell us: verified on the raw body, kept once, acted on by looking again, in whatever order it comes."""

import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select

from pixshift.domain.lifecycle import BillingStatus
from pixshift.errors import InternalError, InvalidInput, NotFound, PaymentFailed
from pixshift.extensions import db
from pixshift.gateways.ports import Event, EventKind
from pixshift.models import BillingRecord, Subscription, User, WebhookEvent
from pixshift.services import payment_health, reconciliation, refunds, subscriptions, webhooks
from pixshift.services.audit import Actor
from tests import money
from tests.money import Shop


class Talkative(money.Faulty):
    """The practice gateway, were it one that sends events: its signature is a word."""

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        if headers.get("Signature") != "right":
            raise InvalidInput("This event is not ours.", field="body")
        said = json.loads(body)
        said["kind"] = EventKind(said["kind"])
        if said.get("record_id"):
            said["record_id"] = UUID(said["record_id"])
        return Event(**{"type": "test", "is_live": False} | said)


@pytest.fixture
def shop(sqlite_url: str, tmp_path: Path) -> Iterator[Shop]:
    with money.shop(sqlite_url, tmp_path) as made:
        yield talkative(made)


@pytest.fixture
def both(database_url: str, tmp_path: Path) -> Iterator[Shop]:
    with money.shop(database_url, tmp_path) as made:
        yield talkative(made)


def knock(shop: Shop, kind: str, **ids: str) -> int:
    """A signed event at our door; answers the HTTP status that its sender sees."""
    body, headers = shop.world.event(kind, **ids)
    return post(shop, body, headers)


def post(shop: Shop, body: bytes, headers: dict[str, str]) -> int:
    client = shop.jobs.app.test_client()
    answer = client.post(f"/webhooks/{shop.gateway.name}", data=body, headers=headers, content_type="application/json")
    return answer.status_code


def talkative(shop: Shop) -> Shop:
    gateway = Talkative(shop.world.gateway)
    tools = shop.toolbox
    shop.jobs.app.extensions["toolbox"] = replace(
        tools, gateways=replace(tools.gateways, payments={"practice": gateway})
    )
    return replace(shop, gateway=gateway)


def send(shop: Shop, kind: EventKind, event_id: str | None = None, **said: Any) -> bool:
    body = json.dumps({"event_id": event_id or uuid4().hex, "kind": kind.value, **said}, default=str).encode()
    return bool(shop.call(webhooks.receive, "practice", body, {"Signature": "right"}))


def events(shop: Shop) -> list[WebhookEvent]:
    with shop.jobs.app.app_context():
        return list(db.session.scalars(select(WebhookEvent).order_by(WebhookEvent.received_at)))


def paid_behind_our_back(shop: Shop) -> money.UUID:
    """The payer paid, and closed the window."""
    person = shop.person()
    job = shop.job(person)
    shop.open_page(person, job)
    shop.world.decide(str(shop.attempt(job).session_id), "pay")
    return job


@pytest.mark.parametrize("name", ["session_id", "payment_id", "record_id"])
def test_an_event_leads_to_the_payment_by_any_of_its_names(shop: Shop, name: str) -> None:
    job = paid_behind_our_back(shop)
    session = str(shop.attempt(job).session_id)
    names = {"session_id": session, "record_id": shop.record(job).id}
    if name == "payment_id":
        shop.changed(job)
        names["payment_id"] = shop.attempt(job).payment_id
    assert send(shop, EventKind.PAYMENT, **{name: names[name]})
    assert shop.jobs.queue.tended == 1
    assert not shop.is_due(job) or name == "payment_id"  # nothing is done in the request
    assert shop.call(webhooks.process_due) == 1
    assert shop.is_due(job)
    assert [event.outcome for event in events(shop)] == ["applied"]


def test_an_event_delivered_20_times_at_once_is_kept_once(both: Shop) -> None:
    job = paid_behind_our_back(both)
    session = both.attempt(job).session_id
    new: list[bool] = []
    threads = [
        threading.Thread(target=lambda: new.append(send(both, EventKind.PAYMENT, "evt_1", session_id=session)))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False] * 19 + [True]
    workers = [threading.Thread(target=both.call, args=(webhooks.process_due,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(events(both)) == 1
    assert both.world.ledger().held == 99
    both.jobs.make_next()
    for number in range(20):  # the same news under other names
        send(both, EventKind.PAYMENT, f"evt_again_{number}", session_id=session)
    both.call(webhooks.process_due)
    assert both.world.ledger() == money.Ledger(0, 99, 0) == both.books()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_in_any_order_events_end_in_the_same_record(shop: Shop, order: tuple[int, ...]) -> None:
    job = paid_behind_our_back(shop)
    session = shop.attempt(job).session_id
    shop.changed(job)
    shop.jobs.make_next()
    shop.world.refund_elsewhere(str(shop.attempt(job).payment_id), 99)
    kinds = ["checkout", "captured", "refunded"]
    for number in order:
        send(shop, EventKind.PAYMENT, kinds[number], session_id=session)
        shop.call(webhooks.process_due)
    record = shop.record(job)
    assert (record.status, record.captured, record.refunded) == (BillingStatus.REFUNDED, record.amount, record.amount)


def test_what_is_of_no_use_is_kept_and_nothing_moves(shop: Shop) -> None:
    job = paid_behind_our_back(shop)
    send(shop, EventKind.OTHER, session_id=shop.attempt(job).session_id)
    send(shop, EventKind.PAYMENT, session_id="cs_of_somebody_else")
    send(shop, EventKind.PAYMENT)
    send(shop, EventKind.SUBSCRIPTION, remote_id="sub_of_nobody")
    send(shop, EventKind.PAYMENT, session_id=shop.attempt(job).session_id, is_live=True)
    assert shop.call(webhooks.process_due) == 5
    outcomes = sorted(str(event.outcome) for event in events(shop))
    assert outcomes == ["ignored", "other_mode", "unknown", "unknown", "unknown"]
    assert not shop.is_due(job)


def test_while_the_gateway_is_away_an_event_waits(shop: Shop) -> None:
    job = paid_behind_our_back(shop)
    send(shop, EventKind.PAYMENT, session_id=shop.attempt(job).session_id)
    shop.gateway.plan.append(("look", "before"))
    assert shop.call(webhooks.process_due) == 0
    assert shop.call(webhooks.process_due) == 0  # not at once again
    shop.jobs.clock.forward(seconds=16)
    assert shop.call(webhooks.process_due) == 1
    assert shop.is_due(job)


def test_a_worker_that_dies_over_an_event_leaves_it_to_the_next(shop: Shop) -> None:
    job = paid_behind_our_back(shop)
    send(shop, EventKind.PAYMENT, session_id=shop.attempt(job).session_id)
    shop.gateway.plan.append(("look", "killed_after"))
    with pytest.raises(money.Killed):
        shop.call(webhooks.process_due)
    shop.jobs.clock.forward(minutes=1)
    assert shop.call(webhooks.process_due) == 1
    assert shop.is_due(job)


def test_a_dispute_blocks_spending_and_an_operator_ends_that(shop: Shop) -> None:
    job = paid_behind_our_back(shop)
    shop.changed(job)
    shop.jobs.make_next()
    person = shop.jobs.read(job).user_id
    for number in range(3):
        send(shop, EventKind.DISPUTE, f"dispute_{number}", payment_id=shop.attempt(job).payment_id)
    shop.call(webhooks.process_due)
    assert shop.is_blocked(person)
    with shop.jobs.app.app_context():
        db.session.get(User, person).phone = "+12025550199"  # type: ignore[union-attr]
        db.session.commit()
    assert shop.call(webhooks.unblock, "+12025550199", Actor("cli")) == person
    assert not shop.is_blocked(person)
    send(shop, EventKind.DISPUTE, "dispute_late", payment_id=shop.attempt(job).payment_id)
    shop.call(webhooks.process_due)
    assert not shop.is_blocked(person)  # the same dispute, told again


def test_forged_events_and_those_of_nobody_are_refused(shop: Shop) -> None:
    with pytest.raises(InvalidInput):
        shop.call(webhooks.receive, "practice", b"{}", {"Signature": "wrong"})
    with pytest.raises(NotFound):
        shop.call(webhooks.receive, "stripe", b"{}", {})
    assert events(shop) == []


def test_events_acted_on_long_ago_are_forgotten(shop: Shop) -> None:
    send(shop, EventKind.OTHER)
    shop.call(webhooks.process_due)
    send(shop, EventKind.OTHER)
    shop.jobs.clock.forward(days=91)
    shop.call(webhooks.tidy)
    assert [event.processed_at for event in events(shop)] == [None]


def test_reconcile_covers_what_no_event_told(shop: Shop) -> None:
    job = paid_behind_our_back(shop)
    assert shop.call(reconciliation.reconcile, timedelta(days=4)).differences == []
    assert shop.is_due(job)


def test_an_event_that_paypal_cannot_verify_just_now_is_sent_again(paypal: Shop) -> None:
    job = paid_behind_our_back(paypal)
    payment = str(paypal.attempt(job).session_id)
    body, headers = paypal.world.event("payment", payment_id=payment)
    paypal.world.stand_in.push("429")  # type: ignore[attr-defined]
    assert post(paypal, body, headers) == 502  # whoever is not answered 2xx tells it again
    assert events(paypal) == []
    assert paypal.world.ledger() == money.Ledger()
    assert post(paypal, body, headers) == 200
    assert post(paypal, body, headers) == 200
    assert len(events(paypal)) == 1


def test_an_event_whose_payment_cannot_be_fetched_just_now_waits(paypal: Shop) -> None:
    job = paid_behind_our_back(paypal)
    session = str(paypal.attempt(job).session_id)
    body, headers = paypal.world.stand_in.events.sign("CHECKOUT.ORDER.APPROVED", {"id": session})  # type: ignore[attr-defined]
    assert post(paypal, body, headers) == 200
    paypal.world.stand_in.push("429", "429")  # type: ignore[attr-defined]
    assert paypal.call(webhooks.process_due) == 0
    assert (paypal.is_due(job), paypal.world.ledger().held) == (False, 0)
    assert [(event.tries, event.outcome) for event in events(paypal)] == [(1, None)]
    paypal.world.stand_in.reset()  # type: ignore[attr-defined]
    paypal.jobs.clock.forward(minutes=1)
    assert paypal.call(webhooks.process_due) == 1
    assert (paypal.is_due(job), paypal.world.ledger().held) == (True, 99)


def test_an_event_that_always_fails_is_given_up_and_shown_and_reconcile_does_its_work(shop: Shop) -> None:
    job = paid_behind_our_back(shop)
    send(shop, EventKind.PAYMENT, session_id=str(shop.attempt(job).session_id))
    for _ in range(webhooks.MOST_TRIES + 3):
        shop.gateway.plan.append(("look", "before"))
        assert shop.call(webhooks.process_due) == 0
        shop.jobs.clock.forward(hours=1)
    (event,) = events(shop)
    assert (event.tries, event.processed_at, event.outcome) == (webhooks.MOST_TRIES, None, None)
    said = shop.jobs.app.test_cli_runner().invoke(args=["billing", "events", "--waiting"]).stdout
    assert "given up" in said
    with shop.jobs.app.app_context(), pytest.raises(InternalError, match="1 could not be acted on"):
        dict(payment_health.checks(shop.toolbox))["payment events"]()
    shop.gateway.plan.clear()
    assert shop.world.ledger().held == 99
    shop.call(reconciliation.reconcile)
    assert shop.is_due(job)
    assert shop.world.ledger() == shop.books()


def test_an_event_waits_while_its_gateway_has_no_keys(shop: Shop) -> None:
    job = paid_behind_our_back(shop)
    send(shop, EventKind.PAYMENT, session_id=str(shop.attempt(job).session_id))
    tools = shop.toolbox
    shop.jobs.app.extensions["toolbox"] = replace(tools, gateways=replace(tools.gateways, payments={}))
    assert shop.call(webhooks.process_due) == 0
    assert not shop.is_due(job)
    shop.jobs.app.extensions["toolbox"] = tools
    shop.jobs.clock.forward(minutes=1)
    assert shop.call(webhooks.process_due) == 1
    assert shop.is_due(job)
    assert shop.world.ledger() == money.Ledger(99, 0, 0) == shop.books()


def test_a_disputed_month_blocks_spending_and_is_not_given_back_besides(stripe: Shop) -> None:
    person = stripe.person()
    stripe.call(subscriptions.start, person)
    with stripe.jobs.app.app_context():
        plan = db.session.scalars(select(Subscription)).one()
    stripe.world.decide(str(plan.session_id), "pay")
    stripe.call(subscriptions.look, plan.id)
    stripe.jobs.clock.forward(seconds=10)  # a gateway's clock is its own
    with stripe.jobs.app.app_context():
        record = db.session.scalars(select(BillingRecord)).one()
    payment = str(record.payment_gateway_transaction_id)
    stripe.job(person, tier="premium")
    stripe.world.dispute(payment)
    for _ in range(2):
        assert knock(stripe, "dispute", payment_id=payment) == 200
    assert stripe.call(webhooks.process_due) == 2
    assert stripe.is_blocked(person)
    with pytest.raises(PaymentFailed, match="disputed"):
        stripe.job(person, tier="premium")
    with pytest.raises(InvalidInput, match="the bank decides"):
        stripe.call(refunds.refund, record.id, refunds.BY_OPERATOR)
    assert stripe.world.ledger() == money.Ledger(0, 999, 0) == stripe.books()


def test_a_door_without_its_gateway_is_closed(quick: Flask) -> None:
    client = quick.test_client()
    for name in ("stripe", "paypal", "practice"):
        answer = client.post(f"/webhooks/{name}", data=b"{}", content_type="application/json")
        assert answer.status_code == 404, name
        assert client.get(f"/webhooks/{name}").status_code == (404 if name == "practice" else 405)
    with quick.app_context():
        assert db.session.scalar(select(func.count()).select_from(WebhookEvent)) == 0


def test_an_event_that_is_too_large_is_refused(quick: Flask) -> None:
    answer = quick.test_client().post("/webhooks/stripe", data=b"x" * 70_000, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["error"]["details"]["limit"] == 65536
