"""Payments at the desk: every filter, the sums, every fact of one, refunds, and asking the gateways now."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, RefundStatus
from pixshift.errors import ExternalServiceError, PaymentFailed
from pixshift.extensions import db
from pixshift.gateways.ports import RefundState
from pixshift.models import BillingRecord, PaymentAttempt, Refund, Subscription, WebhookEvent
from pixshift.schemas import admin_payments
from pixshift.services import desk as acts
from pixshift.services import desk_money, subscriptions
from pixshift.services.audit import Actor
from tests import factories, money
from tests.integration.desk import Desk, desk


@pytest.fixture
def at(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    with money.shop(sqlite_url, tmp_path) as shop, desk(shop) as made:
        yield made


@pytest.fixture
def anywhere(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    """The same on both databases."""
    with money.shop(database_url, tmp_path) as shop, desk(shop) as made:
        yield made


def record(at: Desk, **values: Any) -> UUID:
    """A billing record as it is in some state."""
    row = BillingRecord(
        **{
            "id": uuid4(),
            "user_id": at.admin.id,
            "amount": Decimal("0.99"),
            "gateway": "practice",
            "created_at": at.shop.jobs.clock(),
        }
        | values
    )
    record_id = row.id
    at.add(row)
    return record_id


def charged(at: Desk) -> tuple[UUID, str]:
    """A picture that was held, made and charged; its job, and the path of its payment's page."""
    job = at.shop.held(at.shop.person())
    at.shop.jobs.make_next()
    return job, f"/billing/{at.shop.record(job).id}"


def listed(at: Desk, query: str = "") -> set[str]:
    """The ids of the records that the list links to."""
    rows = at.html(f"/billing?{query}").partition("<tbody")[2]
    return {part[:36] for part in rows.split('href="/admin/billing/')[1:]}


# --- the list -------------------------------------------------------------------------------------------------------


def test_an_empty_desk_says_so(at: Desk) -> None:
    assert "Nobody has paid for a picture yet." in at.get("/billing")
    assert "No payment is like that." in at.get("/billing?status=held&older=1h")


def states(at: Desk) -> dict[str, UUID]:
    """One record in each state, the later ones older."""
    now = at.shop.jobs.clock()
    held = {"authorized_at": now - timedelta(hours=2)}
    paid = held | {"captured": Decimal("0.99"), "captured_at": now}
    ways: dict[str, dict[str, Any]] = {
        "waiting": {},
        "held": held,
        "charged": paid | {"status": BillingStatus.COMPLETED},
        "released": held | {"status": BillingStatus.FAILED, "released_at": now},
        "refunded": paid | {"status": BillingStatus.REFUNDED, "refunded": Decimal("0.99")},
        "disputed": paid | {"status": BillingStatus.COMPLETED, "disputed_at": now},
        "failed": {"status": BillingStatus.FAILED},
    }
    assert list(ways) == list(admin_payments.STATES) == list(admin_payments.State) == list(desk_money.STATES)
    return {
        name: record(at, **values, created_at=now - timedelta(days=2 * number))
        for number, (name, values) in enumerate(ways.items())
    }


def test_each_status_shows_the_payments_in_it_and_says_so_in_words(anywhere: Desk) -> None:
    at, found = anywhere, states(anywhere)
    assert listed(at) == {str(one) for one in found.values()}
    for name, one in found.items():
        assert listed(at, f"status={name}") == {str(one)}
        assert admin_payments.STATES[name] in at.get(f"/billing/{one}")
        table = at.get(f"/billing?status={name}").partition("Receipt")[2]
        assert admin_payments.STATES[name].split(",")[0] in table


def test_each_filter_shows_what_it_names(anywhere: Desk) -> None:
    at, now = anywhere, anywhere.shop.jobs.clock()
    found = states(at)
    old = record(at, authorized_at=now - timedelta(hours=30), gateway="stripe", user_id=at.shop.person())
    fresh = record(at, authorized_at=now - timedelta(minutes=59), receipt_number=77)
    at.add(Refund(billing_record_id=found["charged"], cause="x", amount=1, status=RefundStatus.FAILED))
    at.add(Refund(billing_record_id=found["refunded"], cause="x", amount=1, status=RefundStatus.SUCCEEDED))
    yesterday = now.date() - timedelta(days=2)
    for query, expected in {
        "status=held": {found["held"], old, fresh},
        "status=held&older=1h": {found["held"], old},
        "older=1d&status=held": {old},
        "refunds=failed": {found["charged"]},
        "gateway=stripe": {old},
        "gateway=paypal": set(),
        "days=1": {found["waiting"], old, fresh},
        f"since={yesterday}&until={yesterday}": {found["held"]},
        f"user={at.admin.id}": {*found.values(), fresh},
        "q=77": {fresh},
        "q=PS-2026-000077": {fresh},
        "q=9999999999": set(),
        f"q={fresh}": {fresh},
        f"q={uuid4()}": set(),
    }.items():
        assert listed(at, query) == {str(one) for one in expected}, query


