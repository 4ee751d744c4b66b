"""Random interleavings of everything that moves money: after each step the invariants hold, and in the end the books
are equal."""

from contextlib import suppress
from typing import ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from pixshift.domain.lifecycle import DEAD_PAYMENTS, Purse
from pixshift.errors import PixShiftError
from pixshift.extensions import db
from pixshift.models import BillingRecord, PaymentAttempt, QuotaPeriod, Subscription, User
from pixshift.services import payments, plans, reconciliation, refunds, subscriptions, transformations
from pixshift.services.leases import ClaimedJob
from tests import journeys
from tests.money import Killed, Shop

FAULTS = st.sampled_from(("", "", "before", "after", "killed_before", "killed_after"))
CALLS = st.sampled_from(("open_checkout", "pay", "look", "capture", "void", "refund", "look_subscription"))

DECISIONS = st.sampled_from(("pay", "pay_and_save", "decline", "expire", "cancel", "need_bank", "confirm"))
METHODS = st.sampled_from(("pm_practice_good", "pm_practice_declined", "pm_practice_needs_bank"))


class Purchases(RuleBasedStateMachine):
    """One person who buys, and everything that may happen to them."""

    shop: ClassVar[Shop]
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.claimed: list[ClaimedJob] = []

    @initialize(free_left=st.integers(0, 2))
    def arrive(self, free_left: int) -> None:
        limit = self.shop.toolbox.settings.free_tier.limit
        self.person = self.shop.jobs.person(free_used=limit - free_left)

    @rule(call=CALLS, fault=FAULTS)
    def plan_a_fault(self, call: str, fault: str) -> None:
        self.shop.gateway.plan.append((call, fault))

    @rule(target=jobs, tier=st.sampled_from((None, "basic", "premium")))
    def create(self, tier: str | None) -> UUID | None:
        with suppress(PixShiftError, Killed):
            return self.shop.job(self.person, tier or "basic")
        return None

    @rule(
        job=jobs, what=st.sampled_from(("pay", "pay_and_save", "decline", "expire", "cancel", "need_bank", "confirm"))
    )
    def use_the_page(self, job: UUID | None, what: str) -> None:
        if job is None:
            return
        with suppress(PixShiftError, Killed):
            self.shop.open_page(self.person, job)
            self.shop.world.decide(str(self.shop.attempt(job).session_id), what)

    @rule(
        job=jobs, method=st.sampled_from(sorted(("pm_practice_good", "pm_practice_declined", "pm_practice_needs_bank")))
    )
    def pay_with(self, job: UUID | None, method: str) -> None:
        if job is not None:
            with suppress(PixShiftError, Killed):
                self.shop.call(payments.pay_with, self.person, job, method)

    @rule(job=jobs, times=st.integers(1, 3))
    def hear_of(self, job: UUID | None, times: int) -> None:
        if job is None or self.shop.jobs.read(job).pricing_tier_locked != Purse.BASIC:
            return
        for _ in range(times):
            with suppress(PixShiftError, Killed):
                self.shop.changed(job)

    @rule()
    def claim(self) -> None:
        if (job := self.shop.jobs.claim()) is not None:
            self.claimed.append(job)

    @precondition(lambda self: self.claimed)
    @rule(ends=st.sampled_from(("well", "badly", "killed", "twice")))
    def make(self, ends: str) -> None:
        job = self.claimed.pop(0)
        if ends == "badly":
            self.shop.jobs.editor.fail("PROMPT_BLOCKED")
        if ends == "killed":
            return  # its lease runs out
        for _ in range(2 if ends == "twice" else 1):
            with suppress(Killed):
                self.shop.jobs.make(job)

    @rule(job=jobs)
    def cancel(self, job: UUID | None) -> None:
        if job is not None:
            with suppress(PixShiftError, Killed):
                self.shop.jobs.cancel(self.person, job)

    @rule(job=jobs)
    def complain(self, job: UUID | None) -> None:
        if job is not None:
            with suppress(PixShiftError, Killed):
                self.shop.call(refunds.not_good, self.person, job)

    @rule(job=jobs)
    def again(self, job: UUID | None) -> None:
        if job is not None:
            with suppress(PixShiftError):
                self.shop.call(transformations.again, self.person, job)

    @rule(what=st.sampled_from(("pay", "decline")))
    def subscribe(self, what: str) -> None:
        with suppress(PixShiftError, Killed):
            self.shop.call(subscriptions.start, self.person)
            self.shop.world.decide(str(self._plan().session_id), what)

    @rule(paid=st.booleans())
    def a_month_later(self, paid: bool) -> None:
        plan = self._plan()
        if plan is not None and plan.remote_id:
            with suppress(PixShiftError, Killed):
                self.shop.world.next_month(plan.remote_id, paid=paid)

    @rule()
    def look_at_the_plan(self) -> None:
        if (plan := self._plan()) is not None:
            with suppress(PixShiftError, Killed):
                self.shop.call(subscriptions.look, plan.id)

    @rule(minutes=st.sampled_from((0.5, 3, 12)))
    def time_passes(self, minutes: float) -> None:
        self.shop.jobs.clock.forward(minutes=minutes)
        with suppress(Killed):
            self.shop.call(reconciliation.tend)
        with suppress(Killed):
            self.shop.call(reconciliation.look_for_news)

    @invariant()
    def no_counter_leaves_its_range(self) -> None:
        limit = self.shop.toolbox.settings.free_tier.limit
        with self.shop.jobs.app.app_context():
            wrong_free = (User.free_tier_used < 0) | (User.free_tier_used > limit)
            assert db.session.scalars(select(User.id).where(wrong_free)).all() == []
            wrong_month = (QuotaPeriod.used < 0) | (QuotaPeriod.used > QuotaPeriod.granted)
            assert db.session.scalars(select(QuotaPeriod.id).where(wrong_month)).all() == []

    @invariant()
    def at_most_one_payment_is_live(self) -> None:
        live = select(PaymentAttempt.billing_record_id).where(PaymentAttempt.status.not_in(DEAD_PAYMENTS))
        with self.shop.jobs.app.app_context():
            twice = live.group_by(PaymentAttempt.billing_record_id).having(func.count() > 1)
            assert db.session.execute(twice).all() == []

    @invariant()
    def one_month_is_granted_for_each_charge(self) -> None:
        with self.shop.jobs.app.app_context():
            months = db.session.scalar(select(func.count()).select_from(QuotaPeriod))
            charges = select(func.count()).select_from(BillingRecord).where(BillingRecord.subscription_id.is_not(None))
            assert months == db.session.scalar(charges)

    def teardown(self) -> None:
        self.shop.gateway.plan.clear()
        self.shop.jobs.editor.failures.clear()
        journeys.settle(self.shop)
        assert self.shop.unjust() == []
        assert [found for found in journeys.problems(self.shop) if not found.startswith("lost")] == []
        charged = select(func.sum(BillingRecord.captured)).where(BillingRecord.subscription_id.is_(None))
        with self.shop.jobs.app.app_context():
            of_pictures = int((db.session.scalar(charged) or 0) * 100)
        assert self.shop.world.ledger().captured == of_pictures
        assert self.shop.world.ledger().held == 0

    def _plan(self) -> Subscription | None:
        with self.shop.jobs.app.app_context():
            return plans.live(self.person)


@pytest.mark.timeout(300)
def test_whatever_happens_in_whatever_order_the_invariants_hold(shop: Shop) -> None:
    Purchases.shop = shop
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Purchases,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
