"""Stripe's hosted page, as its stand-in serves it: pay, decline, 3-D Secure, leave, with scripts and without."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests import servers
from tests.e2e.backstage import Backstage
from tests.e2e.conftest import ContextFactory
from tests.e2e.journey import READY, Device, Visitor, spaced
from tests.servers import wait_until
from tests.stand_ins.stripe import StripeStandIn

Enter = Callable[[Device], Visitor]


class Payer(Visitor):
    """A visitor whose way leads over the payment company's page."""

    def __init__(self, context: BrowserContext, product: servers.Product, device: Device, elsewhere: str) -> None:
        self._elsewhere = elsewhere
        super().__init__(context, product, device)

    def check(self) -> None:
        self._wrong = [line for line in self._wrong if self._elsewhere not in line]
        super().check()


@pytest.fixture(scope="module")
def stripe() -> Iterator[StripeStandIn]:
    with StripeStandIn() as running:
        yield running


@pytest.fixture(scope="module")
def site(stripe: StripeStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Product]:
    folder: Path = tmp_path_factory.mktemp("stripe")
    with servers.product(folder, {"PIXSHIFT_ENV": "development"} | stripe.environ()) as running:
        stripe.deliver_to = f"{running.url}/webhooks/stripe"
        yield running


@pytest.fixture
def enter(context_factory: ContextFactory, site: servers.Product, stripe: StripeStandIn) -> Iterator[Enter]:
    payers: list[Payer] = []

    def open_window(device: Device) -> Visitor:
        context = context_factory(scripts=device.scripts, phone=device.phone, base_url=site.url)
        payers.append(Payer(context, site, device, stripe.url))
        payers[-1].become(Backstage(site).person(free_used=5))
        return payers[-1]

    yield open_window
    for payer in payers:
        payer.check()


def go_to_stripe(visitor: Visitor) -> None:
    visitor.goto("/transform")
    visitor.choose_photo(visitor.cat)
    visitor.choose_style("Engraving")
    visitor.button(re.compile("^Go on")).click()
    visitor.button("Make it · $0.99").click()
    expect(visitor.heading).to_have_text("Pay 0.99 USD")


def test_a_picture_is_declined_confirmed_held_and_charged(enter: Enter, stripe: StripeStandIn, device: Device) -> None:
    before = stripe.books.ledger()
    visitor = enter(device)
    go_to_stripe(visitor)
    visitor.button("Card declined").click()
    expect(visitor.heading).to_have_text("Pay 0.99 USD")
    visitor.button("Bank asks first").click()
    visitor.button("Confirm at the bank").click()
    visitor.watch_until(READY)
    wait_until(lambda: stripe.books.ledger()[1] == before[1] + 99, 20, "the charge")
    assert stripe.books.ledger()[0] == 0


def test_who_leaves_is_charged_nothing_and_comes_back(enter: Enter, stripe: StripeStandIn, device: Device) -> None:
    visitor = enter(device)
    go_to_stripe(visitor)
    visitor.button("Leave").click()
    expect(visitor.heading).to_have_text(spaced("Pay for this picture."))
    expect(visitor.page.get_by_text(spaced("Waiting for Stripe, usually seconds."))).to_be_visible()
    visitor.button("Make it · $0.99").click()
    visitor.button("Pay and keep this card").click()
    visitor.watch_until(READY)
    visitor.goto("/billing")
    expect(visitor.page.get_by_text("Visa ending in 4242").first).to_be_visible()


def test_a_window_that_is_closed_after_paying_loses_nothing(
    enter: Enter, stripe: StripeStandIn, device: Device
) -> None:
    visitor = enter(device)
    go_to_stripe(visitor)
    session = visitor.page.url.rpartition("/")[2]
    stripe.decide(session, "pay")  # paid, and the way back never taken
    assert set(stripe.deliver()) == {200}
    visitor.goto("/transformations")
    visitor.link(re.compile("^(Pay|Watch|Open)")).first.click()
    visitor.watch_until(READY)


def test_a_month_is_paid_at_stripe(enter: Enter, device: Device) -> None:
    visitor = enter(device)
    visitor.goto("/billing")
    visitor.button("Get Premium · $9.99").click()
    expect(visitor.heading).to_have_text("Pay 9.99 USD")
    visitor.button(re.compile("^Pay$")).click()
    expect(visitor.heading).to_have_text("Billing")
    expect(visitor.page.get_by_text("0 of 100 pictures used this month.")).to_be_visible()