def test_a_payment_is_found_by_every_name_it_has(anywhere: Desk) -> None:
    at = anywhere
    job, path = charged(at)
    at.post(f"{path}/refund", amount="0.99")
    record(at, payment_gateway_transaction_id="other")
    attempt, (refund,) = at.shop.attempt(job), at.shop.refunds(job)
    month = record(at, invoice_id="in_123", payment_gateway_transaction_id="pi_month")
    paid = at.shop.record(job)
    names = [attempt.session_id, attempt.payment_id, attempt.capture_id, refund.refund_id, job, paid.receipt_number]
    for name in [name for name in names if name]:
        assert listed(at, f"q={name}") == {str(paid.id)}, name
    assert len([name for name in names if name]) >= 5
    assert listed(at, "q=in_123") == listed(at, "q=pi_month") == {str(month)}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=COMPLETED", "status"),
        ("gateway=square", "gateway"),
        ("older=1w", "older"),
        ("older=h", "older"),
        ("older=-1h", "older"),
        ("refunds=all", "refunds"),
        ("days=x", "days"),
        ("since=2026-13-01", "since"),
        ("since=2026-11-02&until=2026-11-01", "body"),
        ("user=me", "user"),
        (f"q={'x' * 256}", "q"),
        ("page=0", "page"),
        ("sort=amount", "sort"),
    ],
)
def test_a_filter_that_is_none_is_named(at: Desk, query: str, field: str) -> None:
    record(at)
    page = at.get(f"/billing?{query}", 400)
    assert f"{field}: " in page
    assert "0.99" not in page
    answer = at.admin.client.get(f"/admin/billing?{query}", headers={"Accept": "application/json"})
    assert (answer.status_code, factories.error_of(answer)["details"]["field"]) == (400, field)


def test_the_sums_are_those_of_all_that_match_for_each_currency(anywhere: Desk) -> None:
    at = anywhere
    paid = {"user_id": at.admin.id, "status": BillingStatus.COMPLETED, "created_at": at.shop.jobs.clock()}
    price = Decimal("0.99")
    dollars = [
        BillingRecord(**paid, amount=price, captured=price, refunded=Decimal("0.10") if number < 3 else 0)
        for number in range(60)
    ]
    at.add(*dollars, BillingRecord(**paid, amount=1200, captured=1200, currency="JPY"))
    page = at.get("/billing")
    assert "60 payments in USD $59.40 charged, $0.30 given back" in page
    assert "1 payment in JPY 1,200 JPY charged, 0 JPY given back" in page
    assert "1 to 50 of 61" in page
    assert "in USD" not in at.get("/billing?status=held")
    for number in (3, 10**6):
        assert "This page lies past the end: there are 61" in at.get(f"/billing?page={number}")
    assert 'href="/admin/billing?status=charged&amp;page=2"' in at.html("/billing?status=charged")


def test_the_links_of_the_dashboard_work(at: Desk) -> None:
    page = at.html("/billing?status=held&older=1h")
    assert '<a href="/admin/billing?status=held&amp;older=1h" aria-current="page">' in page
    assert '<a href="/admin/billing?refunds=failed" aria-current="page">' in at.html("/billing?refunds=failed")


# --- one payment ----------------------------------------------------------------------------------------------------


