"""What cannot wait, each with the numbers one needs to decide. Nothing here is slow, nothing calls anybody."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select

from pixshift.domain.durations import span
from pixshift.domain.lifecycle import Status
from pixshift.domain.tallies import is_rising
from pixshift.models import Transformation, TransformationType
from pixshift.models.base import read_rows
from pixshift.services import circuits, decisions_money, retention, sms
from pixshift.services.figures import Figures, Style
from pixshift.services.figures_count import CANCELLED
from pixshift.services.toolbox import Toolbox

RETIRES_SOON = timedelta(days=60)
WAITS_LONG = timedelta(minutes=5)


class Kind(StrEnum):
    """What it is about; each is settled at a place of its own."""

    FAILURES = "failures"
    CIRCUIT = "circuit"
    QUEUE = "queue"
    HOLDS = "holds"
    REFUNDS = "refunds"
    SILENCE = "silence"
    SPEND = "spend"
    DELETION = "deletion"
    MODEL = "model"
    CODES = "codes"


@dataclass(frozen=True, slots=True)
class Decision:
    """One line: what is the matter, what one should know, and, where it is one style's, which."""

    kind: Kind
    title: str
    text: str
    is_urgent: bool = False
    style_id: UUID | None = None


def pending(toolbox: Toolbox, figures: Figures) -> list[Decision]:
    """What needs a decision now, the urgent ones first. Costs some small queries, each by an index."""
    found = [
        *_failures(figures),
        *_circuits(toolbox),
        *_deletion(toolbox),
        *_money(toolbox),
        *_queue(toolbox),
        *_models(toolbox),
        *_codes(toolbox),
    ]
    return sorted(found, key=lambda decision: not decision.is_urgent)


def _failures(figures: Figures) -> Iterable[Decision]:
    for style in figures.styles:
        if is_rising(style.today, style.normal):
            yield Decision(Kind.FAILURES, _failing_title(style), _failing_text(style, figures), True, style.id)


def _failing_title(style: Style) -> str:
    share, usual = style.today.failed_share or 0.0, style.normal.failed_share
    normally = f", normally {usual:.1%}" if usual is not None else ""
    return f"{style.name} fails more than usual: {share:.1%}{normally}"


def _failing_text(style: Style, figures: Figures) -> str:
    """With the reason that is behind most of it."""
    reason = Transformation.failure_reason
    midnight = figures.now.replace(hour=0, minute=0, second=0, microsecond=0)
    own = (Transformation.transformation_type_id == style.id) & (Transformation.status == Status.FAILED)
    ours = own & (Transformation.finished_at >= midnight) & Transformation.lab_run_id.is_(None)
    most = select(reason, func.count()).where(ours, reason.not_in(CANCELLED)).group_by(reason)
    rows = read_rows(most.order_by(func.count().desc(), reason).limit(1))
    why = f", {rows[0][1]} of them {_words(rows[0][0])}" if rows else ""
    return f"{style.today.failed} of {style.today.tried} today{why}. Nobody was charged for these."


def _words(reason: str) -> str:
    return f"“{reason.replace('_', ' ').lower()}”"


def _circuits(toolbox: Toolbox) -> Iterable[Decision]:
    now = toolbox.now()
    for model, since, faults in circuits.open_circuits(now):
        text = f"{faults} faults in a row. Its pictures wait and are made when it answers; one tries every ten seconds."
        yield Decision(Kind.CIRCUIT, f"{model} has not answered for {span(now - since)}", text, True)


def _deletion(toolbox: Toolbox) -> Iterable[Decision]:
    now = toolbox.now()
    count, since = retention.overdue(now)
    if since is not None:
        text = f"The first should have gone {span(now - since)} ago. Is a worker running? `flask doctor` says more."
        yield Decision(Kind.DELETION, f"{_many(count, 'picture')} should be deleted by now", text, True)


def _money(toolbox: Toolbox) -> Iterable[Decision]:
    for kind, title, text, is_urgent in decisions_money.pending(toolbox):
        yield Decision(Kind(kind), title, text, is_urgent)


def _queue(toolbox: Toolbox) -> Iterable[Decision]:
    """Jobs that wait although nothing holds them up: a model that is left alone is told of already."""
    now = toolbox.now()
    late = (Transformation.status == Status.PENDING) & (Transformation.due_at <= now - WAITS_LONG)
    count, since = read_rows(select(func.count(), func.min(Transformation.due_at)).where(late))[0]
    if count and not circuits.open_circuits(now):
        verb = "waits" if count == 1 else "wait"
        text = f"The first for {span(now - since)}. Nothing holds them up: are enough workers running?"
        yield Decision(Kind.QUEUE, f"{_many(int(count), 'picture')} {verb} for longer than 5 minutes", text, True)


def _models(toolbox: Toolbox) -> Iterable[Decision]:
    """Models in use that end soon, or have ended."""
    gemini, today = toolbox.settings.gemini, toolbox.now().date()
    asked = func.coalesce(TransformationType.model, gemini.model)
    used = select(asked, func.count()).where(TransformationType.enabled).group_by(asked).order_by(asked)
    for model, styles in read_rows(used):
        last = gemini.retires.get(model)
        if last is None or last - today > RETIRES_SOON:
            continue
        left = (last - today).days
        when = f"retires in {_many(left, 'day')}" if left > 0 else "retires today" if left == 0 else "has retired"
        ask = "1 style on offer asks" if styles == 1 else f"{styles} styles on offer ask"
        text = f"Its last day in the vendor's plan is {last.day} {last:%B %Y}. {ask} for it: choose another model."
        yield Decision(Kind.MODEL, f"{model} {when}", text, left <= 0)


def _codes(toolbox: Toolbox) -> Iterable[Decision]:
    for country in sms.conversion(toolbox.now() - sms.LOOKED_AT):
        if country.is_suspicious:
            title = f"Few codes sent to {country.region} are used: {country.share:.0%}"
            text = f"{country.verified} of {country.sent} in 24 hours. Somebody may earn by having them sent."
            yield Decision(Kind.CODES, title, text)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
