"""Sudden death: workers are killed with SIGKILL again and again while they make pictures for many people.

Each worker is `flask worker` itself, started anew after every kill. Which one dies, and when, is drawn from a seeded
generator: while it starts, while it has nothing to do, while the model is asked, and in the blink after the model's
answer in which the picture is checked, stored and written down and the next job is claimed. The model's stand-in is
the witness: the key names the worker that asks, the photo names the job.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from sqlalchemy import update

from drills import accounts, stalls
from drills.table import Ground, Row, Size, exactly
from drills.witness import Witness
from pixshift.domain.lifecycle import Status
from pixshift.extensions import db
from pixshift.models import Transformation
from pixshift.models.base import utcnow
from tests import jobs, servers, sites
from tests.jobs import Worker
from tests.sites import Site

AREA = "Sudden death"
STAGES = ("starting", "idle", "asking the model", "after the answer", "at any moment")
PATIENCE = 20.0  # seconds until a stage must have come


@dataclass(frozen=True)
class Plan:
    """How much of it: ``leases_run_out`` is True where nobody may wait a minute for each dead worker's lease."""

    jobs: int
    stages: tuple[str, ...]  # one for each kill
    fleet: int  # workers at a time
    threads: int  # of each
    model_seconds: tuple[float, float]
    pause: float  # seconds between two kills at least: those who live must be able to make what is asked for
    leases_run_out: bool


FULL = Plan(1000, STAGES * 40, 4, 3, (0.2, 1.2), pause=1.3, leases_run_out=False)
SAMPLE = Plan(20, ("asking the model", "after the answer", "starting"), 1, 3, (0.2, 0.3), pause=0, leases_run_out=True)


def rows(ground: Ground, size: Size) -> Iterator[Row]:
    yield from _kills(ground, FULL if size is Size.FULL else SAMPLE)
    yield from stalls.rows(ground, size)


def _kills(ground: Ground, plan: Plan) -> Iterator[Row]:
    witness = Witness(plan.model_seconds)
    folder = ground.folder / "kills"
    with ground.database() as name, sites.site(folder, ground.postgres.url(name), ground.redis_url, witness) as site:
        crew = Crew(site, witness, plan)
        with crew.at_work():
            for number, stage in enumerate(plan.stages, 1):
                next_one = time.monotonic() + plan.pause
                accounts.open_jobs(site, plan.jobs * number // len(plan.stages) - len(site.people))
                crew.kill_one(stage)
                threading.Event().wait(max(0.0, next_one - time.monotonic()))
            accounts.wait_for_the_last(site)
            yield _shown(crew)
            orphans = [pid for leader in crew.dead for pid in jobs.alive(leader)]
        yield from accounts.rows(site, AREA, witness, leases_ran_out=plan.leases_run_out)
        yield exactly(AREA, "helper processes that outlived their worker", len(orphans), 0)


@dataclass
class Crew:
    """Workers that are replaced when they die."""

    site: Site
    witness: Witness
    plan: Plan
    alive: dict[str, Worker] = field(default_factory=dict)
    dead: list[int] = field(default_factory=list)
    found: list[str] = field(default_factory=list)  # what each victim was doing
    chance: random.Random = field(default_factory=lambda: random.Random(20_261_122))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        try:
            for _ in range(self.plan.fleet):
                self._hire()
            yield
        finally:
            for worker in self.alive.values():
                servers.end(worker.process, patience=40)

    def _hire(self) -> None:
        name = f"worker-{len(self.dead) + len(self.alive)}"
        env = self.site.env | {"GEMINI_API_KEY": name}
        self.alive[name] = jobs.start_worker(self.site.folder, env, self.plan.threads)

    def kill_one(self, stage: str) -> None:
        """Wait until somebody is at this stage, and a little longer; kill; hire another one."""
        name, longest = self._victim(stage)
        threading.Event().wait(self.chance.uniform(0, longest))
        victim = self.alive.pop(name)
        self.found.append(self._doing(name, victim))
        victim.process.kill()
        victim.process.wait(10)
        self.dead.append(victim.process.pid)
        if self.plan.leases_run_out:
            _let_leases_run_out(self.site)
        self._hire()

    def _victim(self, stage: str) -> tuple[str, float]:
        """Who, and how many seconds to wait at most."""
        if stage == "starting":
            return next(reversed(self.alive)), 0.8
        if stage == "idle":
            return servers.wait_until(self._idle, PATIENCE, "an idle worker"), 0.0
        if stage == "asking the model":
            return servers.wait_until(self._asking, PATIENCE, "a worker that asks the model"), 0.2
        if stage == "after the answer":
            just = partial(self.witness.answered_lately, self.alive, seconds=0.02)
            return servers.wait_until(just, PATIENCE, "an answer"), 0.06
        return self.chance.choice(list(self.alive)), 1.5

    def _idle(self) -> str | None:
        busy = self.witness.asking()
        ready = [name for name, worker in self.alive.items() if worker.is_ready()]
        return next((name for name in ready if name not in busy), None)

    def _asking(self) -> str | None:
        asking = [name for name in self.witness.asking() if name in self.alive]
        return self.chance.choice(asking) if asking else None

    def _doing(self, name: str, worker: Worker) -> str:
        if not worker.is_ready():
            return "starting"
        if self.witness.answered_lately([name]):
            return "after the answer"
        return "asking the model" if name in self.witness.asking() else "idle"


def _let_leases_run_out(site: Site) -> None:
    """As if a minute had passed: only where all workers are dead."""
    with site.app.app_context():
        lost = update(Transformation).where(Transformation.status == Status.PROCESSING)
        db.session.execute(lost.values(lease_expires_at=utcnow() - timedelta(seconds=1)))
        db.session.commit()


def _shown(crew: Crew) -> Row:
    """The kills themselves: all of them, and some at every stage that was planned."""
    times = {stage: crew.found.count(stage) for stage in STAGES[:-1]}
    what = "kills: " + ", ".join(f"{count} {stage}" for stage, count in times.items())
    planned = set(crew.plan.stages) - {STAGES[-1]}
    is_met = len(crew.found) == len(crew.plan.stages) and (crew.plan is SAMPLE or all(times[one] for one in planned))
    return Row(AREA, what, str(len(crew.found)), str(len(crew.plan.stages)), is_met)