def test_a_payment_is_told_in_full(anywhere: Desk) -> None:
    at = anywhere
    job, path = charged(at)
    attempt, now = at.shop.attempt(job), at.shop.jobs.clock()
    same = {"gateway": "practice", "is_live": False, "kind": "payment", "received_at": now, "next_try_at": now}
    at.add(
        WebhookEvent(**same, event_id="evt_mine", type="held", payment_id=attempt.payment_id, outcome="applied"),
        WebhookEvent(**same, event_id="evt_page", type="page.closed", session_id=attempt.session_id),
        WebhookEvent(**same, event_id="evt_other", type="payment.held", payment_id="somebody else's"),
    )
    page = at.get(path)
    for said in ("Charged $0.99", "Held $0.99 Practice card", attempt.session_id, attempt.payment_id, "PS-20"):
        assert str(said) in page, said
    for said in ("evt_mine Applied", "evt_page Waiting", "Practice, test", "Give back $0.99", str(job)):
        assert said in page, said
    assert "evt_other" not in page


def test_a_month_and_a_payment_that_nobody_made_are_told_too(at: Desk) -> None:
    empty = at.get(f"/billing/{record(at, gateway=None)}")
    for said in ("Waits for the payer", "No try is written down.", "No event speaks of this payment"):
        assert said in empty
    failed = at.get(f"/billing/{record(at, failure='card_declined', status=BillingStatus.FAILED)}")
    assert "card_declined" in failed
    assert "Give back" not in failed


def test_a_payment_that_there_is_not_is_not_found(at: Desk) -> None:
    for path in ("", "/refund"):
        assert "We do not know this payment." in at.get(f"/billing/{uuid4()}{path}", 404)
    for path in ("/refund", "/look"):
        assert at.post(f"/billing/{uuid4()}{path}", amount="1").status_code == 404


def test_markup_in_what_a_payment_is_called_is_text(at: Desk) -> None:
    evil = "<script>alert(1)</script>"
    one = record(at, description=evil, method_label="<b>Visa", failure="<i>x", captured=1, amount=1, gateway="<u>g")
    at.add(
        PaymentAttempt(
            billing_record_id=one, user_id=at.admin.id, gateway="<u>g", session_id=evil, expires_at=at.shop.jobs.clock()
        ),
        Refund(billing_record_id=one, cause=evil, amount=Decimal("0.5"), refund_id="<s>"),
    )
    for path in ("/billing", f"/billing/{one}", f"/billing/{one}/refund"):
        html = at.html(path).partition("<main")[2]
        for markup in (evil, "<b>Visa", "<i>x", "<u>g", "<s>"):
            assert markup not in html, path
    assert "&lt;b&gt;Visa" in at.html(f"/billing/{one}/refund")


# --- refunds --------------------------------------------------------------------------------------------------------


def test_what_is_left_is_given_back_once_and_written_down(anywhere: Desk) -> None:
    at = anywhere
    job, path = charged(at)
    question = at.get(f"{path}/refund")
    for said in ("Give back $0.99?", "It goes back to", "through the practice gateway", "It cannot be taken back."):
        assert said in question
    answer = at.post(f"{path}/refund", amount="0.99")
    assert (answer.status_code, answer.location) == (303, f"/admin{path}")
    assert at.shop.record(job).status is BillingStatus.REFUNDED
    assert at.shop.world.ledger() == money.Ledger(0, 99, 99)
    (act,) = at.acts()
    assert (act.action_type, act.entity_type, act.admin_user_id) == ("REFUND", "BILLING_RECORD", at.admin.id)
    assert act.details == {"amount": "0.99", "currency": "USD", "cause": "operator"}
    assert (act.before, act.after) == ({"given_back": "0.00"}, {"given_back": "0.99"})
    page = at.get(path)
    for said in ("Refunded $0.99", "By us", "Given back"):
        assert said in page
    assert at.admin.client.get(f"/admin{path}/refund").location == f"/admin{path}"
    again = at.post(f"{path}/refund", amount="0.99")
    assert again.status_code == 400
    assert "Nothing is left to give back of this payment." in again.text
    assert at.shop.world.ledger().refunded == 99
    assert len(at.acts()) == 1


def test_of_many_who_give_back_at_once_one_does(anywhere: Desk) -> None:
    at = anywhere
    job, _ = charged(at)
    record_id, admin = at.shop.record(job).id, Actor("admin", at.admin.id)
    told = at.at_once(lambda: at.shop.call(acts.refund, record_id, Decimal("0.99"), admin))
    assert set(told) <= {"", "InvalidInput"}
    assert "" in told
    assert at.shop.world.ledger() == money.Ledger(0, 99, 99)
    assert [act.action_type for act in at.acts()] == ["REFUND"]


