"""The image model in every mood, on real workers: each job ends as it should, in time, in its turn, at its price."""

import io
import itertools
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from PIL import Image
from sqlalchemy import func, select

from drills import vendor_limits
from drills.table import Ground, Row, Size, at_most, exactly
from drills.vendor_jobs import AREA, ask, at_least, begun, completed, ended, now
from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import FINAL, Status
from pixshift.extensions import db
from pixshift.models import Attempt, ModelCircuit, Transformation, User
from tests import jobs, servers, sites
from tests.gemini_outcomes import BROKEN, ENDLESS, FAILURES, PICTURES
from tests.sites import Site
from tests.stand_ins.gemini import GeminiStandIn

JUDGEMENTS = ("400", "403", "404", "block:SAFETY", "finish:IMAGE_SAFETY", "text_only", "no_parts", "413")
_LARGE = {"huge", "pixels", "pixels_over", "gzip_bomb"}
# Every mood that comes at once and asks for no wait.
QUICK = sorted(
    {mood for mood, (_, _, wait) in FAILURES.items() if not wait} | {*PICTURES, *BROKEN} - _LARGE - {*ENDLESS}
)


def rows(ground: Ground, size: Size) -> Iterator[Row]:
    is_full = size is Size.FULL
    timeout = 3.0 if is_full else 2.0
    environ = {"GEMINI_TIMEOUT": f"{timeout * 1000:.0f}"}
    with (
        ground.database() as name,
        sites.site(
            ground.folder, ground.postgres.url(name), ground.redis_url, GeminiStandIn(keep=1), **environ
        ) as site,
    ):
        with site.worker(4):
            if is_full:
                with site.worker(4):
                    yield from mixed(site, 399)
            else:
                yield from mixed(site, 24)
            yield from fair(site, 4, *((200, 10) if is_full else (24, 2)))
            yield from judged(site)
            yield from endless(site, timeout, ENDLESS if is_full else ("drip",))
        if is_full:
            with site.worker(1):
                yield from fair(site, 1, 200, 10)
    if is_full:
        yield from vendor_limits.rows(ground)


# --- every mood -----------------------------------------------------------------------------------------------------


def mixed(site: Site, count: int) -> Iterator[Row]:
    """``count`` jobs under moods drawn by a seed; every third call goes well, so that no circuit opens for long."""
    draw, number = random.Random(7), itertools.count(1)
    site.gemini.reset()
    site.gemini.choose = lambda path: "ok" if next(number) % 3 == 0 else draw.choice(QUICK)
    asked = ask(site, count, each=3)
    ended(site, asked, 120)
    what = f"{len(asked)} jobs under {len(QUICK)} moods: "
    found = [jobs.read_job(site.app, job) for job in asked]
    tries = {job.id: jobs.read_attempts(site.app, job.id) for job in found}
    yield exactly(AREA, what + "not ended", sum(job.status not in FINAL for job in found), 0)
    yield exactly(AREA, what + "calls more than its failures allow", sum(map(_too_many, tries.values())), 0)
    yield exactly(AREA, what + "attempts on record", sum(map(len, tries.values())), site.gemini.calls)
    yield exactly(AREA, what + "people with a wrong count of free pictures", wrong_counts(site, found), 0)
    made = [job for job in found if job.status is Status.COMPLETED]
    yield exactly(
        AREA, what + f"pictures missing or broken of {len(made)}", sum(not readable(site, j) for j in made), 0
    )


def _too_many(tries: list[Attempt]) -> int:
    """How many of these came after a failure that allowed no other."""
    return sum(not FailureReason(one.outcome).allows_another(one.number) for one in tries[:-1])


def wrong_counts(site: Site, found: list[Transformation]) -> int:
    """People whose free pictures are not as many as their finished jobs."""
    with site.app.app_context():
        used = {row.id: row.free_tier_used for row in db.session.execute(select(User.id, User.free_tier_used))}
    made = dict.fromkeys({job.user_id for job in found}, 0)
    for job in found:
        made[job.user_id] += job.status is Status.COMPLETED
    return sum(used[person] != count for person, count in made.items())


def readable(site: Site, job: Transformation) -> bool:
    with suppress(Exception), site.app.app_context():
        data = site.app.extensions["toolbox"].gateways.storage.get(job.transformed_image_url)
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
        return True
    return False


def judged(site: Site) -> Iterator[Row]:
    """What is said about one photo, or about our account, says nothing about the model's health."""
    site.gemini.reset("400")
    site.gemini.push(*JUDGEMENTS)
    asked = ask(site, len(JUDGEMENTS))
    ended(site, asked, 30)
    with site.app.app_context():
        opened = db.session.scalar(select(func.count()).where(ModelCircuit.opened_at.is_not(None))) or 0
    yield exactly(AREA, f"circuits opened by {len(JUDGEMENTS)} judgements and refusals in a row", opened, 0)


# --- in time --------------------------------------------------------------------------------------------------------


def endless(site: Site, timeout: float, moods: tuple[str, ...]) -> Iterator[Row]:
    """Answers without an end: each attempt ends at the deadline, and the next one makes the picture."""
    site.gemini.reset()
    site.gemini.push(*moods)
    asked = ask(site, len(moods))
    ended(site, asked, 60)
    tries = [one for job in asked for one in jobs.read_attempts(site.app, job) if one.outcome == FailureReason.TIMEOUT]
    longest = max((_seconds(one) for one in tries), default=timeout * 100)
    what = f"{', '.join(moods)} under a deadline of {timeout:g} s: "
    yield exactly(AREA, what + "given up", len(tries), len(moods))
    yield at_most(AREA, what + "the longest", longest, timeout + 1.5, "s")
    yield exactly(AREA, what + "completed afterwards", completed(site, asked), len(asked))


def _seconds(one: Attempt) -> float:
    return ((one.finished_at or datetime.now(UTC)) - one.started_at).total_seconds()


# --- in turn --------------------------------------------------------------------------------------------------------


def fair(site: Site, threads: int, waiting: int, latecomers: int) -> Iterator[Row]:
    """One person's many jobs wait; how many of them are begun between somebody else's request and its own start."""
    site.gemini.reset()
    site.gemini.delay = 0.1
    try:
        many = ask(site, waiting, each=waiting)
        servers.wait_until(lambda: site.gemini.calls > threads, 20, "work under way")
        overtaken = [_begun_before(site, *ask(site, 1), many) for _ in range(latecomers)]
        left = waiting - begun(site, many, now(site))
    finally:
        site.gemini.delay = 0.0
    ended(site, many, 60)
    what = f"{threads} at work, {waiting} jobs of one person: "
    yield at_most(AREA, what + f"begun before a latecomer's first ({latecomers} times, the most)", max(overtaken), 2)
    yield at_least(AREA, what + "still waiting when the last latecomer began", left, 1)
    yield exactly(AREA, what + "completed", completed(site, many), waiting)


def _begun_before(site: Site, late: UUID, many: list[UUID]) -> int:
    created = now(site)  # its row is there: before that nobody could take it, however old it says it is
    started = servers.wait_until(lambda: _first_start(site, late), 60, "the latecomer's turn")
    return begun(site, many, started) - begun(site, many, created)


def _first_start(site: Site, job: UUID) -> datetime | None:
    return next((one.started_at for one in jobs.read_attempts(site.app, job)), None)
