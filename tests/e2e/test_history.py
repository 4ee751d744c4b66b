"""What was made: the list, what can still be done with a picture, and what five free ones mean."""

import os
import re
import socket
import urllib.request
from datetime import timedelta
from urllib.parse import urlsplit

from playwright.sync_api import Locator, expect

from tests import servers
from tests.e2e.backstage import Backstage, now
from tests.e2e.conftest import Visit
from tests.e2e.journey import READY, Device, Visitor, spaced
from tests.servers import wait_until

GONE = "Photo and picture are gone."


def rows(visitor: Visitor) -> Locator:
    return visitor.page.locator("tr").filter(has=visitor.page.get_by_role("cell"))


def shown(visitor: Visitor, label: str) -> Locator:
    return visitor.page.get_by_role("navigation", name="Show").get_by_role("link", name=re.compile(f"^{label}"))


def test_the_history_is_filtered_and_paged_by_links(visit: Visit, device: Device, backstage: Backstage) -> None:
    me = backstage.person()
    photo = backstage.photo(me.id)
    states = ["ready"] * 3 + ["waiting"] * 2 + ["failed"] * 3 + ["cancelled"] + ["deleted"] * 36
    for number, state in enumerate(states):
        backstage.job(me.id, state, photo, created_at=now() - timedelta(hours=number))
    visitor = visit(device, person=me)
    visitor.goto("/transformations")
    expect(rows(visitor)).to_have_count(20)
    expect(visitor.page.get_by_text("1 to 20 of 45")).to_be_visible()
    assert visitor.count("GET", "/pictures/picture/.*") == 0  # lists make do with thumbnails
    assert visitor.count("GET", "/pictures/thumbnail/.*") == 3
    for label, count in {"All": 45, "Ready": 3, "In work": 2, "Not made": 4, "Deleted": 36}.items():
        expect(shown(visitor, label)).to_have_text(re.compile(rf"^{label}\s+{count}$"))

    visitor.link("Older").click()
    visitor.link("Older").click()
    expect(visitor.page.get_by_text("41 to 45 of 45")).to_be_visible()
    expect(rows(visitor)).to_have_count(5)
    expect(visitor.link("Older")).to_have_attribute("aria-disabled", "true")
    visitor.link("Newer").click()
    expect(visitor.page.get_by_text("21 to 40 of 45")).to_be_visible()

    shown(visitor, "Not made").click()
    expect(shown(visitor, "Not made")).to_have_attribute("aria-current", "page")
    expect(rows(visitor)).to_have_count(4)
    expect(visitor.page.get_by_text("not charged")).to_have_count(4)
    shown(visitor, "Deleted").click()
    expect(visitor.page.get_by_text("1 to 20 of 36")).to_be_visible()
    visitor.link("Older").click()
    expect(visitor.page.get_by_text("21 to 36 of 36")).to_be_visible()
    visitor.link(re.compile("^Record")).first.click()
    expect(visitor.heading).to_have_text(spaced(GONE))


def test_an_address_that_makes_no_sense_is_answered_kindly(visit: Visit, backstage: Backstage, device: Device) -> None:
    visitor = visit(device, person=backstage.person())
    for query in ("page=0", "page=x", "status=odd", "page=99999999999"):
        visitor.goto(f"/transformations?{query}", status=400)
    visitor.goto("/transformations?page=7")
    expect(visitor.heading).to_have_text("History")
    visitor.goto("/nowhere", status=404)
    expect(visitor.heading).to_have_text("There is no such page.")
    visitor.link("See your history").click()
    expect(visitor.page.get_by_role("heading", name="Nothing yet.")).to_be_visible()


