"""An admin finds a failed picture and has it made again, and gives a payment back; with scripts and without."""

import re

from playwright.sync_api import expect

from tests.e2e.backstage import Backstage, Person
from tests.e2e.conftest import Visit
from tests.e2e.journey import PHONE, READY, Device, Visitor
from tests.e2e.test_pages import AUDIT
from tests.servers import wait_until

DESK_AUDIT = AUDIT.replace("'body > header', 'body > footer', ", "")  # the desk has its head within its frame


def ask(visitor: Visitor, link: str, question: str) -> None:
    """Press what asks first: a dialog over the page with scripts, a page of its own without."""
    before = visitor.path
    visitor.page.get_by_role("main").get_by_role("link", name=link).click()
    expect(visitor.page.get_by_role("heading", name=question)).to_be_visible()
    assert (visitor.path == before) is visitor.scripts
    expect(visitor.page.get_by_role("dialog")).to_have_count(1 if visitor.scripts else 0)


def faults(visitor: Visitor, *paths: str) -> list[str]:
    """What is wrong with pages of the desk for those who do not see them, or have a small phone."""
    found = []
    for path in paths:
        visitor.goto(path)
        rules = visitor.page.evaluate(DESK_AUDIT, visitor.device.phone)
        found += [f"{path}: {rule}" for rule in rules]
    return found


def test_a_failed_picture_is_found_and_made_again(visit: Visit, backstage: Backstage, device: Device) -> None:
    owner = backstage.person()
    job = backstage.job(owner.id, "failed")
    visitor = visit(device, person=backstage.admin())
    visitor.goto("/admin/transformations")
    visitor.page.get_by_label("Status").select_option("Not made")
    visitor.page.get_by_label("Reason").select_option("The model took too long")
    visitor.page.get_by_text("More", exact=True).click()
    visitor.page.get_by_label("User id").fill(str(owner.id))
    visitor.button("Show").click()
    rows = visitor.page.locator("tbody tr")
    expect(rows).to_have_count(1)
    rows.get_by_role("link").click()
    expect(visitor.heading).to_have_text("Engraving")
    expect(visitor.page.get_by_text("The model took too long. Please try again")).to_be_visible()
    ask(visitor, "Requeue", "Make this picture again?")
    visitor.page.get_by_role("link", name="Leave it").click()
    assert backstage.find(job).failure_reason == "TIMEOUT"
    ask(visitor, "Requeue", "Make this picture again?")
    visitor.button("Requeue it").click()
    expect(visitor.heading).to_have_text("Engraving")
    wait_until(lambda: backstage.find(job).status == "COMPLETED", 20, "the picture that was requeued")
    visitor.goto(f"/admin/transformations/{job}")
    expect(visitor.page.locator(".state", has_text="Made")).to_be_visible()
    assert visitor.page.locator("main img").count() == 0


def buy(visitor: Visitor) -> str:
    """A picture that is paid for and ready; its id."""
    visitor.goto("/transform")
    visitor.choose_photo(visitor.cat)
    visitor.choose_style("Engraving")
    visitor.button(re.compile("^Go on")).click()
    visitor.button("Make it · $0.99").click()
    visitor.button(re.compile(r"^Pay · \$0\.99$")).click()
    visitor.watch_until(READY)
    return visitor.job_id


def test_a_payment_is_found_and_given_back(visit: Visit, backstage: Backstage, device: Device) -> None:
    visitor = visit(device, person=backstage.admin(free_used=5))
    job = buy(visitor)
    charged = visitor.page.locator("tbody .state", has_text="Charged")
    here = f"/admin/billing?q={job}"
    wait_until(lambda: bool(visitor.goto(here) or charged.count()), 10, "the charge after the picture")
    visitor.page.locator("tbody").get_by_role("link").click()
    ask(visitor, "Give back $0.99", "Give back $0.99?")
    visitor.button("Give back $0.99").click()
    expect(visitor.page.get_by_text("Refunded")).to_be_visible()
    expect(visitor.page.get_by_text("By us")).to_be_visible()
    assert visitor.page.get_by_role("link", name="Give back $0.99").count() == 0
    visitor.button("Look now").click()
    expect(visitor.page.locator(".state", has_text="Given back").first).to_be_visible()
    visitor.goto("/admin/billing")
    ask(visitor, "Reconcile now", "Look at all open payments now?")
    visitor.button("Reconcile now").click()
    expect(visitor.page.locator("#reconciled")).to_contain_text("in disagreement")


def test_the_pages_are_sound(visit: Visit, backstage: Backstage) -> None:
    admin: Person = backstage.admin()
    job = backstage.job(admin.id, "failed")
    paths = ("/admin/transformations", f"/admin/transformations/{job}", f"/admin/transformations/{job}/requeue")
    money = ("/admin/billing", "/admin/billing/reconcile", "/admin/billing?status=held&older=1h")
    assert faults(visit(person=admin), *paths, *money) == []
    assert faults(visit(PHONE, person=admin, viewport={"width": 360, "height": 740}), *paths, *money) == []
