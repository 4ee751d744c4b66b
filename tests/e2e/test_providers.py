"""In with Google and with Facebook, in a browser: an OpenID provider in a process of its own, Facebook at the wire."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests import servers
from tests.e2e.conftest import ContextFactory
from tests.e2e.journey import Device, Visitor
from tests.stand_ins.facebook import FacebookStandIn

Enter = Callable[[Device], Visitor]
CLAIMS = '{"sub": "ann", "email": "ann@example.com", "email_verified": true}'


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    """The address of an OpenID provider with its own pages; anybody may be signed in as."""
    port = servers.free_port()
    script = Path(sys.executable).with_name("oidc-provider-mock")
    command = [str(script), "-H", "127.0.0.1", "-p", str(port), "-n", "true", "--user-claims", CLAIMS]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        servers.wait_until(lambda: servers.listens(port), 20, "the OpenID provider")
        yield f"http://127.0.0.1:{port}"
    finally:
        servers.end(process)


@pytest.fixture(scope="module")
def facebook() -> Iterator[FacebookStandIn]:
    with FacebookStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def site(google: str, facebook: FacebookStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Product]:
    env = {
        "PIXSHIFT_ENV": "development",
        "GOOGLE_CLIENT_ID": "pixshift",
        "GOOGLE_CLIENT_SECRET": "of-google",
        "GOOGLE_SERVER_METADATA_URL": f"{google}/.well-known/openid-configuration",
        **facebook.environ,
    }
    with servers.product(tmp_path_factory.mktemp("providers"), env) as running:
        yield running


@pytest.fixture
def enter(context_factory: ContextFactory, site: servers.Product) -> Enter:
    """A browser at the login page; what the provider's own pages would fetch from elsewhere is not fetched."""

    def open_window(device: Device) -> Visitor:
        context = context_factory(scripts=device.scripts, phone=device.phone, base_url=site.url)

        def stay(route: Route) -> None:
            if route.request.url.startswith("http://127.0.0.1:"):
                route.continue_()
            else:
                route.abort()

        context.route("**/*", stay)
        visitor = Visitor(context, site, device)
        visitor.goto("/login?next=/transformations")
        return visitor

    return open_window


def as_seen_by_oneself(visitor: Visitor) -> dict[str, object]:
    answer = visitor.context.request.get("/api/v1/auth/session")
    assert answer.status == 200
    return dict(answer.json()["user"])


def test_google_lets_in_and_back_to_where_one_was(enter: Enter, device: Device) -> None:
    people = set()
    for _ in range(2):
        visitor = enter(device)
        visitor.button("Continue with Google").click()
        visitor.button("ann").click()
        expect(visitor.heading).to_have_text("History")
        user = as_seen_by_oneself(visitor)
        assert user["email"] == "ann@example.com"
        people.add(user["id"])
    assert len(people) == 1


def test_who_says_no_at_google_is_told_what_to_do(enter: Enter, device: Device) -> None:
    visitor = enter(device)
    visitor.button("Continue with Google").click()
    visitor.button("Deny").click()
    expect(visitor.heading).to_have_text("Sign in")
    expect(visitor.page.get_by_role("alert")).to_contain_text("Google")
    expect(visitor.page).to_have_title(re.compile("^Error: "))
    assert visitor.context.request.get("/api/v1/auth/session").status == 401


def test_facebook_lets_in_and_back_to_where_one_was(enter: Enter, device: Device, facebook: FacebookStandIn) -> None:
    visitor = enter(device)
    visitor.button("Continue with Facebook").click()
    expect(visitor.heading).to_have_text("History")
    assert as_seen_by_oneself(visitor)["role"] == "GUEST"


def test_what_one_browser_began_lets_no_other_browser_in(enter: Enter, device: Device) -> None:
    mine, other = enter(device), enter(device)
    calls = mine.context.request
    token = calls.get("/api/v1/auth/csrf").json()["csrfToken"]
    begun = calls.post("/api/v1/auth/oauth/facebook", headers={"X-CSRFToken": token}, max_redirects=0)
    assert begun.status == 303
    back = calls.get(begun.headers["location"], max_redirects=0).headers["location"]

    other.refusals = mine.refusals = {400}
    other.page.goto(back)
    expect(other.page.get_by_role("alert")).to_contain_text("This sign-in was started elsewhere")
    assert other.context.request.get("/api/v1/auth/session").status == 401
    mine.page.goto(back)
    expect(mine.heading).to_have_text("History")
    mine.context.clear_cookies(name="session")
    mine.page.goto(back)  # once more
    expect(mine.page.get_by_role("alert")).to_contain_text("This sign-in was started elsewhere")


def test_a_number_can_go_on_where_a_provider_is_not_wanted(enter: Enter, device: Device) -> None:
    visitor = enter(device)
    expect(visitor.page.get_by_label("Mobile number")).to_be_visible()
    for name in ("Continue with Google", "Continue with Facebook"):
        expect(visitor.button(name)).to_be_visible()
