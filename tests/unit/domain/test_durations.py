"""Spans as people say them."""

from datetime import timedelta

import pytest

from pixshift.domain.durations import span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"), (40, "40 s"), (60, "1 min"), (1560, "26 min"), (6720, "1 h 52 min"), (7200, "2 h 0 min"),
        (172_799, "47 h 59 min"), (172_800, "2 days"), (864_000, "10 days"),
    ],
)  # fmt: skip
def test_a_span_has_the_unit_that_says_enough(seconds: int, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text