def test_a_picture_is_made_again_in_another_style_and_deleted_at_once(
    visit: Visit, device: Device, backstage: Backstage
) -> None:
    me = backstage.person()
    visitor = visit(device, person=me)
    first = visitor.make(style="Linocut")
    visitor.watch_until(READY)
    visitor.link("Another style").click()
    visitor.choose_style("Pixel art")
    second = visitor.press_make()
    visitor.watch_until(READY)
    name, _ = visitor.download()
    assert re.fullmatch(r"pixshift-pixel-art-[-0-9]{10}\.png", name)
    visitor.goto(f"/transformations/{first}")
    visitor.button(re.compile("^Again")).click()
    visitor.page.wait_for_url(lambda url: first not in url)
    visitor.watch_until(READY)
    third = visitor.job_id
    jobs = [backstage.find(job) for job in (first, second, third)]
    assert len({job.upload_id for job in jobs}) == 1
    assert jobs[0].transformation_type_id == jobs[2].transformation_type_id != jobs[1].transformation_type_id
    assert len(backstage.files(me.id)) == 4

    visitor.page.get_by_text("Delete now").click()
    visitor.button("Delete both").click()
    expect(visitor.heading).to_have_text(spaced(GONE))
    assert backstage.find(third).deleted_at is not None
    assert len(backstage.files(me.id)) == 2  # its picture is gone and the photo too; the two other pictures stay
    visitor.goto("/transformations")
    expect(shown(visitor, "Deleted")).to_have_text(re.compile("1$"))
    visitor.goto(f"/transformations/{first}")
    expect(visitor.heading).to_have_text(spaced(READY))
    expect(visitor.link("Another photo")).to_be_visible()
    visitor.goto(f"/transform?photo={jobs[0].upload_id}")
    expect(visitor.page.get_by_role("alert")).to_contain_text("This photo was deleted. Please choose it again.")


def test_five_pictures_are_free_and_then_the_page_says_what_comes_next(
    visit: Visit, device: Device, backstage: Backstage
) -> None:
    me = backstage.person()
    visitor = visit(device, person=me)
    page = visitor.page
    for used in range(4):
        visitor.goto("/dashboard")
        expect(page.get_by_text(f"{used} of 5 free pictures used")).to_be_visible()
        expect(page.get_by_text(f"{5 - used} left")).to_be_visible()
        visitor.order(me)
    visitor.goto("/transform")
    expect(page.get_by_text("Free, your 5th of 5")).to_be_visible()
    visitor.choose_photo(visitor.cat)
    expect(page.get_by_text("This is your last free picture.")).to_be_visible()
    visitor.choose_style("Engraving")
    visitor.press_make()
    visitor.watch_until(READY)
    assert backstage.free_used(me.id) == 5

    visitor.goto("/transform")
    expect(page.get_by_role("main")).to_contain_text("Your five free pictures are used.")
    expect(page.get_by_role("main")).to_contain_text("$0.99 a picture")
    for place in ("/dashboard", "/profile"):
        visitor.goto(place)
        expect(page.get_by_text("5 of 5 free pictures used")).to_be_visible()
        expect(page.get_by_text("0 left")).to_be_visible()
    visitor.goto("/transformations?status=ready")
    visitor.link(re.compile("^Open")).first.click()
    visitor.refusals = {402}
    visitor.button(re.compile("^Again")).click()
    expect(visitor.heading).to_have_text("Pay for this picture")
    expect(page.get_by_role("alert")).to_contain_text("free pictures are used")
    assert backstage.free_used(me.id) == 5


def test_a_form_from_before_the_last_free_picture_says_the_same(
    visit: Visit, device: Device, backstage: Backstage
) -> None:
    me = backstage.person(free_used=4)
    visitor = visit(device, person=me)
    visitor.goto(f"/transform?photo={backstage.photo(me.id)}&style={backstage.style()}")
    visitor.order(me)
    visitor.refusals = {402}
    visitor.button(re.compile("^Make it")).click()
    expect(visitor.heading).to_have_text("Pay for this picture")
    expect(visitor.page.get_by_role("alert")).to_contain_text("free pictures are used")
    expect(visitor.page).to_have_title(re.compile("Pay for this picture"))
    assert backstage.free_used(me.id) == 5


def test_a_download_that_breaks_off_does_not_start_the_clock(
    live_server: servers.Product, backstage: Backstage
) -> None:
    me = backstage.person()
    broken, whole = backstage.job(me.id), backstage.job(me.id)
    for file in backstage.files(me.id):
        if "transformations" in file.parts:
            file.write_bytes(os.urandom(200_000))  # small enough for the buffers between us and the application
    place = urlsplit(live_server.url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=10) as line:
        line.sendall(
            f"GET /transformations/{broken}/download HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Cookie: session={me.token}\r\n\r\n".encode()
        )
        assert line.recv(100).startswith(b"HTTP/1.1 200")
    request = urllib.request.Request(f"{live_server.url}/transformations/{whole}/download")
    request.add_header("Cookie", f"session={me.token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert len(answer.read()) == 200_000
    wait_until(lambda: backstage.find(whole).downloaded_at)  # it began later, so the broken one had its chance
    assert backstage.find(broken).downloaded_at is None
