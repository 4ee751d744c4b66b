"""Ways to buy a picture, most of them interrupted by faults and deaths; every choice is the dice's."""

import random
from contextlib import suppress
from uuid import UUID

from sqlalchemy import func, select

from pixshift.domain.lifecycle import DEAD_PAYMENTS, BillingStatus, Reservation
from pixshift.errors import PixShiftError
from pixshift.extensions import db
from pixshift.models import BillingRecord, PaymentAttempt, QuotaPeriod, Transformation
from pixshift.services import leases, payments, reconciliation, refunds
from pixshift.services.audit import Actor
from tests.money import Killed, Shop

CALLS = ("customer", "open_checkout", "pay", "look", "capture", "void", "refund")
FAULTS = ("before", "after", "killed_before", "killed_after")


class Journey:
    """One person with one picture; every choice is the dice's."""

    def __init__(self, shop: Shop, dice: random.Random) -> None:
        self.shop, self.dice = shop, dice
        self.person = shop.person()
        self.job = shop.job(self.person)

    def run(self) -> None:
        for _ in range(self.dice.randint(2, 8)):
            self.shop.gateway.plan.clear()
            for _ in range(self.dice.choice((0, 0, 1, 2))):
                self.shop.gateway.plan.append((self.dice.choice(CALLS), self.dice.choice(FAULTS)))
            step = self.dice.choice((self.pay, self.pay, self.hear, self.work, self.cancel, self.complain, self.time))
            with suppress(PixShiftError, Killed):
                step()
        self.shop.gateway.plan.clear()
        self.shop.jobs.editor.failures.clear()

    def pay(self) -> None:
        methods = self.shop.world.methods
        if methods and self.dice.random() < 0.4:
            method = self.dice.choice(sorted(methods.values()))
            self.shop.call(payments.pay_with, self.person, self.job, method)
            return
        self.shop.open_page(self.person, self.job)
        self.decide()
        if self.dice.random() < 0.5:  # else the payer closes the window, and no webhook comes
            self.hear()

    def decide(self) -> None:
        session = self.shop.attempt(self.job).session_id
        if session:
            what = self.dice.choice(("pay", "pay", "pay", "pay_and_save", "decline", "cancel", "expire", "need_bank"))
            self.shop.world.decide(session, what)

    def hear(self) -> None:
        """A webhook, the page on the way back, or both; more than once."""
        for _ in range(self.dice.randint(1, 3)):
            self.shop.changed(self.job)

    def work(self) -> None:
        """A worker makes what is due: well, badly, or it dies in the middle."""
        claimed = self.shop.jobs.claim()
        if claimed is None:
            return
        fate = self.dice.random()
        if fate < 0.3:
            self.shop.jobs.editor.fail("PROMPT_BLOCKED")
        elif fate < 0.45:
            self.shop.jobs.editor.before_answer = self._die
        try:
            self.shop.jobs.make(claimed)
        finally:
            self.shop.jobs.editor.before_answer = None

    @staticmethod
    def _die() -> None:
        raise Killed

    def cancel(self) -> None:
        self.shop.jobs.cancel(self.person, self.job)

    def complain(self) -> None:
        if self.dice.random() < 0.5:
            self.shop.call(refunds.not_good, self.person, self.job)
        else:
            self.shop.call(refunds.refund, self.shop.record(self.job).id, refunds.BY_OPERATOR, actor=Actor("cli"))

    def time(self) -> None:
        self.shop.call(reconciliation.tend)


def settle(shop: Shop) -> None:
    """The gateway is well again, a worker works, and the day passes in which a picture can be paid for."""
    for minutes in (1, 2, 6, 6, 24 * 60, 12, 12):
        shop.jobs.clock.forward(minutes=minutes)
        shop.call(leases.take_back_lost)
        while claimed := shop.jobs.claim():
            shop.jobs.make(claimed)
        while shop.call(reconciliation.look_for_news) + shop.call(reconciliation.tend):
            pass


def problems(shop: Shop) -> list[str]:
    """What no book may hold when everything has ended."""
    with shop.jobs.app.app_context():
        reserved = db.session.scalars(
            select(Transformation.id).where(Transformation.reservation == Reservation.RESERVED)
        ).all()
        pending = db.session.scalars(
            select(BillingRecord.id).where(BillingRecord.status == BillingStatus.PENDING)
        ).all()
        live = select(PaymentAttempt.billing_record_id).where(PaymentAttempt.status.not_in(DEAD_PAYMENTS))
        twice = db.session.execute(live.group_by(PaymentAttempt.billing_record_id).having(func.count() > 1)).all()
        over = db.session.scalars(select(QuotaPeriod.id).where(QuotaPeriod.used > QuotaPeriod.granted)).all()
        lost = db.session.scalars(select(BillingRecord.id).where(BillingRecord.failure == "capture_failed")).all()
    found = {"reserved": reserved, "pending": pending, "twice": twice, "over": over, "lost": lost}
    return [f"{name}: {len(rows)}" for name, rows in found.items() if rows]


def fingerprint(shop: Shop) -> list[tuple[UUID, BillingStatus, object, object]]:
    columns = BillingRecord.id, BillingRecord.status, BillingRecord.captured, BillingRecord.refunded
    with shop.jobs.app.app_context():
        return [tuple(row) for row in db.session.execute(select(*columns).order_by(BillingRecord.id))]  # type: ignore[misc]
