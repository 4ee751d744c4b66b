"""What changed between two wordings, sentence by sentence."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_BREAK = re.compile(r"(?<=[.!?;:])\s+|\s*\n\s*")
MOST_PARTS = 300  # comparing takes their product; what comes after is compared in one piece

Kind = Literal["same", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence: in both wordings, only in the older, or only in the newer."""

    kind: Kind
    text: str


def lines(old: str, new: str) -> list[Line]:
    """Both wordings in one list, what is gone before what is new in its place."""
    before, after = _sentences(old), _sentences(new)
    found: list[Line] = []
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Line("same", text) for text in before[a1:a2]]
            continue
        found += [Line("gone", text) for text in before[a1:a2]]
        found += [Line("new", text) for text in after[b1:b2]]
    return found


def _sentences(text: str) -> list[str]:
    parts = [part for part in _BREAK.split(text.strip()) if part]
    if len(parts) > MOST_PARTS:
        return [*parts[: MOST_PARTS - 1], " ".join(parts[MOST_PARTS - 1 :])]
    return parts
