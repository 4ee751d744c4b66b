"""An admin adds a style, writes a draft, tries both versions, looks at the pictures and publishes; with scripts and
without."""

import re

from playwright.sync_api import expect

from tests.e2e.backstage import Backstage
from tests.e2e.conftest import Visit
from tests.e2e.journey import PHONE, Device, Visitor
from tests.e2e.test_pages import AUDIT

DESK_AUDIT = AUDIT.replace("'body > header', 'body > footer', ", "")  # the desk has its head within its frame
FIRST = "Redraw this photo as a woodcut. Use bold lines. Keep every face as it is."
SECOND = "Redraw this photo as a woodcut. Use fine lines that follow the form. Keep every face as it is."


def faults(visitor: Visitor, *paths: str) -> list[str]:
    """What is wrong with pages for those who do not see them, or have a small phone."""
    found = []
    for path in paths:
        visitor.goto(path)
        found += [f"{path}: {rule}" for rule in visitor.page.evaluate(DESK_AUDIT, visitor.device.phone)]
    return found


def add_style(visitor: Visitor, name: str) -> str:
    """Through the form; returns its id."""
    visitor.goto("/admin/transformation-types")
    visitor.link("Add a style").click()
    visitor.page.get_by_label("Name").fill(name)
    visitor.page.get_by_label("Prompt").fill(FIRST)
    visitor.button("Add the style").click()
    expect(visitor.heading).to_have_text(name)
    return visitor.path.rpartition("/")[2]


def wait_for_pictures(visitor: Visitor, count: int) -> None:
    """With scripts the grid fills by itself, without by a link."""
    done = visitor.page.get_by_text(f"All {count} are done.")
    if visitor.scripts:
        expect(done).to_be_visible(timeout=40_000)
        return
    for _ in range(60):
        if done.count():
            return
        visitor.page.wait_for_timeout(500)
        if visitor.link("Check again").count():
            visitor.link("Check again").click()
    expect(done).to_be_visible()


def test_from_a_new_style_to_a_published_draft(visit: Visit, backstage: Backstage, device: Device) -> None:
    visitor = visit(device, person=backstage.admin())
    name = f"Woodcut on a {device.name}"
    kind = add_style(visitor, name)
    visitor.link("Open in the lab").click()
    expect(visitor.heading).to_have_text(f"{name}, version 1")
    visitor.page.get_by_role("textbox", name="Prompt").fill(SECOND)
    visitor.button("Keep as a draft").click()
    expect(visitor.heading).to_have_text(f"{name}, version 2")
    expect(visitor.page.locator(".diff ins")).to_have_text("Use fine lines that follow the form.")
    expect(visitor.page.locator(".diff del")).to_have_text("Use bold lines.")

    visitor.page.get_by_label("Launch pad, night").uncheck()
    visitor.button("Run").click()
    expect(visitor.page.get_by_role("heading", name="Side by side")).to_be_visible()
    wait_for_pictures(visitor, 4)
    pictures = visitor.page.locator("td img")
    expect(pictures).to_have_count(4)
    pictures.first.scroll_into_view_if_needed()
    expect(pictures.first).to_have_js_property("complete", value=True)
    assert pictures.first.evaluate("image => image.naturalWidth") > 100
    visitor.button("Good, 0").first.click()
    expect(visitor.button("Good, 1")).to_have_attribute("aria-pressed", "true")

    visitor.page.get_by_label("Reason, kept in the audit log").fill("Faces keep their detail.")
    visitor.button("Publish version 2").click()
    expect(visitor.page.get_by_text("Version 2 is live.")).to_be_visible()
    visitor.button("As thumbnail").first.click()
    expect(visitor.heading).to_have_text(name)
    visitor.goto("/")
    expect(visitor.page.locator(f"img[src^='/styles/{kind}/']")).to_have_count(1)
    visitor.goto("/admin/transformation-types")
    switch = visitor.page.get_by_role("switch", name=f"Offer {name}")
    expect(switch).to_have_attribute("aria-checked", "true")
    loads = visitor.count("GET", "/static/.*/admin.css")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    if visitor.scripts:  # swapped in place, and the keyboard stays where it was
        assert visitor.count("GET", "/static/.*/admin.css") == loads
        expect(switch).to_be_focused()


def test_a_style_that_nobody_used_is_deleted_after_a_question(
    visit: Visit, backstage: Backstage, device: Device
) -> None:
    visitor = visit(device, person=backstage.admin())
    name = f"Short-lived on a {device.name}"
    kind = add_style(visitor, name)
    for answer in ("Keep it", "Delete the style"):
        visitor.link("Delete").click()
        expect(visitor.page.get_by_role("heading", name=f"Delete {name}?")).to_be_visible()
        expect(visitor.page.get_by_role("dialog")).to_have_count(1 if visitor.scripts else 0)
        role = "link" if answer == "Keep it" else "button"
        visitor.page.get_by_role(role, name=answer).click()
    expect(visitor.heading).to_have_text("Styles")
    expect(visitor.page.get_by_text(name)).to_have_count(0)
    visitor.goto(f"/admin/transformation-types/{kind}", 404)


def test_a_test_photo_is_sent_and_can_be_chosen(visit: Visit, backstage: Backstage, device: Device) -> None:
    visitor = visit(device, person=backstage.admin())
    kind = backstage.style("linocut")
    visitor.goto(f"/admin/lab/{kind}")
    visitor.choose_photo(visitor.cat)
    expect(visitor.page.get_by_label("chelsea.png")).to_be_visible()
    visitor.refusals |= {400}
    visitor.choose_photo({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture at all"})
    expect(visitor.page.locator("#error-summary")).to_contain_text("notes.txt")


def test_the_pages_are_sound(visit: Visit, backstage: Backstage) -> None:
    visitor = visit(PHONE, person=backstage.admin())
    kind = backstage.style("cyanotype")
    types, lab = "/admin/transformation-types", "/admin/lab"
    paths = (types, f"{types}/new", f"{types}/{kind}", f"{types}/{kind}/delete", lab, f"{lab}/{kind}")
    assert faults(visitor, *paths) == []
    visitor.goto(f"{lab}/{kind}")
    visitor.button("Run").click()
    expect(visitor.page.get_by_role("heading", name="Side by side")).to_be_visible()
    assert visitor.page.evaluate(DESK_AUDIT, True) == []
    wait_for_pictures(visitor, 3)
    assert re.search(r"mean \d", visitor.page.locator("thead").first.inner_text())
    assert visitor.page.evaluate(DESK_AUDIT, True) == []
