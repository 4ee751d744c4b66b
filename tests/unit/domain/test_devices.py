"""What a browser says of itself, and what people call it."""

import pytest

from pixshift.domain import devices

WEBKIT, APPLE = "AppleWebKit/537.36 (KHTML, like Gecko)", "AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)"
NAMES = [
    (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
    (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/131.0.0.0 Safari/537.36", "Chrome on Linux"),
    (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/131.0.0.0 Safari/537.36", "Chrome on Chromebook"),
    (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36 Edg/131.0", "Edge on Windows"),
    (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/130.0 Safari/537.36 OPR/115.0", "Opera on Windows"),
    (
        f"Mozilla/5.0 (Linux; Android 13; SM-S908B) {WEBKIT} SamsungBrowser/27.0 Chrome/125.0 Mobile Safari/537.36",
        "Samsung Internet on Android",
    ),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox on Windows"),
    ("Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0", "Firefox on Android"),
    (f"{IPHONE} {APPLE} Version/18.1 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
    (f"{IPHONE} {APPLE} CriOS/131.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
    (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/18.1 Safari/605.1.15", "Safari on Mac"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "A browser on Windows"),
    ("curl/8.5.0", "A program"),
    ("python-requests/2.32.3", "A program"),
    ("Werkzeug/3.1.3", "A program"),
    ("Mozilla/5.0", "A browser"),
    ("x" * 500, "A browser"),
    ("<script>alert(1)</script>", "A browser"),
    ("", "A browser"),
    (None, "A browser"),
]


@pytest.mark.parametrize(("user_agent", "name"), NAMES)
def test_a_browser_is_called_what_people_call_it(user_agent: str | None, name: str) -> None:
    assert devices.name(user_agent) == name


@pytest.mark.parametrize("name", sorted({name for _, name in NAMES}))
def test_a_name_stays_what_it_is(name: str) -> None:
    assert devices.name(name) == name
    assert len(name) <= 80
