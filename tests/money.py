"""Buying pictures without a browser: services on a real database, a gateway with books of its own, and faults."""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, RefundStatus
from pixshift.domain.pricing import Money
from pixshift.errors import ExternalServiceError
from pixshift.extensions import db
from pixshift.gateways.ports import PaymentGateway
from pixshift.models import BillingRecord, PaymentAttempt, Refund, Transformation, User
from pixshift.services import payment_rows, payments, reconciliation, transformations
from pixshift.services.payments import Paid
from pixshift.services.toolbox import Toolbox
from tests import jobs, payment_worlds
from tests.payment_worlds import Ledger, PaymentWorld


class Killed(BaseException):
    """The process ended here: nothing of ours catches it."""


class Faulty:
    """A gateway between which and us things go wrong. ``plan`` holds (call, fault) in the order they shall happen.

    Faults: ``before`` (nothing happened there), ``after`` (it happened, the answer was lost), ``killed_before`` and
    ``killed_after`` (we ended). ``twist`` changes what it answers.
    """

    def __init__(self, gateway: PaymentGateway) -> None:
        self.gateway = gateway
        self.plan: deque[tuple[str, str]] = deque()
        self.calls: list[str] = []
        self.twist: Callable[[Any], Any] | None = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.gateway, name)
        return self._wrapped(name, found) if callable(found) else found

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            fault = self.plan.popleft()[1] if self.plan and self.plan[0][0] in (name, "*") else ""
            self._fail(fault, "before")
            answer = call(*args, **kwargs)
            self._fail(fault, "after")
            return self.twist(answer) if self.twist and name in ("look", "void", "refund", "payments_since") else answer

        return wrapped

    def _fail(self, fault: str, when: str) -> None:
        if fault == when:
            raise ExternalServiceError("The gateway did not answer.", retryable=True, category="NETWORK")
        if fault == f"killed_{when}":
            raise Killed


@dataclasses.dataclass
class Shop:
    """One database with jobs, and one gateway. Each call works in an application context of its own."""

    jobs: jobs.World
    world: PaymentWorld
    gateway: Faulty

    @property
    def toolbox(self) -> Toolbox:
        return self.jobs.toolbox

    def call(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A service function with our toolbox; what it left open when it was killed is rolled back, as by a process
        that ends."""
        with self.jobs.app.app_context():
            try:
                return act(self.toolbox, *args, **kwargs)
            finally:
                db.session.rollback()

    def person(self) -> UUID:
        """Somebody whose free pictures are used."""
        return self.jobs.person(free_used=self.toolbox.settings.free_tier.limit)

    def job(self, person: UUID, tier: str = "basic") -> UUID:
        """A picture that is asked for and, in tier basic, must be paid for."""
        photo = self.jobs.photo(person)
        job = self.call(transformations.create, person, type_id=self.jobs.type_id, image_id=photo.id, tier=tier)
        return UUID(str(job.id))

    def open_page(self, person: UUID, job: UUID) -> Paid:
        return self.call(payments.open_page, person, job, None)  # type: ignore[no-any-return]

    def pay(self, person: UUID, job: UUID, what: str = "pay") -> None:
        """The whole way of a payer with a browser: to the page, a decision, and back."""
        self.open_page(person, job)
        attempt = self.attempt(job)
        self.world.decide(str(attempt.session_id), what)
        self.changed(job)

    def held(self, person: UUID) -> UUID:
        job = self.job(person)
        self.pay(person, job)
        return job

    def changed(self, job: UUID) -> None:
        self.call(transformations.payment_changed, self.record(job).id)

    def tend(self, minutes: float = 0) -> None:
        """What the worker does every some seconds and minutes, ``minutes`` later."""
        self.jobs.clock.forward(minutes=minutes)
        self.call(reconciliation.tend)
        self.call(reconciliation.look_for_news)
        self.call(reconciliation.tend)

    def record(self, job: UUID) -> BillingRecord:
        with self.jobs.app.app_context():
            record = payment_rows.record_of_job(job)
        assert record is not None
        return record

    def attempt(self, job: UUID) -> PaymentAttempt:
        """The last one."""
        with self.jobs.app.app_context():
            attempt = payment_rows.last_attempt(self.record(job).id)
        assert attempt is not None
        return attempt

    def attempts(self, job: UUID) -> list[PaymentAttempt]:
        with self.jobs.app.app_context():
            return payment_rows.attempts(self.record(job).id)

    def refunds(self, job: UUID) -> list[Refund]:
        mine = select(Refund).where(Refund.billing_record_id == self.record(job).id)
        with self.jobs.app.app_context():
            return list(db.session.scalars(mine))

    def is_due(self, job: UUID) -> bool:
        return self.jobs.read(job).due_at is not None

    def is_blocked(self, person: UUID) -> bool:
        with self.jobs.app.app_context():
            return db.session.scalar(select(User.spending_blocked_at).where(User.id == person)) is not None

    def books(self) -> Ledger:
        """Ours, in minor units, in the gateway's terms: what is held is not charged yet."""
        with self.jobs.app.app_context():
            captured, refunded = db.session.execute(
                select(func.sum(BillingRecord.captured), func.sum(BillingRecord.refunded))
            ).one()
            held = db.session.scalars(
                select(BillingRecord.amount)
                .join(PaymentAttempt, PaymentAttempt.billing_record_id == BillingRecord.id)
                .where(PaymentAttempt.status == PaymentStatus.HELD)
            )
            sums = (sum(held, Decimal(0)), captured or Decimal(0), refunded or Decimal(0))
        return Ledger(*(int(amount * 100) for amount in sums))

    def unjust(self) -> list[UUID]:
        """Pictures that were not made and are paid for all the same: there must be none."""
        kept = BillingRecord.captured > BillingRecord.refunded
        unmade = Transformation.status != "COMPLETED"
        paid = select(Transformation.id).join(BillingRecord, BillingRecord.transformation_id == Transformation.id)
        with self.jobs.app.app_context():
            return list(db.session.scalars(paid.where(kept, unmade)))


@contextmanager
def shop(database_url: str, folder: Path, name: str = "practice", **environ: str) -> Iterator[Shop]:
    """``name`` is that of a payment world."""
    payer_world = payment_worlds.make_world(name, folder / "payments")
    try:
        with jobs.world(database_url, folder, **environ) as world:
            world.clock.now = datetime.now(UTC)  # gateways have clocks of their own
            faulty = Faulty(payer_world.gateway)
            tools = world.toolbox
            gateways = dataclasses.replace(tools.gateways, payments={faulty.name: faulty})
            world.app.extensions["toolbox"] = dataclasses.replace(tools, gateways=gateways)
            yield Shop(world, payer_world, faulty)
    finally:
        payer_world.close()


__all__ = ["BillingStatus", "Faulty", "Killed", "Ledger", "Money", "RefundStatus", "Shop", "db", "shop"]
