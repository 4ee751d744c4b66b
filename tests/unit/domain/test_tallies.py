"""Sums of pictures, and when failures rise."""

from datetime import date
from decimal import Decimal

import pytest

from pixshift.domain.tallies import Day, Speed, Tally, is_rising


def test_tallies_add_up_field_by_field() -> None:
    one = Tally(made=3, failed=2, blocked=1, cancelled=1, lab=4, cost=Decimal("0.1"), captured=Decimal("0.99"))
    two = Tally(made=1, lab_cost=Decimal("0.2"), refunded=Decimal("0.99"))
    assert one + two == Tally(4, 2, 1, 1, 4, Decimal("0.1"), Decimal("0.2"), Decimal("0.99"), Decimal("0.99"))
    assert sum([one, two], Tally()) == one + two


def test_shares_and_money_of_a_picture() -> None:
    tally = Tally(made=8, failed=2, blocked=1, cancelled=5, cost=Decimal("0.4"), captured=Decimal("3.96"),
                  refunded=Decimal("0.99"))  # fmt: skip
    assert (tally.tried, tally.ended) == (10, 15)
    assert (tally.failed_share, tally.blocked_share) == (0.2, 0.1)
    assert tally.income == Decimal("2.97")
    assert tally.picture_cost == Decimal("0.05")
    assert tally.margin == Decimal("0.32125")


def test_of_nothing_there_are_no_shares() -> None:
    nothing = Tally()
    assert [nothing.failed_share, nothing.blocked_share, nothing.picture_cost, nothing.margin] == [None] * 4
    assert (Day(date(2026, 1, 1)).tally, Day(date(2026, 1, 1)).speed) == (nothing, Speed())


def test_what_is_counted_by_a_key_comes_with_the_largest_first() -> None:
    day = Day(date(2026, 1, 1), counts={("a", "x"): Decimal(1), ("a", "z"): Decimal(3), ("b", "x"): Decimal(9)})
    assert list(day.keyed("a").items()) == [("z", 3), ("x", 1)]
    assert (day.count("a", "z"), day.count("c", "z")) == (3, 0)


@pytest.mark.parametrize(
    ("made", "failed", "normal_made", "normal_failed", "rises"),
    [
        (309, 31, 977, 23, True),  # 9.1 %, normally 2.3 %
        (977, 23, 977, 23, False),
        (970, 30, 977, 23, False),  # a little more is chance
        (4, 4, 977, 23, False),  # too few to say
        (5, 5, 977, 23, True),
        (95, 5, 1000, 0, True),  # never failed before
        (995, 5, 1000, 0, False),
        (15, 5, 0, 0, True),  # nothing to compare with: a quarter
        (16, 5, 0, 0, False),
        (50, 50, 50, 50, False),  # it always fails
        (0, 0, 977, 23, False),
    ],
)  # fmt: skip
def test_failures_rise_when_chance_does_not_explain_them(
    made: int, failed: int, normal_made: int, normal_failed: int, rises: bool
) -> None:
    assert is_rising(Tally(made, failed), Tally(normal_made, normal_failed)) is rises
