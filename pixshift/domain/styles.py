"""What a style may be called and ask for, and the name it keeps for good."""

import re
import unicodedata

NAME_LENGTH = 80
DESCRIPTION_LENGTH = 500
PROMPT_SHORTEST, PROMPT_LENGTH = 10, 8000
REASON_LENGTH = 200
POSITION_STEP, LAST_POSITION = 10, 100_000
SLUG_LENGTH = 40
# Control characters, halves of characters, and what turns the reading direction round; not what joins emoji.
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def odd_character(text: str, *, lines: bool) -> str | None:
    """The first character that no style's text may hold, as U+0007; ``lines``: line breaks and tabs are fine."""
    for letter in text:
        is_odd = unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNS
        if is_odd and not (lines and letter in "\n\t"):
            return f"U+{ord(letter):04X}"
    return None


def same_name(name: str) -> str:
    """What two names have in common that people would take for the same."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


def slug(name: str, taken: set[str]) -> str:
    """Plain letters of the name, with a number when another style has them: ``oil-painting-2``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: SLUG_LENGTH - 5].strip("-") or "style"
    number, found = 1, base
    while found in taken:
        number += 1
        found = f"{base}-{number}"
    return found
