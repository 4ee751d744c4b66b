"""One's own account in a browser: another number, other devices, a copy to take away, and the end."""

import io
import re
import zipfile

from playwright.sync_api import expect

from tests.e2e.backstage import Backstage, phone
from tests.e2e.conftest import Visit
from tests.e2e.journey import Device
from tests.servers import wait_until


def test_another_number_is_proved_by_a_code_before_it_counts(
    visit: Visit, device: Device, backstage: Backstage
) -> None:
    me, number = backstage.person(), phone()
    visitor = visit(device, person=me)
    visitor.goto("/profile")
    visitor.link(re.compile("^Change")).click()
    visitor.ask_for_code(number)
    code = visitor.shown_code()
    field, change = visitor.page.get_by_label("Six-digit code"), visitor.button("Change my number")
    visitor.refusals = {401}
    field.fill("000000" if code != "000000" else "111111")
    change.click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("That code is not right.")
    field.fill(code)
    change.click()
    expect(visitor.page.get_by_role("status").first).to_contain_text("Your number is changed.")
    expect(visitor.page.get_by_text(number[-4:]).first).to_be_visible()


def test_signing_out_everywhere_ends_what_another_browser_has_open(
    visit: Visit, device: Device, backstage: Backstage
) -> None:
    me = backstage.person()
    lost, kept = visit(device, person=me), visit(device, person=backstage.again(me))
    lost.goto("/transformations")
    kept.goto("/profile")
    expect(kept.page.get_by_text("this one")).to_have_count(1)
    kept.button("Sign out everywhere").click()
    expect(kept.heading).to_have_text("Sign in")
    lost.goto("/transformations")
    expect(lost.heading).to_have_text("Sign in")
    expect(lost.page.get_by_text("Your sign-in has ended")).to_be_visible()


def test_a_copy_of_everything_is_made_and_taken_away(visit: Visit, device: Device, backstage: Backstage) -> None:
    me = backstage.person()
    job = backstage.job(me.id, "ready")
    visitor = visit(device, person=me)
    visitor.goto("/profile")
    visitor.button("Make a copy").click()
    download = visitor.link("Download your copy")

    def is_offered() -> bool:
        visitor.goto("/profile")
        return download.count() == 1

    wait_until(is_offered, 60, "the copy")
    answer = visitor.context.request.get(str(download.get_attribute("href")))
    assert answer.status == 200
    with zipfile.ZipFile(io.BytesIO(answer.body())) as copy:
        assert "account.json" in copy.namelist()
        assert any(str(job) in name for name in copy.namelist())


def test_an_account_is_erased_by_typing_the_word(visit: Visit, device: Device, backstage: Backstage) -> None:
    me = backstage.person()
    backstage.job(me.id, "ready")
    visitor = visit(device, person=me)
    visitor.goto("/profile")
    visitor.link("Erase my account").click()
    visitor.refusals = {400}
    word, erase = visitor.page.locator("input[name=confirm]"), visitor.button("Erase my account")
    word.fill("yes")
    erase.click()
    expect(visitor.page.get_by_role("alert")).to_be_visible()
    word.fill("erase")
    erase.click()
    expect(visitor.heading).to_have_text("Your account is erased")
    visitor.goto("/profile")
    expect(visitor.heading).to_have_text("Sign in")
