"""Names of styles: which are the same, which characters none may hold, and what is kept of one for good."""

import pytest

from pixshift.domain import styles


@pytest.mark.parametrize("other", ["engraving", " ENGRAVING ", "Ｅngraving", "Engraving\u00a0"])
def test_names_that_people_take_for_the_same(other: str) -> None:
    assert styles.same_name(other) == styles.same_name("Engraving")
    assert styles.same_name(other) != styles.same_name("Engravings")


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("plain", None),
        ("Öl, 水彩, 👩‍🎨", None),
        ("a\u0000", "U+0000"),
        ("a\u0085", "U+0085"),
        ("a\u202eb", "U+202E"),
        ("a\u2028b", "U+2028"),
        ("two\nlines", "U+000A"),
    ],
)
def test_characters_that_no_name_holds(text: str, odd: str | None) -> None:
    assert styles.odd_character(text, lines=False) == odd


def test_a_prompt_may_have_lines_and_tabs_but_no_bell() -> None:
    assert styles.odd_character("one\n\ttwo", lines=True) is None
    assert styles.odd_character("one\r\ntwo", lines=True) == "U+000D"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Oil painting", "oil-painting"),
        ("Öl & Wachs!", "ol-wachs"),
        ("水彩", "style"),
        ("x" * 80, "x" * 35),
        ("--", "style"),
    ],
)
def test_a_slug_is_plain(name: str, slug: str) -> None:
    assert styles.slug(name, set()) == slug


def test_a_slug_is_its_own_and_never_longer_than_its_column() -> None:
    taken: set[str] = set()
    for _ in range(200):
        taken.add(styles.slug("x" * 80, taken))
    assert len(taken) == 200
    assert max(map(len, taken)) <= styles.SLUG_LENGTH
