"""When the free pictures are used: pay, be declined, confirm at the bank, leave; for one picture or for a month."""

import re

from playwright.sync_api import expect

from tests.e2e.backstage import Backstage
from tests.e2e.conftest import Visit
from tests.e2e.journey import READY, Device, Visitor, spaced
from tests.servers import wait_until

PAY = re.compile(r"^Pay · \$0\.99$")
KEEP = re.compile("^Pay and keep this card")


def go_to_pay(visitor: Visitor, style: str = "Engraving") -> None:
    visitor.goto("/transform")
    visitor.choose_photo(visitor.cat)
    visitor.choose_style(style)
    visitor.button(re.compile("^Go on")).click()
    expect(visitor.heading).to_have_text("Pay for this picture")
    expect(visitor.page.get_by_text("charged only when your picture is ready")).to_be_visible()


def make_it(visitor: Visitor) -> None:
    visitor.button("Make it · $0.99").click()
    expect(visitor.heading).to_have_text("Practice payment")
    expect(visitor.page.get_by_text("Nobody is charged.", exact=True)).to_be_visible()


def test_a_picture_is_paid_for_declined_confirmed_and_found_in_the_books(
    visit: Visit, backstage: Backstage, device: Device
) -> None:
    visitor = visit(device, person=backstage.person(free_used=5))
    go_to_pay(visitor)
    make_it(visitor)
    visitor.button("Let the card be declined").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("Your bank declined the card.")
    visitor.button("Let the bank ask first").click()
    visitor.button("Confirm, as at your bank").click()
    visitor.page.wait_for_url(re.compile(r"/transformations/[0-9a-f-]{36}$"))
    visitor.watch_until(READY)
    charged = visitor.page.get_by_text("$0.99 charged.")
    wait_until(lambda: bool(visitor.goto(visitor.path) or charged.count()), 10, "the charge after the picture")
    expect(visitor.button("Again (free once)")).to_be_visible()
    visitor.goto("/billing")
    entry = visitor.page.get_by_role("article")
    expect(entry).to_have_count(1)
    expect(entry).to_contain_text(spaced("Charged $0.99"))
    entry.get_by_role("link", name="Receipt").click()
    expect(visitor.heading).to_have_text("Receipt")
    expect(visitor.page.get_by_text("$0.99 USD")).to_be_visible()


def test_who_leaves_the_payment_keeps_everything_and_may_come_back(
    visit: Visit, backstage: Backstage, device: Device
) -> None:
    visitor = visit(device, person=backstage.person(free_used=5))
    go_to_pay(visitor)
    make_it(visitor)
    visitor.button("Leave without paying").click()
    expect(visitor.heading).to_have_text(spaced("Pay for this picture."))
    visitor.button("Make it · $0.99").click()
    visitor.button(PAY).click()
    visitor.watch_until(READY)


def test_an_unpaid_picture_is_cancelled_and_nothing_was_held(
    visit: Visit, backstage: Backstage, device: Device
) -> None:
    visitor = visit(device, person=backstage.person(free_used=5))
    go_to_pay(visitor)
    make_it(visitor)
    visitor.button("Leave without paying").click()
    visitor.button("Cancel this picture").click()
    expect(visitor.heading).to_have_text("Cancelled.")
    expect(visitor.page.get_by_text("Nothing was held.")).to_be_visible()
    visitor.goto("/billing")
    expect(visitor.page.get_by_text("Not paid")).to_be_visible()


def test_a_card_that_is_kept_pays_with_one_press_and_not_good_gives_back(
    visit: Visit, backstage: Backstage, device: Device
) -> None:
    visitor = visit(device, person=backstage.person(free_used=5))
    go_to_pay(visitor)
    make_it(visitor)
    visitor.button(KEEP).click()
    visitor.watch_until(READY)
    go_to_pay(visitor, "Pop art")
    visitor.button("Make it · $0.99").click()
    visitor.page.wait_for_url(re.compile(r"/transformations/[0-9a-f-]{36}$"))
    visitor.watch_until(READY)
    give_back = visitor.button("Not good? Get $0.99 back")
    wait_until(lambda: bool(visitor.goto(visitor.path) or give_back.count()), 10, "the charge after the picture")
    give_back.click()
    expect(visitor.page.get_by_text("$0.99 is on its way back to you.")).to_be_visible()
    visitor.goto("/billing")
    expect(visitor.page.get_by_role("article").first).to_contain_text("Refunded")


def test_a_month_is_paid_used_cancelled_and_kept(visit: Visit, backstage: Backstage, device: Device) -> None:
    visitor = visit(device, person=backstage.person(free_used=5))
    go_to_pay(visitor)
    visitor.button(re.compile(r"^Get Premium · \$9\.99")).click()
    expect(visitor.heading).to_have_text("Practice payment")
    visitor.button(re.compile(r"^Pay · \$9\.99$")).click()
    expect(visitor.heading).to_have_text("Billing")
    expect(visitor.page.get_by_text("0 of 100 pictures used this month.")).to_be_visible()
    visitor.make()
    visitor.watch_until(READY)
    visitor.goto("/billing")
    expect(visitor.page.get_by_text("1 of 100 pictures used this month.")).to_be_visible()
    visitor.link("Cancel plan").click()
    visitor.button("Cancel Premium").click()
    expect(visitor.page.get_by_text("Premium ends on")).to_be_visible()
    visitor.button("Keep Premium").click()
    expect(visitor.page.get_by_text("Renews on")).to_be_visible()
