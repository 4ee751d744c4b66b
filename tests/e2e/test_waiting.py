"""While a picture is made: what the page shows, how it asks, and how it ends when there is no picture."""

import re
import threading

import pytest
from playwright.sync_api import expect

from pixshift.domain.lifecycle import Status
from tests.e2e.conftest import Vendors, Visit
from tests.e2e.journey import BARE_PHONE, DESKTOP, READY, Device, Visitor, spaced
from tests.servers import wait_until

FAILED = "No picture this time."
STATUS = ".*/status"


def arrive(visit: Visit, device: Device, vendors: Vendors) -> Visitor:
    visitor = visit(device, vendors.product)
    visitor.become(visitor.backstage.person())
    return visitor


def test_a_declined_photo_costs_nothing_and_can_go_on(visit: Visit, device: Device, vendors: Vendors) -> None:
    vendors.gemini.mood = "block:SAFETY"
    visitor = arrive(visit, device, vendors)
    job = visitor.make()
    visitor.watch_until(FAILED)
    main = visitor.page.get_by_role("main")
    expect(main).to_contain_text("The model declined this photo with this style. Try another photo or another style.")
    expect(main).to_contain_text("You were not charged.")
    expect(main).to_contain_text("Your free picture is given back.")
    expect(visitor.page).to_have_title("No picture this time · PixShift")
    expect(visitor.page.get_by_alt_text("Your photo", exact=True)).to_be_visible()
    assert visitor.backstage.free_used(visitor.person.id) == 0
    assert vendors.gemini.calls == 1  # a judgement is not asked for twice

    visitor.link("Choose another style").click()
    expect(visitor.heading).to_have_text("Choose a style")
    expect(main).to_contain_text("Free, your 1st of 5")
    visitor.goto(f"/transformations/{job}")
    vendors.gemini.mood = "ok"
    visitor.button("Try this style again").click()
    visitor.watch_until(READY)
    assert visitor.job_id != job
    assert visitor.backstage.free_used(visitor.person.id) == 1


def test_what_waits_shows_its_place_and_can_be_cancelled(
    visit: Visit, device: Device, vendors: Vendors, gate: threading.Event
) -> None:
    visitor = arrive(visit, device, vendors)
    visitor.order(visitor.backstage.person())
    wait_until(lambda: vendors.gemini.in_flight == 1, 20, "the first job at work")
    second = visitor.order(visitor.backstage.person())
    visitor.make()
    visitor.watch_until("Waiting, 1 ahead of you.")
    expect(visitor.page.get_by_text("Free while it waits.")).to_be_visible()

    visitor.button("Cancel").click()
    expect(visitor.heading).to_have_text("Cancelled.")
    expect(visitor.page.get_by_text("You were not charged.")).to_be_visible()
    expect(visitor.page).to_have_title("Cancelled · PixShift")
    assert visitor.backstage.free_used(visitor.person.id) == 0
    gate.set()
    wait_until(lambda: visitor.backstage.find(second).status is Status.COMPLETED, 30, "the second picture")
    assert vendors.gemini.calls == 2
    visitor.link("Choose another style").click()
    expect(visitor.heading).to_have_text("Choose a style")


def test_cancelling_too_late_is_said(visit: Visit, vendors: Vendors, gate: threading.Event) -> None:
    visitor = arrive(visit, BARE_PHONE, vendors)
    visitor.order(visitor.backstage.person())
    wait_until(lambda: vendors.gemini.in_flight == 1, 20, "the first job at work")
    job = visitor.make()
    gate.set()
    wait_until(lambda: visitor.backstage.find(job).status is Status.COMPLETED, 30, "the picture")
    visitor.refusals = {400}
    visitor.button("Cancel").click()
    expect(visitor.heading).to_contain_text("Too late to cancel")
    visitor.goto(f"/transformations/{job}")
    expect(visitor.heading).to_have_text(spaced(READY))


def poll(visitor: Visitor) -> int:
    """Let the page ask once; returns the status of the answer."""
    with visitor.page.expect_response(re.compile("/status$")) as answered:
        visitor.page.clock.run_for(6_000)
    answered.value.finished()
    return answered.value.status


def test_the_card_follows_the_job_by_itself_and_stops_at_its_end(
    visit: Visit, vendors: Vendors, gate: threading.Event
) -> None:
    visitor = arrive(visit, DESKTOP, vendors)
    page, live = visitor.page, visitor.page.locator("#live")
    page.clock.install()
    job = visitor.make()
    page.evaluate("window.sameDocument = true")
    wait_until(lambda: visitor.backstage.find(job).status is Status.PROCESSING, 20, "work")
    assert poll(visitor) == 200
    expect(visitor.heading).to_have_text(spaced("Your picture is developing."))
    expect(visitor.button("Cancel")).to_have_count(0)
    photos = visitor.count("GET", "/pictures/photo/.*")
    for _ in range(3):
        assert poll(visitor) == 200
    assert visitor.count("GET", "/pictures/photo/.*") == photos

    gate.set()
    wait_until(lambda: visitor.backstage.find(job).status is Status.COMPLETED, 20, "the picture")
    poll(visitor)
    expect(visitor.heading).to_have_text(spaced(READY))
    expect(visitor.heading).to_be_focused()
    expect(page).to_have_title("Your picture is ready · PixShift")
    expect(live).to_have_text("Your picture is ready")
    assert page.evaluate("window.sameDocument")
    page.wait_for_load_state("networkidle")  # what is under way would take the minute for its own delay
    polls = visitor.count("GET", STATUS)
    page.clock.run_for(60_000)
    page.evaluate("fetch('/healthz').then(answer => answer.text())")  # whatever was asked before has been seen by now
    assert visitor.count("GET", STATUS) == polls


@pytest.mark.parametrize("trouble", ["429", "500", "offline"])
def test_the_card_stays_when_an_answer_does_not_come_and_goes_on_later(
    visit: Visit, vendors: Vendors, gate: threading.Event, trouble: str
) -> None:
    visitor = arrive(visit, DESKTOP, vendors)
    page = visitor.page
    page.clock.install()
    job = visitor.make()
    wait_until(lambda: visitor.backstage.find(job).status is Status.PROCESSING, 20, "work")
    poll(visitor)
    expect(visitor.heading).to_have_text(spaced("Your picture is developing."))
    before = visitor.page.get_by_role("main").inner_text()
    visitor.refusals = {429, 500}
    visitor.forgive("net::ERR_")
    visitor.forgive("Failed to fetch")
    trials: list[str] = []

    def spoil(route) -> None:  # type: ignore[no-untyped-def]
        trials.append(route.request.url)
        if trouble == "offline":
            route.abort("internetdisconnected")
        else:
            route.fulfill(status=int(trouble), body="<h1>No</h1>", content_type="text/html")

    page.route(re.compile("/status$"), spoil)
    for _ in range(10):
        page.clock.run_for(3_000)
    wait_until(lambda: page.evaluate("1") and len(trials) >= 2, 10, "two more questions")
    page.unroute(re.compile("/status$"))
    assert visitor.page.get_by_role("main").inner_text() == before

    gate.set()
    wait_until(lambda: visitor.backstage.find(job).status is Status.COMPLETED, 20, "the picture")
    page.clock.run_for(6_000)
    expect(visitor.heading).to_have_text(spaced(READY))
