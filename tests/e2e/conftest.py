"""The whole product in a process of its own, and a real Chromium in front of it."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from tests import servers
from tests.e2e.backstage import Backstage, Person
from tests.e2e.journey import BARE_PHONE, DESKTOP, Device, Visitor
from tests.stand_ins.gemini import GeminiStandIn
from tests.stand_ins.twilio import ACCOUNT, NUMBER, TOKEN, TwilioStandIn

# The first three for containers and virtual machines, the others so that the browser calls nobody but the product.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SMALL_SCREEN = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
LARGE_SCREEN = {"viewport": {"width": 1280, "height": 800}}

StartProduct = Callable[..., servers.Product]
ContextFactory = Callable[..., BrowserContext]
Visit = Callable[..., Visitor]

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Product]:
    """The product as `make run` gives it (SQLite, no Redis), shared: who changes or stops it uses start_product."""
    with servers.product(tmp_path_factory.mktemp("live"), {"PIXSHIFT_ENV": "development"}) as running:
        yield running


@pytest.fixture
def start_product(tmp_path: Path) -> Iterator[StartProduct]:
    """Starts a product for this test alone: ``start_product(DATABASE_URL=…, REDIS_URL=…)``."""
    with ExitStack() as stack:

        def start(**env: str) -> servers.Product:
            return stack.enter_context(servers.product(tmp_path / "instance", {"PIXSHIFT_ENV": "development"} | env))

        yield start


def chromium_path(playwright: Playwright) -> str:
    """$CHROMIUM, else the one on PATH, else Playwright's own."""
    wanted = os.environ.get("CHROMIUM") or "chromium"
    if path := shutil.which(wanted):
        return path
    own = playwright.chromium.executable_path
    if "CHROMIUM" in os.environ or not Path(own).exists():
        raise RuntimeError(f"No browser to test with: there is no {wanted}; install Chromium or run `make test-e2e`")
    return own


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(playwright), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context_factory(chromium: Browser) -> Iterator[ContextFactory]:
    """Opens a browser window with cookies of its own: ``context_factory(scripts=False, phone=True, base_url=…)``."""
    opened: list[BrowserContext] = []

    def open_context(scripts: bool = True, phone: bool = False, **options: Any) -> BrowserContext:
        options = (SMALL_SCREEN if phone else LARGE_SCREEN) | options
        opened.append(chromium.new_context(java_script_enabled=scripts, **options))
        opened[-1].set_default_timeout(10_000)
        return opened[-1]

    yield open_context
    for context in opened:
        context.close()


@dataclass(frozen=True)
class Vendors:
    """A product that talks to stand-ins of Gemini and Twilio, with one worker thread."""

    product: servers.Product
    gemini: GeminiStandIn
    twilio: TwilioStandIn


@pytest.fixture(scope="session")
def _vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendors]:
    with GeminiStandIn() as gemini, TwilioStandIn() as twilio:
        env = {
            "PIXSHIFT_ENV": "development",
            "WORKER_CONCURRENCY": "1",
            "GEMINI_API_KEY": "test",
            "GEMINI_ENDPOINT": gemini.url,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_PHONE_NUMBER": NUMBER,
            "TWILIO_API_BASE": twilio.url,
        }
        with servers.product(tmp_path_factory.mktemp("vendors"), env) as running:
            yield Vendors(running, gemini, twilio)


@pytest.fixture
def vendors(_vendors: Vendors) -> Iterator[Vendors]:
    """In good mood at first, and let go of at the end."""
    _vendors.gemini.reset()
    _vendors.twilio.reset()
    yield _vendors
    if _vendors.gemini.gate is not None:
        _vendors.gemini.gate.set()
    _vendors.gemini.gate = _vendors.gemini.result = None


@pytest.fixture
def gate(vendors: Vendors) -> threading.Event:
    """While it is not set, Gemini's stand-in answers nobody."""
    vendors.gemini.gate = threading.Event()
    return vendors.gemini.gate


@pytest.fixture(params=[DESKTOP, BARE_PHONE], ids=lambda device: device.name.replace(" ", "-"))
def device(request: pytest.FixtureRequest) -> Device:
    """Runs the test twice: with scripts, and without on a phone."""
    return cast(Device, request.param)


@pytest.fixture
def visit(context_factory: ContextFactory, live_server: servers.Product) -> Iterator[Visit]:
    """Opens a window: ``visit(device, product, person)``; at the end nothing may have gone wrong behind the scenes."""
    visitors: list[Visitor] = []

    def open_window(
        device: Device = DESKTOP, product: servers.Product = live_server, person: Person | None = None, **options: Any
    ) -> Visitor:
        context = context_factory(scripts=device.scripts, phone=device.phone, base_url=product.url, **options)
        visitors.append(Visitor(context, product, device))
        if person is not None:
            visitors[-1].become(person)
        return visitors[-1]

    yield open_window
    for visitor in visitors:
        visitor.check()


@pytest.fixture
def backstage(live_server: servers.Product) -> Backstage:
    return Backstage(live_server)
