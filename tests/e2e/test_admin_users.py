"""An admin finds somebody, promotes, suspends and gives; with scripts, in dialogs, and without, on pages."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.backstage import Backstage, Person
from tests.e2e.conftest import Visit
from tests.e2e.journey import Device, Visitor


def confirm(visitor: Visitor, link: str, deed: str, **fields: str) -> None:
    """Follow a link to a question and say yes: in a dialog where there are scripts."""
    visitor.link(link).click()
    dialog = visitor.page.get_by_role("dialog")
    expect(dialog).to_have_count(1 if visitor.scripts else 0)
    place = dialog if visitor.scripts else visitor.page.get_by_role("main")
    for label, value in fields.items():
        place.get_by_label(re.compile(label)).fill(value)
    place.get_by_role("button", name=deed).click()
    expect(visitor.page.get_by_role("status").first).to_be_visible()


def search(visitor: Visitor, text: str) -> None:
    visitor.goto("/admin/users")
    visitor.page.get_by_label("E-mail, phone number or id").fill(text)
    visitor.button("Show").click()
    expect(visitor.page.get_by_text("of those you asked for")).to_be_visible()


def spelled(person: Person) -> str:
    number = person.phone
    return f"({number[2:5]}) {number[5:8]}-{number[8:]}"


def main_of(page: Page) -> str:
    return page.get_by_role("main").inner_text()


def test_somebody_is_found_and_promoted(visit: Visit, device: Device, backstage: Backstage) -> None:
    guest = backstage.person()
    visitor = visit(device, person=backstage.admin())
    search(visitor, spelled(guest))
    visitor.link(guest.phone).click()
    expect(visitor.heading).to_have_text(guest.phone)
    if visitor.scripts:  # a dialog that was closed changes nothing
        visitor.link("Make an admin").click()
        visitor.page.get_by_role("dialog").get_by_role("link", name="Leave it").click()
        expect(visitor.page.get_by_role("dialog")).to_have_count(0)
        expect(visitor.link("Make an admin")).to_be_focused()
    confirm(visitor, "Make an admin", "Make an admin")
    expect(visitor.page.get_by_text("They are an admin now.")).to_be_visible()
    expect(visitor.page.get_by_text("role: GUEST → ADMIN")).to_be_visible()
    other = visit(device, person=guest)
    other.goto("/admin/users")
    confirm(visitor, "Make a guest", "Make a guest")
    other.goto("/admin/users", status=403)


def test_somebody_is_suspended_and_let_in_again(visit: Visit, device: Device, backstage: Backstage) -> None:
    guest = backstage.person()
    visitor, other = visit(device, person=backstage.admin()), visit(device, person=guest)
    other.goto("/transform")
    visitor.goto(f"/admin/users/{guest.id}")
    confirm(visitor, "Suspend", "Suspend", Reason="Asked twice")
    expect(visitor.page.get_by_text("Suspended since").first).to_be_visible()
    assert "Asked twice" in main_of(visitor.page)
    other.goto("/transform")
    expect(other.heading).to_have_text("Sign in")
    other.refusals.add(403)
    other.ask_for_code(guest.phone)
    other.enter_code(other.shown_code())
    expect(other.page.get_by_role("alert")).to_contain_text("This account is suspended")
    expect(other.link("What we keep, and how it is erased")).to_be_visible()
    confirm(visitor, "Lift the suspension", "Lift the suspension")
    expect(visitor.link("Suspend")).to_be_visible()


def test_free_pictures_are_given_and_a_mistake_is_shown(visit: Visit, device: Device, backstage: Backstage) -> None:
    guest = backstage.person(free_used=5)
    visitor = visit(device, person=backstage.admin())
    visitor.goto(f"/admin/users/{guest.id}")
    confirm(visitor, "Give free pictures", "Give them", **{"How many": "3", "Reason": "Sorry for Tuesday"})
    expect(visitor.page.get_by_text("3 left, 5 of 8 used, 3 of them given")).to_be_visible()
    visitor.goto(f"/admin/users/{guest.id}/give")
    visitor.refusals.add(400)
    visitor.page.get_by_label(re.compile("How many")).fill("1")
    visitor.page.get_by_label(re.compile("Reason")).fill(" ")
    visitor.button("Give them").click()
    expect(visitor.page.locator("#reason-error")).to_contain_text("Say why")
    assert visitor.page.get_by_label(re.compile("How many")).input_value() == "1"
