"""From the first visit to the deleted picture: the way that everybody goes."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.backstage import Backstage, now, phone
from tests.e2e.conftest import Visit
from tests.e2e.journey import BARE_PHONE, DESKTOP, PHONE, PHOTOS, READY, Device, Visitor, described, spaced
from tests.servers import wait_until

GONE = "Photo and picture are gone."


def sign_in_with_one_mistake(visitor: Visitor, number: str) -> None:
    page, field = visitor.page, visitor.page.get_by_label("Six-digit code")
    visitor.ask_for_code(number)
    code = visitor.shown_code()
    visitor.refusals = {401}
    visitor.enter_code(f"{(int(code) + 1) % 1_000_000:06d}")
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.get_by_role("alert")).to_contain_text("2 tries left")
    expect(field).to_have_attribute("aria-invalid", "true")
    assert "2 tries left" in described(field)
    page.get_by_role("alert").get_by_role("link").click()
    expect(field).to_be_focused()
    visitor.enter_code(code)
    expect(visitor.heading).to_have_text("What shall we make?")


def choose(visitor: Visitor, photo: Path, style: str) -> None:
    page = visitor.page
    visitor.choose_photo(photo)
    expect(visitor.heading).to_have_text("Choose a style")
    expect(page.get_by_text("Free, your 1st of 5")).to_be_visible()
    if visitor.scripts:
        page.get_by_label("Find a style").fill(style[:5].upper())
        expect(page.get_by_role("radio")).to_have_count(1)
    visitor.choose_style(style)
    if visitor.scripts and not visitor.device.phone:
        expect(page.locator("#make")).to_contain_text(f"{style}, about")


def compare(visitor: Visitor, style: str) -> None:
    photo = visitor.page.get_by_alt_text("Your photo", exact=True)
    picture = visitor.page.get_by_alt_text(f"Your picture: {style}")
    for image in (photo, picture):
        expect(image).to_be_visible()
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    if visitor.scripts:
        slider = visitor.page.get_by_role("slider")
        slider.focus()
        shown = []
        for key in ("End", "ArrowLeft", "Home"):
            slider.press(key)
            shown.append((slider.input_value(), photo.evaluate("image => getComputedStyle(image).clipPath")))
        assert [value for value, _ in shown] == ["100", "99", "0"]
        assert len({clip for _, clip in shown}) == 3
    else:
        expect(visitor.page.get_by_role("slider")).to_have_count(0)
        visitor.page.get_by_role("radio", name="After").check()
        expect(photo).not_to_be_visible()
        visitor.page.get_by_role("radio", name="Before").check()
        expect(photo).to_be_visible()
        assert photo.bounding_box() == picture.bounding_box()
        visitor.page.get_by_role("radio", name="Side by side").check()
        left, right = photo.bounding_box(), picture.bounding_box()
        assert left
        assert right
        assert left["x"] + left["width"] <= right["x"] + 1


@pytest.mark.parametrize("device", [DESKTOP, PHONE, BARE_PHONE], ids=lambda device: device.name.replace(" ", "-"))
def test_a_photo_becomes_a_picture_to_compare_and_to_keep(visit: Visit, device: Device) -> None:
    visitor = visit(device)
    page = visitor.page
    if device.scripts:
        page.clock.install()
    visitor.goto("/login")
    sign_in_with_one_mistake(visitor, phone())

    choose(visitor, PHOTOS / "astronaut.png", "Engraving")
    visitor.press_make()
    visitor.watch_until(READY)
    compare(visitor, "Engraving")
    expect(page.get_by_text("The clock has not started.")).to_be_visible()

    name, data = visitor.download()
    assert re.fullmatch(rf"pixshift-engraving-{now():%Y-%m-%d}\.jpg", name)
    with Image.open(io.BytesIO(data)) as made, Image.open(PHOTOS / "astronaut.png") as photo:
        made.load()
        assert made.size == photo.size
        difference = made.convert("L").resize((64, 64)), photo.convert("L").resize((64, 64))
    assert difference[0].tobytes() != difference[1].tobytes()
    if device.scripts:
        page.clock.run_for(4_000)
    else:
        page.reload()
    expect(visitor.link(re.compile("^Download again"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"^4:\d\d left$"))).to_be_visible()


def signed_links(visitor: Visitor) -> list[str]:
    links: list[str] = visitor.page.locator("img[src*='/pictures/']").evaluate_all(
        "images => images.map(image => image.getAttribute('src'))"
    )
    return links


def test_within_five_minutes_of_the_download_photo_and_picture_are_gone(visit: Visit, backstage: Backstage) -> None:
    """Two windows at once, because the sweeper comes by every 15 seconds."""
    watcher, bare = visit(DESKTOP), visit(BARE_PHONE)
    watcher.page.clock.install()
    links = {}
    for visitor in (watcher, bare):
        visitor.become(backstage.person())
        job = visitor.order(visitor.person)
        visitor.goto(f"/transformations/{job}")
        visitor.watch_until(READY)
        links[job] = [f"/transformations/{job}/download", *signed_links(visitor)]
        visitor.goto("/transformations?status=ready")
        links[job] += signed_links(visitor)
        visitor.page.go_back()
        visitor.download()
        wait_until(lambda job=job: backstage.find(job).downloaded_at is not None, 10, "the start of the clock")
        backstage.let_time_pass(job)
    watcher.page.clock.run_for(4_000)
    wait_until(lambda: not backstage.files(watcher.person.id) + backstage.files(bare.person.id), 20, "the deletion")
    watcher.page.clock.fast_forward("05:00")  # the clock on the page comes to its end, and the page looks by itself
    bare.page.reload()
    for visitor, job in zip((watcher, bare), links, strict=True):
        expect(visitor.heading).to_have_text(spaced(GONE))
        expect(visitor.page).to_have_title("Deleted · PixShift")
        expect(visitor.page.get_by_text(str(backstage.find(job).deletion_record))).to_be_visible()
        assert len(links[job]) == 4  # the download, the photo, the picture and its thumbnail
        assert [visitor.context.request.get(link).status for link in links[job]] == [404] * 4
    expect(watcher.heading).to_be_focused()
