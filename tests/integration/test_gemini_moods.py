"""A job from its claim to its end for each way in which Gemini may answer: what it costs, what is said, what is kept.

Everything is real but the company: the claim, the call, the decoder, the store, the books. Only the clock is set by
hand, so that no second try is waited for.
"""

import base64
import dataclasses
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete

from pixshift.domain.failures import FailureReason as Reason
from pixshift.domain.lifecycle import LONGEST_WAIT_SECONDS, Reservation, Status
from pixshift.extensions import db
from pixshift.gateways.gemini import GeminiImageEditor
from pixshift.gateways.ports import EditRequest, Usage
from pixshift.models import ModelCircuit, Transformation
from pixshift.services.toolbox import Toolbox
from tests import factories, jobs
from tests.gemini_outcomes import BROKEN, ENDLESS, FAILURES, NOTHING, PICTURES
from tests.jobs import World
from tests.stand_ins.gemini import GeminiStandIn
from tests.stand_ins.gemini_moods import picture

# What may be called, and so paid for, in all: a judgement stands; an answer that cannot be shown is asked for once
# more; only who did not answer at all is asked three times.
MOST_CALLS = {
    Reason.PROMPT_BLOCKED: 1,
    Reason.PICTURE_BLOCKED: 1,
    Reason.VENDOR_REFUSED: 1,
    Reason.MODEL_GONE: 1,
    Reason.TEXT_ONLY: 2,
    Reason.NO_IMAGE: 2,
    Reason.BAD_ANSWER: 2,
    Reason.RESULT_BROKEN: 2,
    Reason.RATE_LIMITED: 3,
    Reason.VENDOR_DOWN: 3,
    Reason.TIMEOUT: 3,
}
SECRETS = (
    "key-of-the-tests",
    "Make it pop-art",
    base64.b64encode(jobs.PHOTO).decode().rstrip("="),
    base64.urlsafe_b64encode(PICTURES["ok"][0][:30]).decode(),
    "rather not",
    "a word about why",
)
FREE_USED = 3  # before each job


@dataclasses.dataclass(frozen=True)
class Fate:
    """How a job ends, after how many calls, and whether the free picture is given back; ``usage`` is each call's."""

    status: Status
    reason: Reason | None
    calls: int
    is_given_back: bool
    usage: Usage


def _failed(reason: Reason, usage: Usage, wait: float | None = None) -> Fate:
    is_soon = (wait or 0) <= LONGEST_WAIT_SECONDS  # nobody is kept waiting for an hour
    return Fate(Status.FAILED, reason, MOST_CALLS[reason] if is_soon else 1, is_given_back=True, usage=usage)


FATES: dict[str, Fate] = {
    **{mood: _failed(reason, usage, wait) for mood, (reason, usage, wait) in FAILURES.items()},
    **{mood: _failed(Reason.TIMEOUT, NOTHING) for mood in ENDLESS},
    **{mood: Fate(Status.COMPLETED, None, 1, False, usage) for mood, (_, _, usage) in PICTURES.items()},
    **{mood: _failed(Reason.RESULT_BROKEN, PICTURES[mood][2]) for mood in BROKEN},
}


class Pipeline(World):
    """The world of ``tests.jobs`` with the real editor, decoder and local store, one person, and the company."""

    company: GeminiStandIn
    who: factories.Person

    def live(self, mood: str) -> Transformation:
        """A job of that mood from its start to its end."""
        self.company.reset(mood)
        with self.app.app_context():
            db.session.execute(delete(ModelCircuit))  # what the moods before did to the model is another story
            db.session.commit()
        factories.set_free_used(self.app, self.who.id, FREE_USED + 1)
        job = jobs.add_job(self.app, self.who.id, self.photo(self.who.id), self.type_id, self.clock())
        for _ in range(9):
            row = self.read(job)
            if row.status is not Status.PENDING:
                return row
            assert row.due_at is not None
            self.clock.now = max(self.clock.now, row.due_at)
            self.clock.forward(minutes=3)  # past every circuit and minute
            self.make_next()
        raise AssertionError(f"{mood} has no end")

    def photo(self, user_id: UUID):  # type: ignore[no-untyped-def]
        photo = jobs.add_photo(self.app, user_id, self.clock())
        self.toolbox.gateways.storage.put(photo.storage_key, jobs.PHOTO, "image/jpeg")
        return photo

    def swap_editor(self, editor: object) -> None:
        gateways = dataclasses.replace(self.toolbox.gateways, editor=editor)  # type: ignore[arg-type]
        self.app.extensions["toolbox"] = Toolbox(self.toolbox.settings, gateways, self.clock)


