"""How everything here is measured: in rounds that alternate with their reference, of which the median counts."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: what, how much, beside which reference, and the figure to reach."""

    name: str
    value: str
    reference: str = ""
    ratio: float | None = None
    reach: str = ""


@dataclass(frozen=True)
class Pair:
    """Seconds of ours and of the reference, and their ratio: each the median of the rounds."""

    ours: float
    reference: float
    ratio: float


def cpu(call: Callable[[], object], times: int) -> float:
    """CPU seconds of this process for one call."""
    begun = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - begun) / times


def side_by_side(ours: Callable[[], float], reference: Callable[[], float], rounds: int = 7) -> Pair:
    """Run both in turn, after one round that does not count."""
    ours(), reference()
    pairs = [(ours(), reference()) for _ in range(rounds)]
    return Pair(
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.{2 if seconds < 0.01 else 1 if seconds < 0.1 else 0}f} ms"


def us(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs"


def mib(size: float) -> str:
    return f"{size / 1024 / 1024:.0f} MiB"


def kb(size: int) -> str:
    return f"{size / 1000:.1f} kB"


def table(rows: list[Row]) -> str:
    head = ["", "measured", "reference", "×", "to reach"]
    body = [
        [row.name, row.value, row.reference, "" if row.ratio is None else f"{row.ratio:.2f}", row.reach] for row in rows
    ]
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *body]
    )
