"""What people call the thing they signed in with, from what it says of itself."""

import re

UNKNOWN, PROGRAM = "A browser", "A program"
# The first that is found counts: most browsers also claim to be the ones below them.
_BROWSERS = (
    (re.compile(r"Edg(e|A|iOS)?\b"), "Edge"),
    (re.compile(r"OPR\b|Opera\b"), "Opera"),
    (re.compile(r"SamsungBrowser\b|Samsung Internet\b"), "Samsung Internet"),
    (re.compile(r"(Firefox|FxiOS)\b"), "Firefox"),
    (re.compile(r"(Headless)?Chrom(e|ium)\b|CriOS\b"), "Chrome"),
    (re.compile(r"Safari\b"), "Safari"),
)
_SYSTEMS = (
    (re.compile(r"iPhone\b"), "iPhone"),
    (re.compile(r"iPad\b"), "iPad"),
    (re.compile(r"Android\b"), "Android"),
    (re.compile(r"Windows\b"), "Windows"),
    (re.compile(r"CrOS\b|Chromebook\b"), "Chromebook"),
    (re.compile(r"Macintosh\b|Mac\b"), "Mac"),
    (re.compile(r"Linux\b"), "Linux"),
)
_PRODUCT = re.compile(r"(?!Mozilla/)[A-Za-z][\w.+-]*/\d")  # curl/8.5.0


def name(user_agent: str | None) -> str:
    """``Chrome on Android``; a name that was made here is its own name."""
    text = (user_agent or "")[:512]
    browser = next((word for pattern, word in _BROWSERS if pattern.search(text)), None)
    system = next((word for pattern, word in _SYSTEMS if pattern.search(text)), None)
    if browser and system:
        return f"{browser} on {system}"
    if browser:
        return browser
    if text == PROGRAM or _PRODUCT.match(text):
        return PROGRAM
    return f"{UNKNOWN} on {system}" if system else UNKNOWN