def test_only_the_sum_that_was_shown_is_given_back(at: Desk) -> None:
    job, path = charged(at)
    at.shop.world.refund_elsewhere(str(at.shop.attempt(job).payment_id), 40)
    at.shop.changed(job)
    stale = at.post(f"{path}/refund", amount="0.99")
    assert stale.status_code == 400
    assert "Meanwhile $0.59 is left of this payment." in stale.text
    assert at.shop.world.ledger().refunded == 40
    assert "In the gateway's own pages" in at.get(path).replace("’", "'")
    assert 'name="amount" value="0.59"' in at.html(f"{path}/refund")
    assert at.post(f"{path}/refund", amount="0.59").status_code == 303
    assert at.shop.world.ledger() == money.Ledger(0, 99, 99)


@pytest.mark.parametrize("amount", ["", "x", "0", "-1", "NaN", "0.991", "1e30"])
def test_an_amount_that_is_none_gives_nothing_back(at: Desk, amount: str) -> None:
    _, path = charged(at)
    assert at.post(f"{path}/refund", amount=amount).status_code == 400
    assert at.shop.world.ledger().refunded == 0


def test_a_refund_while_the_gateway_is_away_is_kept_and_sent_later(anywhere: Desk) -> None:
    at = anywhere
    job, path = charged(at)
    at.shop.gateway.plan.append(("refund", "before"))
    assert at.post(f"{path}/refund", amount="0.99").status_code == 303
    page = at.get(path)
    for said in ("$0.99 is on its way back.", "It is written down here.", "nothing is given back twice", "On its way"):
        assert said in page
    assert len(at.acts()) == 1
    again = at.post(f"{path}/refund", amount="0.99")
    assert "Nothing is left to give back" in again.text
    at.shop.tend(minutes=61)
    assert at.shop.world.ledger() == money.Ledger(0, 99, 99)
    assert at.shop.record(job).status is BillingStatus.REFUNDED
    assert "is on its way back" not in at.get(path)


def test_a_refund_whose_answer_was_lost_is_not_made_twice(at: Desk) -> None:
    job, path = charged(at)
    at.shop.gateway.plan.append(("refund", "after"))
    assert at.post(f"{path}/refund", amount="0.99").status_code == 303
    at.shop.tend(minutes=61)
    assert at.shop.world.ledger() == money.Ledger(0, 99, 99)
    assert at.shop.record(job).status is BillingStatus.REFUNDED


