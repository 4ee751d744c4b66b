"""Where the parts of a chart stand: a frame of round numbers, stacked bars, lines with gaps. No colours, no SVG.

Units are those of a drawing ``WIDTH`` × ``HEIGHT``; every number is rounded to a tenth.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 520.0, 236.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 508.0, 14.0, 200.0
END_LABEL = 62.0  # room at the right for the names of lines
_MOST_BAR = 40.0
Text = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Mark:
    """A word at a place; ``anchor`` says which end of it stands there, as SVG names it."""

    x: float
    y: float
    text: str
    anchor: str = "end"


@dataclass(frozen=True, slots=True)
class Bar:
    """One piece of a stack; ``number`` is that of its series."""

    number: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """One series: runs of neighbouring points, and its last point with the name beside it."""

    number: int
    runs: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    name: Mark


@dataclass(frozen=True, slots=True)
class Chart:
    grid: tuple[Mark, ...]
    labels: tuple[Mark, ...]
    zero: float
    right: float
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()


def ticks(lowest: float, highest: float, *, whole: bool = False) -> list[float]:
    """Three to five round numbers, evenly apart, zero among them, that hold everything between."""
    low, high = min(0.0, lowest), max(0.0, highest)
    if high == low:
        high = 1.0
    step = _round_step(max(1.0, (high - low) / 4), (1, 2, 5, 10)) if whole else _round_step((high - low) / 4)
    first = math.floor(low / step + 1e-9)
    last = max(first + 2, math.ceil(high / step - 1e-9))
    return [number * step for number in range(first, last + 1)]


def _round_step(least: float, steps: Sequence[float] = (1, 2, 2.5, 5, 10)) -> float:
    """The smallest of these times a power of ten that is not less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in steps if step * power >= least * (1 - 1e-9))


def stacked(labels: Sequence[str], series: Sequence[Sequence[float]], text: Text, *, every: bool = False) -> Chart:
    """Bars, one for each label, made of one piece of each series from the bottom up; values are not negative."""
    totals = [sum(column) for column in zip(*series, strict=True)] or [0.0]
    steps = ticks(0.0, max(totals), whole=True)
    slot = (RIGHT - LEFT) / max(1, len(labels))
    width = min(_MOST_BAR, slot * 0.76)
    bars = []
    for place in range(len(labels)):
        foot = 0.0
        for number, values in enumerate(series):
            if values[place] > 0:
                bottom, foot = _y(foot, steps), foot + values[place]
                top = _y(foot, steps)
                left = LEFT + slot * (place + 0.5) - width / 2
                bars.append(Bar(number, _tenth(left), _tenth(top), _tenth(width), _tenth(max(bottom - top, 1.0))))
    centres = [LEFT + slot * (place + 0.5) for place in range(len(labels))]
    return Chart(_grid(steps, text), _labels(labels, centres, every=every), _tenth(_y(0.0, steps)), RIGHT, tuple(bars))


def lines(labels: Sequence[str], series: Sequence[Sequence[float | None]], names: Sequence[str], text: Text) -> Chart:
    """Lines over the same labels; None is a gap, and a point without neighbours is a dot."""
    known = [value for values in series for value in values if value is not None]
    steps = ticks(min(known, default=0.0), max(known, default=0.0))
    right = RIGHT - END_LABEL
    centres = [_centre(place, len(labels), right) for place in range(len(labels))]
    drawn = [_line(number, values, names[number], centres, steps) for number, values in enumerate(series)]
    apart = _apart([line for line in drawn if line is not None])
    return Chart(_grid(steps, text), _labels(labels, centres), _tenth(_y(0.0, steps)), right, lines=apart)


def _line(
    number: int, values: Sequence[float | None], name: str, centres: Sequence[float], steps: Sequence[float]
) -> Line | None:
    points = [
        None if value is None else (_tenth(x), _tenth(_y(value, steps)))
        for x, value in zip(centres, values, strict=True)
    ]
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is not None:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    runs = [run for run in runs if run]
    if not runs:
        return None
    last = runs[-1][-1]
    dots = tuple(dict.fromkeys([*(run[0] for run in runs if len(run) == 1), last]))
    texts = tuple(" ".join(f"{x},{y}" for x, y in run) for run in runs if len(run) > 1)
    return Line(number, texts, dots, Mark(_tenth(last[0] + 8), last[1], name, "start"))


def _apart(found: list[Line]) -> tuple[Line, ...]:
    """Names that would lie on each other move up and down from their middle."""
    if len(found) == 2 and abs(found[0].name.y - found[1].name.y) < 16 and abs(found[0].name.x - found[1].name.x) < 40:
        upper, lower = sorted(found, key=lambda line: (line.name.y, -line.number))
        middle = min(max((upper.name.y + lower.name.y) / 2, TOP + 8), BOTTOM - 8)
        moved = {upper.number: _tenth(middle - 8), lower.number: _tenth(middle + 8)}
        return tuple(
            Line(line.number, line.runs, line.dots, Mark(line.name.x, moved[line.number], line.name.text, "start"))
            for line in found
        )
    return tuple(found)


def _centre(place: int, count: int, right: float) -> float:
    if count == 1:
        return (LEFT + right) / 2
    return LEFT + 8 + (right - LEFT - 16) * place / (count - 1)


def _grid(steps: Sequence[float], text: Text) -> tuple[Mark, ...]:
    return tuple(Mark(LEFT - 10, _tenth(_y(step, steps)), text(step)) for step in steps)


def _labels(labels: Sequence[str], centres: Sequence[float], *, every: bool = False) -> tuple[Mark, ...]:
    """All of them where there is room for all, else the first, the middle and the last."""
    last = len(labels) - 1
    shown = range(len(labels)) if every else sorted({0, last // 2, last}) if last > 1 else range(len(labels))
    below = BOTTOM + 24
    return tuple(Mark(_tenth(centres[place]), below, labels[place], _anchor(place, last, every)) for place in shown)


def _anchor(place: int, last: int, every: bool) -> str:
    if every or last < 2 or 0 < place < last:
        return "middle"
    return "start" if place == 0 else "end"


def _y(value: float, steps: Sequence[float]) -> float:
    return BOTTOM - (BOTTOM - TOP) * (value - steps[0]) / (steps[-1] - steps[0])


def _tenth(value: float) -> float:
    return round(value, 1) + 0.0  # no -0.0
