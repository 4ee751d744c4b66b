"""The first page of the desk in a browser: decisions lead somewhere, charts are tables too, with no script either."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.backstage import Backstage
from tests.e2e.conftest import Visit
from tests.e2e.journey import BARE_PHONE, DESKTOP, Device
from tests.e2e.test_pages import AUDIT

# The desk has its head within its frame; a drawing has a title too.
DESK_AUDIT = AUDIT.replace("'body > header', 'body > footer', ", "").replace("'title'", "'head > title'")
# Words of charts at their size on the screen, and what of a chart lies outside of its card.
LOOK = """() => [...document.querySelectorAll('.plot')].flatMap((plot) => {
  const card = plot.getBoundingClientRect(), faults = []
  plot.querySelectorAll('svg text').forEach((word) => {
    const box = word.getBoundingClientRect()
    if (box.left < card.left || box.right > card.right) faults.push(`${plot.id}: ${word.textContent} is outside`)
    if (box.height < 11) faults.push(`${plot.id}: ${word.textContent} is ${box.height} px high`)
  })
  return faults
})"""


def test_an_admin_sees_what_needs_a_decision_and_reads_the_charts(
    visit: Visit, backstage: Backstage, device: Device
) -> None:
    owner = backstage.person()
    for _ in range(25):
        backstage.job(owner.id, "failed")
    visitor = visit(device, person=backstage.admin(), color_scheme="dark" if device.phone else "light")
    page = visitor.page
    visitor.goto("/admin")
    expect(visitor.heading).to_have_text(re.compile(r"^\d+ things? needs? a decision$"))
    expect(page.get_by_text("Pictures today")).to_be_visible()
    assert page.evaluate(DESK_AUDIT, visitor.device.phone) == []
    assert page.evaluate(LOOK) == []
    drawn = page.get_by_role("img", name="Pictures per day")
    expect(drawn).to_be_visible()
    expect(drawn.locator("rect.bar").first).to_be_visible()
    plot = page.locator("figure#pictures")
    expect(plot.get_by_role("table")).to_be_hidden()
    plot.get_by_text("As a table").click()
    expect(plot.get_by_role("row")).to_have_count(31)
    page.get_by_role("link", name="90 days").click()
    expect(page.get_by_role("heading", name="The last 90 days")).to_be_visible()
    assert page.evaluate(LOOK) == []
    page.get_by_role("link", name="Look at failures: Engraving").click()
    expect(page).to_have_url(re.compile(r"/admin/transformations\?.*status=FAILED"))
    expect(page.get_by_role("cell", name="Engraving").first).to_be_visible()


@pytest.mark.parametrize("device", [DESKTOP, BARE_PHONE], ids=["scripts", "no-scripts"])
def test_a_new_product_has_a_calm_first_page(visit: Visit, backstage: Backstage, device: Device) -> None:
    visitor = visit(device, person=backstage.admin(), viewport={"width": 360, "height": 740})
    visitor.goto("/admin?days=7")
    expect(visitor.page.get_by_role("heading", name="Styles today")).to_be_visible()
    assert visitor.page.evaluate(DESK_AUDIT, True) == []
    assert visitor.page.evaluate(LOOK) == []
