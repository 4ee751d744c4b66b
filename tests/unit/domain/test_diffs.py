"""What changed between two prompts, sentence by sentence."""

import time

from pixshift.domain import diffs


def told(old: str, new: str) -> list[tuple[str, str]]:
    return [(line.kind, line.text) for line in diffs.lines(old, new)]


def test_what_is_the_same_gone_and_new_stands_in_reading_order() -> None:
    old = "Redraw this photo. Use bold lines. Add no text."
    new = "Redraw this photo. Use fine lines,\nand cross-hatch. Add no text."
    assert told(old, new) == [
        ("same", "Redraw this photo."),
        ("gone", "Use bold lines."),
        ("new", "Use fine lines,"),
        ("new", "and cross-hatch."),
        ("same", "Add no text."),
    ]


def test_the_same_prompt_has_no_difference_and_white_space_makes_none() -> None:
    assert told("One.  Two.\n", "One.\nTwo.") == [("same", "One."), ("same", "Two.")]


def test_from_nothing_and_to_nothing() -> None:
    assert told("", "New.") == [("new", "New.")]
    assert told("Old.", "") == [("gone", "Old.")]


def test_the_longest_prompt_of_the_shortest_sentences_is_quick() -> None:
    started = time.monotonic()
    lines = told("a. b. " * 1600, "b. a. c. " * 1066)
    assert time.monotonic() - started < 2
    assert "".join(text for kind, text in lines if kind != "new").replace(" ", "") == "a.b." * 1600
