"""Odd and hostile files, more than 1,500 of them, each with the verdict it must get: always the same ones.

What they carry beside their pixels contains the canary, an address: it may neither be kept nor be asked for anything.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from tests.odd_files import bombs, building, cuts, kinds, lies, notes, strangers
from tests.odd_files.odd_file import OddFile

CANARY = b"http://127.0.0.1:9/px-canary"
MARK = b"px-canary"  # in every canary, wherever its address leads

_OURS = {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}  # all that a JPEG of the product's own encoding consists of

THEMES: dict[str, Callable[[bytes], Iterator[OddFile]]] = {
    "cut off": cuts.files,
    "flipped": cuts.flipped,
    "lying": lies.files,
    "costly": bombs.files,
    "of every kind": kinds.files,
    "with notes": notes.files,
    "disguised": strangers.files,
    "named oddly": strangers.names,
}


def files(canary: bytes = CANARY, themes: Iterable[str] = THEMES) -> Iterator[OddFile]:
    """All of these themes, one after the other; ``canary`` is an address that contains ``MARK``."""
    return chain.from_iterable(THEMES[theme](canary) for theme in themes)


def is_ours_alone(kept: bytes) -> bool:
    """Whether a picture that was kept is a JPEG of the product's own encoding, with nothing in it or behind it."""
    walked = list(building.segments(kept))
    is_bare = {marker for marker, _, _ in walked} <= _OURS and kept[walked[-1][2] :] == building.END
    return kept.startswith(b"\xff\xd8") and is_bare and MARK not in kept
