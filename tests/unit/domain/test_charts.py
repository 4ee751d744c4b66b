"""Charts are sound for any number of points and any values: round frames, nothing outside, no NaN."""

import math
import random
import re

import pytest

from pixshift.domain import charts
from pixshift.domain.charts import Chart


def words(number: float) -> str:
    return f"{number:g}"


def numbers_of(chart: Chart) -> list[float]:
    found = [value for bar in chart.bars for value in (bar.x, bar.y, bar.width, bar.height)]
    for line in chart.lines:
        found += [float(word) for run in line.runs for word in re.split(r"[ ,]", run)]
        found += [value for dot in line.dots for value in dot] + [line.name.x, line.name.y]
    return found + [value for mark in (*chart.grid, *chart.labels) for value in (mark.x, mark.y)]


def assert_sound(chart: Chart) -> None:
    assert all(math.isfinite(value) for value in numbers_of(chart))
    assert 3 <= len(chart.grid) <= 6
    assert len({mark.y for mark in chart.grid}) == len(chart.grid)
    assert all(charts.TOP <= mark.y <= charts.BOTTOM for mark in chart.grid)
    for bar in chart.bars:
        assert bar.x >= charts.LEFT
        assert bar.x + bar.width <= charts.RIGHT
        assert bar.y >= charts.TOP - 1
        assert bar.y + bar.height <= charts.BOTTOM + 1.01
        assert bar.width > 0
        assert bar.height > 0
    for line in chart.lines:
        assert all(charts.LEFT <= x <= chart.right and charts.TOP <= y <= charts.BOTTOM for x, y in line.dots)


@pytest.mark.parametrize(
    ("lowest", "highest", "expected"),
    [
        (0, 0, [0, 0.25, 0.5, 0.75, 1]),
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0, 100, [0, 25, 50, 75, 100]),
        (0, 101, [0, 50, 100, 150]),
        (0, 1054, [0, 500, 1000, 1500]),
        (0, 0.0006, [0, 0.0002, 0.0004, 0.0006]),
        (-3, 10, [-5, 0, 5, 10]),
        (-40, 0, [-40, -30, -20, -10, 0]),
        (5, 6, [0, 2, 4, 6]),
    ],
)
def test_a_frame_is_of_round_numbers_that_hold_everything_and_zero(
    lowest: float, highest: float, expected: list[float]
) -> None:
    assert charts.ticks(lowest, highest) == pytest.approx(expected)


def test_what_is_counted_has_no_half_steps() -> None:
    for most in range(50):
        steps = charts.ticks(0, most, whole=True)
        assert all(step == int(step) for step in steps)
        assert steps[-1] >= most
        assert 3 <= len(steps) <= 5


@pytest.mark.parametrize("count", [0, 1, 2, 7, 90, 400])
@pytest.mark.parametrize("most", [0, 1, 13, 1_000_000])
def test_bars_stand_in_their_frame(count: int, most: int) -> None:
    choose = random.Random(count)
    series = [[choose.randint(0, most) for _ in range(count)] for _ in range(3)]
    chart = charts.stacked([str(number) for number in range(count)], series, words)
    assert_sound(chart)
    assert len(chart.bars) == sum(value > 0 for values in series for value in values)
    assert len(chart.labels) == min(count, 3)


def test_a_stack_is_as_high_as_its_sum() -> None:
    chart = charts.stacked(["a"], [[50], [50]], words)
    below, above = chart.bars
    assert above.y == pytest.approx(charts.TOP)
    assert above.y + above.height == pytest.approx(below.y)
    assert below.y + below.height == pytest.approx(charts.BOTTOM)


def test_a_little_is_still_seen() -> None:
    chart = charts.stacked(["a", "b"], [[100_000, 1]], words)
    assert chart.bars[1].height >= 1


def test_every_category_can_have_its_word() -> None:
    chart = charts.stacked(["US", "DE", "GB", "FR"], [[4, 3, 2, 1]], words, every=True)
    assert [mark.text for mark in chart.labels] == ["US", "DE", "GB", "FR"]
    assert {mark.anchor for mark in chart.labels} == {"middle"}


@pytest.mark.parametrize("count", [0, 1, 2, 7, 90])
@pytest.mark.parametrize("span", [(0.0, 0.0), (0.0, 20.0), (-9.0, 3.0), (-5.0, -1.0)])
def test_lines_stay_in_their_frame(count: int, span: tuple[float, float]) -> None:
    choose = random.Random(count)
    series = [[choose.uniform(*span) if choose.random() < 0.7 else None for _ in range(count)] for _ in range(2)]
    chart = charts.lines([str(number) for number in range(count)], series, ["p50", "p90"], words)
    assert_sound(chart)


def test_one_point_is_a_dot_and_its_axis_is_not_degenerate() -> None:
    chart = charts.lines(["27 Nov"], [[12.4]], ["p50"], words)
    assert_sound(chart)
    assert chart.lines[0].runs == ()
    assert len(chart.lines[0].dots) == 1
    assert chart.grid[0].text == "0"


def test_a_gap_is_not_bridged_and_a_lone_point_between_gaps_is_a_dot() -> None:
    chart = charts.lines(list("abcdef"), [[1, 2, None, 3, None, 4]], ["x"], words)
    (line,) = chart.lines
    assert len(line.runs) == 1
    assert len(line.runs[0].split()) == 2
    assert len(line.dots) == 2  # the lone one, and the last


def test_a_series_of_nothing_draws_nothing() -> None:
    assert charts.lines(["a", "b"], [[None, None]], ["x"], words).lines == ()
    assert charts.lines([], [[]], ["x"], words).lines == ()


def test_names_of_lines_that_end_together_do_not_lie_on_each_other() -> None:
    for ends in ((10.0, 10.0), (10.0, 10.4), (0.0, 0.0), (10.4, 10.0)):
        chart = charts.lines(["a", "b"], [[1, ends[0]], [2, ends[1]]], ["p50", "p90"], words)
        first, second = (line.name.y for line in chart.lines)
        assert abs(first - second) >= 16


def test_less_than_nothing_lies_below_the_line_of_zero() -> None:
    chart = charts.lines(["a", "b"], [[-10, 10]], ["x"], words)
    low, high = (float(point.split(",")[1]) for point in chart.lines[0].runs[0].split())
    assert high < chart.zero < low
