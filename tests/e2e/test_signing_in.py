"""In and out: by SMS, from any page and back to it, and when a session ends in the middle of something."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.backstage import Backstage, phone
from tests.e2e.conftest import Vendors, Visit
from tests.e2e.journey import BARE_PHONE, DESKTOP, Device, Visitor, described, spaced
from tests.servers import wait_until


def sign_in_by_sms(visitor: Visitor, vendors: Vendors, number: str) -> None:
    before = len(vendors.twilio.messages)
    visitor.ask_for_code(number)
    expect(visitor.heading).to_have_text("Enter your code")
    assert len(vendors.twilio.messages) == before + 1
    visitor.enter_code(vendors.twilio.code_for(number))


def test_a_code_comes_by_sms_and_lets_in(visit: Visit, device: Device, vendors: Vendors) -> None:
    visitor, number = visit(device, vendors.product), phone()
    visitor.goto("/login")
    sign_in_by_sms(visitor, vendors, number)
    expect(visitor.heading).to_have_text("What shall we make?")
    (message,) = vendors.twilio.messages
    code = vendors.twilio.code_for(number)
    first, last = message["Body"].splitlines()[0], message["Body"].splitlines()[-1]
    assert first == f"PixShift code: {code}. Valid for 5 minutes. Tell it to nobody."
    assert last == f"@127.0.0.1 #{code}"  # phones fill it in by this line

    visitor.goto("/profile")
    expect(visitor.page.get_by_text(f"+1 ••• ••• {number[-4:]}").first).to_be_visible()
    visitor.button(re.compile("^Sign out$")).click()
    expect(visitor.heading).to_contain_text("Watch your photo")
    visitor.goto("/profile")
    expect(visitor.heading).to_have_text("Sign in")


def test_the_code_is_not_on_the_page_when_it_was_sent(visit: Visit, vendors: Vendors) -> None:
    visitor, number = visit(DESKTOP, vendors.product), phone()
    visitor.goto("/login")
    visitor.ask_for_code(number)
    expect(visitor.heading).to_have_text("Enter your code")
    code = vendors.twilio.code_for(number)
    assert code not in visitor.page.content()
    assert number not in visitor.page.content()
    assert not [cookie for cookie in visitor.context.cookies() if code in cookie["value"]]


def test_an_sms_that_fails_is_said_and_its_code_is_worth_nothing(
    visit: Visit, device: Device, vendors: Vendors
) -> None:
    visitor, number = visit(device, vendors.product), phone()
    vendors.twilio.mood = "500"
    visitor.refusals = {502}
    visitor.goto("/login")
    visitor.ask_for_code(number)
    alert = visitor.page.get_by_role("alert")
    expect(alert).to_contain_text(re.compile("SMS|code|message"))
    expect(alert).to_contain_text(re.compile("try again|another number|ask again", re.IGNORECASE))
    expect(visitor.page).to_have_title(re.compile("^Error: "))
    expect(visitor.page.get_by_label("Mobile number")).to_have_value(number)

    fields = parse_qs(vendors.twilio.requests[-1].body.decode())
    found = re.search(r"code: (\d{6})", fields["Body"][0])
    assert found
    visitor.goto("/login/code")
    expect(visitor.heading).to_have_text("Sign in")  # there is nowhere to enter it
    token = visitor.context.request.get("/api/v1/auth/csrf").json()["csrfToken"]
    answer = visitor.context.request.post(
        "/api/v1/auth/sms/verify-otp", data={"phone": number, "otp": found[1]}, headers={"X-CSRFToken": token}
    )
    assert answer.status == 401


def test_a_number_that_gets_no_code_is_refused_at_its_field(visit: Visit, device: Device) -> None:
    visitor = visit(device)
    visitor.refusals = {400}
    visitor.goto("/login")
    for number, words in {"12": "That number does not exist", "+4930123456": "That is not a mobile number"}.items():
        visitor.ask_for_code(number)
        field = visitor.page.get_by_label("Mobile number")
        expect(visitor.page.get_by_role("alert")).to_contain_text(words)
        expect(field).to_have_value(number)
        assert words in described(field)


# --- from any page and back -----------------------------------------------------------------------------------------


def landed(visitor: Visitor) -> str:
    address = urlsplit(visitor.page.url)
    return address.path + (f"?{address.query}" if address.query else "")


def test_every_page_of_ones_own_asks_for_a_sign_in_and_comes_back(
    visit: Visit, device: Device, backstage: Backstage
) -> None:
    me = backstage.person()
    photo = backstage.photo(me.id)
    job = backstage.job(me.id, "ready", photo)
    pages = [
        "/dashboard",
        "/transform",
        f"/transform?photo={photo}&style={backstage.style()}",
        "/transformations",
        "/transformations?status=ready&page=1",
        "/profile",
        f"/transformations/{job}",
    ]
    files = [f"/transformations/{job}/download", f"/transformations/{job}/status", f"/pictures/photo/{photo}"]
    stranger = visit(device)
    for page in pages + files:
        stranger.goto(page)
        assert urlsplit(stranger.page.url).path == "/login"
        assert parse_qs(urlsplit(stranger.page.url).query)["next"] == [page]
        expect(stranger.heading).to_have_text("Sign in")

    stranger.goto(pages[-1])
    stranger.sign_in(me.phone)
    expect(stranger.heading).to_have_text(spaced("Your picture is ready."))
    assert landed(stranger) == pages[-1]
    for page in pages:  # who is signed in already is sent on at once
        stranger.goto(f"/login?{_query(page)}")
        assert landed(stranger) == page


def _query(page: str) -> str:
    return urlencode({"next": page})


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(visit: Visit, backstage: Backstage, target: str) -> None:
    visitor = visit(DESKTOP, person=backstage.person())
    visitor.goto(f"/login?{_query(target)}")
    assert landed(visitor) == "/dashboard"


def test_another_persons_pages_do_not_exist(visit: Visit, backstage: Backstage) -> None:
    job = backstage.job(backstage.person().id)
    visitor = visit(BARE_PHONE, person=backstage.person())
    for page in (f"/transformations/{job}", f"/transformations/{job}/download", f"/transformations/{job}/status"):
        visitor.goto(page, status=404)
        expect(visitor.heading).to_have_text("We do not know this picture.")


# --- a session that ends in the middle of something -----------------------------------------------------------------


def test_a_session_that_ends_while_watching_leads_back_to_the_picture(
    visit: Visit, device: Device, vendors: Vendors
) -> None:
    """With scripts the next question of the card does, without the next click."""
    visitor = visit(device, vendors.product)
    me = visitor.backstage.person()
    job = visitor.backstage.job(me.id, "making")
    visitor.become(me)
    visitor.goto(f"/transformations/{job}")
    visitor.backstage.end_sessions(me.id)
    if not visitor.scripts:
        visitor.link("Check progress").click()
    expect(visitor.heading).to_have_text("Sign in")
    expect(visitor.page.get_by_text("Your sign-in has ended. Please sign in again.")).to_be_visible()
    sign_in_by_sms(visitor, vendors, me.phone)
    expect(visitor.heading).to_have_text(spaced("Your picture is developing."))
    assert landed(visitor) == f"/transformations/{job}"


def test_a_session_that_ends_before_a_form_is_sent_leads_back_to_the_form(
    visit: Visit, device: Device, vendors: Vendors
) -> None:
    visitor = visit(device, vendors.product)
    me = visitor.backstage.person()
    photo, style = visitor.backstage.photo(me.id), visitor.backstage.style("linocut")
    visitor.become(me)
    visitor.goto(f"/transform?photo={photo}&style={style}")
    visitor.backstage.end_sessions(me.id)
    visitor.button(re.compile("^Make it")).click()
    expect(visitor.heading).to_have_text("Sign in")
    sign_in_by_sms(visitor, vendors, me.phone)
    expect(visitor.heading).to_have_text("Choose a style")
    assert landed(visitor) == f"/transform?photo={photo}&style={style}"
    visitor.press_make()
    wait_until(lambda: vendors.gemini.calls == 1, 20, "the picture")