@pytest.fixture(scope="module")
def company() -> Iterator[GeminiStandIn]:
    with GeminiStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def pipeline(
    company: GeminiStandIn, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("moods")
    file = folder / "pixshift.sqlite3"
    file.write_bytes(sqlite_template.read_bytes())
    environ = {"GEMINI_API_KEY": "key-of-the-tests", "GEMINI_ENDPOINT": company.url}
    with jobs.application(f"sqlite:///{file}", folder, **environ) as app:
        tools: Toolbox = app.extensions["toolbox"]
        who = factories.person(app)
        clock, queue = jobs.Clock(tools.now()), jobs.Nudges()
        app.extensions["toolbox"] = Toolbox(tools.settings, dataclasses.replace(tools.gateways, queue=queue), clock)
        made = Pipeline(app, clock, None, None, queue, jobs.add_type(app))  # type: ignore[arg-type]
        made.company, made.who = company, who
        tools.gateways.editor.edit(EditRequest(jobs.PHOTO, "p", "s", 640, 480))  # the import is part of no job
        yield made


@pytest.fixture
def hurried(pipeline: Pipeline) -> Iterator[Pipeline]:
    """With a deadline of a moment."""
    usual = pipeline.toolbox.gateways.editor
    editor = GeminiImageEditor(pipeline.company.settings(timeout=400))
    pipeline.swap_editor(editor)
    yield pipeline
    pipeline.swap_editor(usual)
    editor.close()


def check(pipeline: Pipeline, job: Transformation, fate: Fate) -> None:
    """The end of the job, its calls, its books, and what it cost."""
    assert (job.status, job.failure_reason) == (fate.status, fate.reason)
    assert pipeline.company.calls == job.attempts == fate.calls
    assert job.error_message == (fate.reason.sentence if fate.reason else None)
    assert job.reservation is (Reservation.RELEASED if fate.is_given_back else Reservation.SETTLED)
    assert pipeline.free_used(job.user_id) == (FREE_USED if fate.is_given_back else FREE_USED + 1)
    spent = fate.usage
    expected = (fate.reason or "COMPLETED", spent.prompt_tokens, spent.output_tokens, spent.total_tokens)
    tries = pipeline.attempts(job.id)
    assert [try_.number for try_ in tries] == list(range(1, fate.calls + 1))
    for one in tries:
        assert (one.outcome, one.prompt_tokens, one.output_tokens, one.total_tokens) == expected
        assert (one.model_version, one.response_id) == (spent.model_version, spent.response_id)
        assert one.finished_at is not None


@pytest.mark.parametrize("mood", [mood for mood in FATES if mood not in ENDLESS])
def test_each_mood_has_its_end(pipeline: Pipeline, caplog: pytest.LogCaptureFixture, mood: str) -> None:
    caplog.set_level(logging.DEBUG)

    job = pipeline.live(mood)

    check(pipeline, job, FATES[mood])
    if job.status is Status.COMPLETED:
        assert job.transformed_image_url is not None
        made = picture("4:3") if mood == "ok" else PICTURES[mood][0]  # "ok" is of the photo's own shape
        assert pipeline.toolbox.gateways.storage.get(job.transformed_image_url) == made
        assert job.result_media_type == "image/png"  # as it is, whatever was declared
    logged = "\n".join(str(record.__dict__) for record in caplog.records)
    assert [secret for secret in SECRETS if secret in logged] == []


@pytest.mark.parametrize("mood", ENDLESS)
def test_a_call_without_end_ends_at_its_deadline_each_time(hurried: Pipeline, mood: str) -> None:
    began = time.monotonic()

    job = hurried.live(mood)

    assert 3 * 0.4 <= time.monotonic() - began < 3 * 1.4
    check(hurried, job, FATES[mood])


@pytest.mark.parametrize("moods", [("503", "ok"), ("429", "cut", "ok"), ("text_only", "ok"), ("corrupt", "ok")])
def test_what_was_tried_again_is_paid_with_one_free_picture(pipeline: Pipeline, moods: tuple[str, ...]) -> None:
    pipeline.company.reset()
    pipeline.company.push(*moods)
    factories.set_free_used(pipeline.app, pipeline.who.id, FREE_USED + 1)
    job = jobs.add_job(
        pipeline.app, pipeline.who.id, pipeline.photo(pipeline.who.id), pipeline.type_id, pipeline.clock()
    )
    for _ in moods:
        pipeline.clock.forward(minutes=3)
        pipeline.make_next()

    row = pipeline.read(job)
    assert (row.status, row.reservation) == (Status.COMPLETED, Reservation.SETTLED)
    assert pipeline.free_used(pipeline.who.id) == FREE_USED + 1
    assert [one.outcome for one in pipeline.attempts(job)][-1] == "COMPLETED"
    assert len(pipeline.attempts(job)) == pipeline.company.calls == len(moods)


MOOD_OF = {fate.reason: mood for mood, fate in FATES.items() if fate.reason and mood not in ENDLESS}


@pytest.mark.parametrize("reason", MOST_CALLS)
def test_the_person_reads_what_happened_and_the_way_out(pipeline: Pipeline, reason: Reason) -> None:
    job = pipeline.live(MOOD_OF[reason])

    answer = pipeline.who.client.get(f"/api/v1/transformations/{job.id}").json["transformation"]
    assert (answer["status"], answer["errorCode"]) == ("FAILED", "TRANSFORMATION_FAILED")
    assert answer["errorMessage"] == reason.sentence
    page = pipeline.who.client.get(f"/transformations/{job.id}").text.replace("&#39;", "'")
    assert f"{reason.sentence} {reason.way_out}" in page
    assert "You were not charged." in page
    assert "Your free picture is given back." in page
