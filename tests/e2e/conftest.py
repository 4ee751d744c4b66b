"""The whole product in a process of its own, and a real Chromium in front of it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from tests import servers

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
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}

StartProduct = Callable[..., servers.Product]
ContextFactory = Callable[..., BrowserContext]


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
        options = (PHONE if phone else DESKTOP) | options
        opened.append(chromium.new_context(java_script_enabled=scripts, **options))
        opened[-1].set_default_timeout(10_000)
        return opened[-1]

    yield open_context
    for context in opened:
        context.close()
