"""A model that is away for most of a minute, and calls per minute that all workers share."""

import time
from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import select, update

from drills.table import Ground, Row, at_most, exactly
from drills.vendor_jobs import AREA, ask, at_least, completed, ended, most_in, statuses, within
from pixshift.domain.lifecycle import Status
from pixshift.extensions import db
from pixshift.models import ModelCircuit, TransformationType
from tests import jobs, sites
from tests.sites import Site
from tests.stand_ins.gemini import GeminiStandIn
from tests.stand_ins.gemini_moods import MODELS

_AWAY_SECONDS = 45.0
_A_MOMENT = 0.5  # between a claim and its call at the wire
_CALLS = 20  # per minute


def rows(ground: Ground) -> Iterator[Row]:
    for drill, environ in ((away, {}), (shared_minute, {"GEMINI_CALLS_PER_MINUTE": str(_CALLS)})):
        folder = ground.folder / drill.__name__
        folder.mkdir()
        with (
            ground.database() as name,
            sites.site(folder, ground.postgres.url(name), ground.redis_url, GeminiStandIn(keep=1), **environ) as site,
            site.worker(4),
            site.worker(4),
        ):
            yield from drill(site)


def away(site: Site) -> Iterator[Row]:
    """One model answers 503: its jobs wait, one in ten seconds tries; another model's jobs go on."""
    other = _other_type(site)
    site.gemini.delay = 0.5
    ended(site, ask(site, 16), 30)  # both workers have imported the vendor's library, which delays a first call
    site.gemini.delay = 0.0
    site.gemini.choose = lambda path: "503" if f"/{MODELS[0]}:" in path else "ok"
    began = time.monotonic()
    asked = ask(site, 20)
    opening = within(lambda: _is_open(site), 20)
    opened_at = time.monotonic() + _A_MOMENT
    elsewhere = ask(site, 5, type_id=other)
    took = ended(site, elsewhere, 20)
    within(lambda: time.monotonic() >= began + _AWAY_SECONDS, _AWAY_SECONDS + 1)
    waiting = sum(status in (Status.PENDING, Status.PROCESSING) for status in statuses(site, asked))
    calls = [at for at in site.gemini.calls_of() if at > opened_at]
    site.gemini.choose = None
    back = ended(site, asked, 60)
    what = f"503 for {_AWAY_SECONDS:.0f} s under 20 jobs: "
    yield at_most(AREA, what + "until the circuit opens", opening, 10.0, "s")
    yield at_most(AREA, what + "calls in any 10 s from then on", most_in(calls, 10 - _A_MOMENT), 1)
    yield at_least(AREA, what + "calls that tried in all", len(calls), 2)
    yield exactly(AREA, what + "jobs that wait at its end", waiting, 20)
    yield exactly(AREA, what + "another model's jobs completed meanwhile", completed(site, elsewhere), 5)
    yield at_most(AREA, what + "those took", took, 10.0, "s")
    yield exactly(AREA, what + "completed after it", completed(site, asked), 20)
    yield at_most(AREA, what + "until then", back, 30.0, "s")


def _other_type(site: Site) -> UUID:
    kind = jobs.add_type(site.app, "other-model")
    with site.app.app_context():
        db.session.execute(update(TransformationType).where(TransformationType.id == kind).values(model=MODELS[2]))
        db.session.commit()
    return kind


def _is_open(site: Site) -> bool:
    with site.app.app_context():
        return db.session.scalar(select(ModelCircuit.model).where(ModelCircuit.opened_at.is_not(None))) is not None


def shared_minute(site: Site) -> Iterator[Row]:
    """More jobs than a minute has calls: two workers keep to the limit together, and nobody is forgotten."""
    asked = ask(site, _CALLS + 15)
    ended(site, asked, 120)
    calls = site.gemini.calls_of()
    what = f"{len(asked)} jobs at {_CALLS} calls per minute, two workers: "
    yield at_most(AREA, what + "calls in any 60 s", most_in(calls, 60), _CALLS)
    yield exactly(AREA, what + "completed", completed(site, asked), len(asked))