def test_a_refund_that_the_gateway_refuses_is_found_by_its_filter(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    job, path = charged(at)

    def refuse(*what: object) -> RefundState:
        raise PaymentFailed("No.")

    monkeypatch.setattr(at.shop.gateway, "refund", refuse, raising=False)
    assert at.post(f"{path}/refund", amount="0.99").status_code == 303
    assert "$0.99 was refused by the gateway." in at.get(path)
    assert listed(at, "refunds=failed") == {str(at.shop.record(job).id)}
    assert "Refused, tried again" in at.get(path)


def test_what_is_disputed_is_not_given_back_besides(at: Desk) -> None:
    job, path = charged(at)
    at.shop.world.dispute(str(at.shop.attempt(job).payment_id))
    at.shop.changed(job)
    page = at.get(path)
    assert "Disputed" in page
    assert "Give back" not in page
    refused = at.post(f"{path}/refund", amount="0.99")
    assert refused.status_code == 400
    assert "the bank decides" in refused.text
    assert at.shop.world.ledger().refunded == 0
    assert at.acts() == []


# --- asking the gateways --------------------------------------------------------------------------------------------


def test_a_payment_is_looked_up_at_its_gateway(anywhere: Desk) -> None:
    at = anywhere
    person = at.shop.person()
    job = at.shop.job(person)
    at.shop.open_page(person, job)
    at.shop.world.decide(str(at.shop.attempt(job).session_id), "pay")
    path = f"/billing/{at.shop.record(job).id}"
    assert "Waits for the payer" in at.get(path)
    assert at.post(f"{path}/look").status_code == 303
    assert "Held, not charged" in at.get(path)
    (act,) = at.acts()
    assert (act.action_type, act.entity_id) == ("RECONCILE", at.shop.record(job).id)
    assert (act.before, act.after) == (
        {"state": "waiting", "captured": "0.00", "refunded": "0.00"},
        {"state": "held", "captured": "0.00", "refunded": "0.00"},
    )


def test_a_look_while_the_gateway_is_away_is_told(at: Desk) -> None:
    job = at.shop.held(at.shop.person())
    at.shop.gateway.plan.append(("look", "before"))
    answer = at.post(f"/billing/{at.shop.record(job).id}/look")
    assert answer.status_code == 502
    assert "The gateway did not answer." in answer.text
    assert "Look now" in answer.text
    assert at.acts() == []


def test_a_month_is_looked_up_by_its_plan(at: Desk) -> None:
    person = at.shop.person()
    at.shop.call(subscriptions.start, person)
    with at.shop.jobs.app.app_context():
        plan = db.session.scalars(select(Subscription)).one()
        session_id, plan_id = str(plan.session_id), plan.id
    month = record(at, subscription_id=plan_id, user_id=person, invoice_id="in_1", amount=Decimal("9.99"))
    at.shop.world.decide(session_id, "pay")
    assert "Premium" in at.get("/billing")
    assert at.post(f"/billing/{month}/look").status_code == 303
    with at.shop.jobs.app.app_context():
        assert db.session.scalars(select(Subscription.status)).one() == "ACTIVE"
    assert at.acts()[0].entity_id == month


def test_all_open_payments_are_looked_at_and_what_was_found_is_shown(anywhere: Desk) -> None:
    at = anywhere
    person = at.shop.person()
    job = at.shop.job(person)
    at.shop.open_page(person, job)
    at.shop.world.decide(str(at.shop.attempt(job).session_id), "pay")
    assert "Look at all open payments now?" in at.get("/billing/reconcile")
    answer = at.post("/billing/reconcile")
    assert (answer.status_code, answer.location) == (303, "/admin/billing#reconciled")
    assert "1 looked at, 1 changed, none in disagreement" in at.get("/billing")
    assert at.post("/billing/reconcile").status_code == 303
    assert "1 looked at, 0 changed, none in disagreement" in at.get("/billing")
    assert [act.action_type for act in at.acts()] == ["RECONCILE"] * 2
    assert at.acts()[0].details == {"looked": 1, "changed": 1, "plans": 0, "differences": []}


def test_a_difference_is_shown_until_the_next_look(at: Desk) -> None:
    job = at.shop.held(at.shop.person())
    at.shop.gateway.plan.append(("look", "before"))
    at.post("/billing/reconcile")
    page = at.get("/billing")
    assert "1 in disagreement" in page
    assert f"record {at.shop.record(job).id}: The gateway did not answer." in page


def test_a_gateway_that_is_away_is_told_before_anything_is_looked_at(at: Desk) -> None:
    at.shop.held(at.shop.person())
    at.shop.gateway.plan.append(("check", "before"))
    at.shop.gateway.calls.clear()
    answer = at.post("/billing/reconcile")
    assert answer.status_code == ExternalServiceError.status
    assert "The gateway did not answer." in answer.text
    assert at.shop.gateway.calls == ["check"]
    assert "Held" in answer.text.partition("<tbody")[2]  # the list is there all the same
    assert at.acts() == []


def test_more_open_payments_than_a_page_can_wait_for_are_left_to_the_command(
    at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "MOST_AT_ONCE", 1)
    at.shop.held(at.shop.person())
    assert at.post("/billing/reconcile").status_code == 303
    at.shop.held(at.shop.person())
    answer = at.post("/billing/reconcile")
    assert answer.status_code == 400
    assert "flask billing reconcile" in answer.text
    assert len(at.acts()) == 1


def test_only_admins_with_the_pages_own_token_may_act(at: Desk) -> None:
    job, path = charged(at)
    guest = factories.person(at.shop.jobs.app)
    for url in (f"/admin{path}/refund", f"/admin{path}/look", "/admin/billing/reconcile"):
        assert guest.client.post(url, headers=guest.headers, data={"amount": "0.99"}).status_code == 403
        assert at.admin.client.post(url, data={"amount": "0.99"}).status_code == 403
    for url in ("/admin/billing", f"/admin{path}", f"/admin{path}/refund", "/admin/billing/reconcile"):
        assert guest.client.get(url).status_code == 403
    assert at.shop.record(job).status is BillingStatus.COMPLETED
    assert at.acts() == []


def test_every_state_of_a_try_and_a_refund_has_words() -> None:
    assert set(admin_payments.TRIES) == set(PaymentStatus)
    assert set(admin_payments.REFUNDS) == set(RefundStatus)
    assert admin_payments.cause("something new") == "something new"
