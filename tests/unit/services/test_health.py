"""What operators are told: promises that are not kept, and parts that are asked no more than they bear."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pixshift.errors import ExternalServiceError
from pixshift.services import health
from pixshift.services.health import Part, Probe
from tests import factories, jobs
from tests.jobs import World


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    with jobs.world(sqlite_url, tmp_path) as made:
        yield made


def promise(world: World, name: str) -> Part:
    with world.app.app_context():
        return {part.name: part for part in health.promises(world.toolbox)}[name]


def test_a_picture_that_is_overdue_is_told_with_its_time(world: World) -> None:
    world.job()
    world.make_next()
    assert promise(world, "deletion") == Part("deletion", True, "nothing overdue")
    world.clock.forward(hours=24, minutes=7)
    told = promise(world, "deletion")
    assert (told.is_ok, told.line.partition(":")[0]) == (False, "2 overdue, for up to 7 min")


def test_jobs_that_wait_while_nobody_works_are_told(world: World) -> None:
    world.job()
    world.clock.forward(minutes=1)
    assert promise(world, "jobs").is_ok
    world.clock.forward(minutes=2)
    told = promise(world, "jobs")
    assert (told.is_ok, told.line.partition(",")[0]) == (False, "1 wait")
    assert "3 min" in told.line


def test_a_long_queue_is_no_fault_while_somebody_works_on_it(world: World) -> None:
    for _ in range(3):
        world.job()
    world.clock.forward(minutes=9)
    world.claimed()
    assert promise(world, "jobs") == Part("jobs", True, "1 being made, 2 waiting for longer than 2 min")


def test_a_model_that_fails_is_told_and_who_waits_for_it_is_no_fault_of_a_worker(world: World) -> None:
    assert promise(world, "circuits") == Part("circuits", True, "every model answers")
    world.job()
    world.clock.forward(minutes=3)
    factories.open_circuit(world.app)
    told = promise(world, "circuits")
    assert (told.is_ok, "gemini-nano-banana-2.1 fails since 12:03 UTC" in told.line) == (False, True)
    assert promise(world, "jobs").is_ok


def test_a_lease_that_ran_out_and_that_no_sweeper_took_back_is_told(world: World) -> None:
    world.job()
    world.claimed()
    world.clock.forward(seconds=90)
    assert promise(world, "jobs").is_ok
    world.clock.forward(seconds=60)
    told = promise(world, "jobs")
    assert (told.is_ok, told.line.partition(",")[0]) == (False, "1 of lost workers")


def test_a_promise_without_a_database_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.app.app_context():
        jobs.db.drop_all()
    assert not promise(world, "deletion").is_ok
    assert not promise(world, "jobs").is_ok


# --- the probe ------------------------------------------------------------------------------------------------------


class Slow:
    """A part that answers when it is let; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked, self.lets = 0, threading.Event()

    def __call__(self) -> str:
        self.asked += 1
        assert self.lets.wait(20)
        return "well"


def test_many_who_ask_at_once_are_one_question_and_its_answer_is_good_for_a_while() -> None:
    probe, part = Probe(), Slow()
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(probe.ask, "storage", part) for _ in range(20)]
        part.lets.set()
        assert {answer.result() for answer in answers} == {Part("storage", True, "well")}
    assert probe.ask("storage", part).is_ok
    assert part.asked == 1


def test_an_old_answer_is_asked_anew_also_a_bad_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Probe, "FRESH_SECONDS", -1.0)
    probe = Probe()

    def away() -> str:
        raise ExternalServiceError("away")

    assert probe.ask("storage", away) == Part("storage", False, "away")
    assert probe.ask("storage", lambda: "back") == Part("storage", True, "back")


def test_a_part_that_hangs_is_waited_for_once_and_never_asked_twice_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Probe, "PATIENCE_SECONDS", 0.05)
    probe, part = Probe(), Slow()
    for _ in range(3):
        assert probe.ask("storage", part) == Part("storage", False, "has not answered for 0.05 s")
    assert part.asked == 1
    part.lets.set()
    monkeypatch.setattr(Probe, "PATIENCE_SECONDS", 20.0)
    assert probe.ask("storage", part).is_ok


def test_a_check_that_breaks_is_an_answer() -> None:
    def broken() -> str:
        raise ZeroDivisionError

    answer = Probe().ask("storage", broken)
    assert (answer.is_ok, answer.line) == (False, "does not answer (ZeroDivisionError)")
