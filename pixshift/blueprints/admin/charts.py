"""What the charts of the desk show: numbers become places, and the same numbers a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pixshift.blueprints.admin.numbers import amount, money, near, percent, seconds, short, whole
from pixshift.domain import charts
from pixshift.domain.charts import Chart
from pixshift.domain.roles import AuthProvider
from pixshift.domain.tallies import Day, Speed
from pixshift.services.figures import Figures
from pixshift.services.figures_count import CAPTURED, REFUNDED, SIGN_INS, SMS_SENT, SMS_VERIFIED

MOST_COUNTRIES = 10
PROVIDERS = {AuthProvider.MOBILE: "phone", AuthProvider.GMAIL: "Google", AuthProvider.FACEBOOK: "Facebook"}


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure: a chart, what it says in a sentence, its legend (class and word), and the table behind it."""

    id: str
    title: str
    note: str
    said: str
    legend: tuple[tuple[str, str], ...]
    chart: Chart | None
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plots(figures: Figures) -> list[Plot]:
    """In the order of the page."""
    parts = (_pictures, _seconds, _money, _blocked, _sign_ins, _codes)
    return [part(figures) for part in parts]


def _span(figures: Figures) -> str:
    return f"in {len(figures.days)} days"


def _labels(figures: Figures) -> list[str]:
    return [near(day.day) for day in figures.days]


def _rows(figures: Figures, cells: Callable[[Day], Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The newest first."""
    return tuple((f"{day.day:%Y-%m-%d}", *cells(day)) for day in reversed(figures.days))


def _pictures(figures: Figures) -> Plot:
    tallies = [day.tally for day in figures.days]
    made, failed = [tally.made for tally in tallies], [tally.failed for tally in tallies]
    return Plot(
        "pictures",
        "Pictures per day",
        "",
        f"{sum(made):,} were made and {sum(failed):,} were not made {_span(figures)}.",
        (("a", "made"), ("bad", "not made")),
        charts.stacked(_labels(figures), [made, failed], whole),
        ("Day", "Made", "Not made", "Cancelled"),
        _rows(figures, lambda day: (whole(day.tally.made), whole(day.tally.failed), whole(day.tally.cancelled))),
    )


def _seconds(figures: Figures) -> Plot:
    speeds = [day.speed for day in figures.days]

    def values(one: Callable[[Speed], int | None]) -> list[float | None]:
        return [None if one(speed) is None else (one(speed) or 0) / 1000 for speed in speeds]

    series = [values(lambda speed: speed.p50_ms), values(lambda speed: speed.p90_ms)]
    return Plot(
        "seconds",
        "Seconds to make a picture",
        "Half are ready by p50, nine of ten by p90. Waiting is not counted.",
        f"Today half were ready in {seconds(speeds[-1].p50_ms)}, nine of ten in {seconds(speeds[-1].p90_ms)}.",
        (),
        _lines(figures, series, ("p50", "p90"), short),
        ("Day", "p50", "p90"),
        _rows(figures, lambda day: (seconds(day.speed.p50_ms), seconds(day.speed.p90_ms))),
    )


def _money(figures: Figures) -> Plot:
    income = [float(figures.income(day)) for day in figures.days]
    cost = [float(day.tally.cost + day.tally.lab_cost) for day in figures.days]
    code = figures.currency

    def cells(day: Day) -> Sequence[str]:
        spent, left = day.tally.cost + day.tally.lab_cost, figures.income(day) - day.tally.cost - day.tally.lab_cost
        taken, given = figures.of(CAPTURED, day), figures.of(REFUNDED, day)
        margin = money(left) if code == "USD" else "–"
        return money(taken, code), money(given, code), money(spent), margin

    earned, spent = money(sum(income), code), money(sum(cost))
    return Plot(
        "money",
        "Income and what the model cost",
        "Income is what was charged, less what was given back.",
        f"{earned} of income, {spent} for the model {_span(figures)}.",
        (),
        _lines(figures, [income, cost], ("income", "cost"), partial(amount, currency=code))
        if any(income) or any(cost)
        else None,
        ("Day", "Charged", "Given back", "Model", "Margin"),
        _rows(figures, cells),
    )


def _blocked(figures: Figures) -> Plot:
    shares = [day.tally.blocked_share for day in figures.days]
    tried = sum(day.tally.tried for day in figures.days)
    blocked = sum(day.tally.blocked for day in figures.days)
    return Plot(
        "blocked",
        "Blocked by the model",
        "The share of pictures that the model declined or held back.",
        f"{blocked:,} of {tried:,} were blocked {_span(figures)}.",
        (),
        _lines(
            figures, [[None if share is None else share * 100 for share in shares]], ("",), lambda value: f"{value:g}%"
        ),
        ("Day", "Blocked", "Of", "Share"),
        _rows(
            figures, lambda day: (whole(day.tally.blocked), whole(day.tally.tried), percent(day.tally.blocked_share))
        ),
    )


def _sign_ins(figures: Figures) -> Plot:
    series = [[int(day.count(SIGN_INS, key)) for day in figures.days] for key in PROVIDERS]
    sums = ", ".join(f"{sum(values):,} by {name}" for values, name in zip(series, PROVIDERS.values(), strict=True))
    return Plot(
        "sign-ins",
        "Sign-ins",
        "By the way each person first came.",
        f"{sums} {_span(figures)}.",
        tuple(zip("abc", PROVIDERS.values(), strict=True)),
        charts.stacked(_labels(figures), series, whole) if any(map(any, series)) else None,
        ("Day", *(name[0].upper() + name[1:] for name in PROVIDERS.values())),
        _rows(figures, lambda day: [whole(int(day.count(SIGN_INS, key))) for key in PROVIDERS]),
    )


def _codes(figures: Figures) -> Plot:
    """By country, the one with most codes first."""
    sent: dict[str, int] = {}
    used: dict[str, int] = {}
    for day in figures.days:
        for what, sums in ((SMS_SENT, sent), (SMS_VERIFIED, used)):
            for region, count in day.keyed(what).items():
                sums[region] = sums.get(region, 0) + count
    regions = sorted(sent, key=lambda region: (-sent[region], region))
    shown = regions[:MOST_COUNTRIES]
    unused = [max(0, sent[region] - used.get(region, 0)) for region in shown]
    return Plot(
        "codes",
        "Codes by text message",
        "By country: how many of those sent let somebody in.",
        f"{sum(used.values()):,} of {sum(sent.values()):,} codes were used {_span(figures)}.",
        (("a", "used"), ("bad", "not used")),
        charts.stacked(shown, [[used.get(region, 0) for region in shown], unused], whole, every=True)
        if shown
        else None,
        ("Country", "Sent", "Used", "Share"),
        tuple(
            (key, whole(sent[key]), whole(used.get(key, 0)), percent(used.get(key, 0) / sent[key])) for key in regions
        ),
    )


def _lines(
    figures: Figures, series: Sequence[Sequence[float | None]], names: tuple[str, ...], text: charts.Text
) -> Chart | None:
    """None where there is nothing to draw."""
    if not any(value is not None for values in series for value in values):
        return None
    return charts.lines(_labels(figures), series, names, text)
