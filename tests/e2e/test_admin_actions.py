"""An admin reads the audit log, checks its chain and takes it along; with scripts and without, on a phone too."""

from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.backstage import Backstage
from tests.e2e.conftest import Visit
from tests.e2e.journey import Device


def test_the_log_is_read_checked_and_taken_along(visit: Visit, device: Device, backstage: Backstage) -> None:
    visitor = visit(device, person=backstage.admin())
    visitor.goto("/admin/actions")
    expect(visitor.heading).to_have_text("Audit")
    visitor.page.get_by_label("Who").select_option("seed")
    visitor.button("Show").click()
    row = visitor.page.get_by_role("row").filter(has_text="seed").last
    expect(row).to_contain_text("Imported")
    row.get_by_text("More").click()
    expect(row.get_by_text("Seal")).to_be_visible()
    visitor.button("Check now").click()
    expect(visitor.page.get_by_text("Chain verified up to act")).to_be_visible()
    expect(visitor.page.get_by_label("Who")).to_have_value("seed")
    with visitor.page.expect_download() as waiting:
        visitor.link("Download CSV").click()
    name, text = waiting.value.suggested_filename, Path(waiting.value.path()).read_text("utf-8-sig")
    assert (name[:15], name[-4:]) == ("pixshift-audit-", ".csv")
    assert all(",seed," in line for line in text.splitlines()[1:] if line[:1].isdigit())
    too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert visitor.page.evaluate(too_wide) <= 0
