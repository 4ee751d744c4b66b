"""GeminiImageEditor against a Gemini at the wire: each way an answer can look, and what it costs."""

import dataclasses
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from pixshift.domain.failures import FailureReason as Reason
from pixshift.errors import TransformationFailed
from pixshift.gateways import gemini
from pixshift.gateways.gemini import GeminiImageEditor, nearest_ratio
from pixshift.gateways.ports import EditRequest
from pixshift.settings_sections import Gemini
from tests.gemini_outcomes import ENDLESS, FAILURES, PICTURES
from tests.servers import wait_until
from tests.stand_ins.gemini import GeminiStandIn
from tests.stand_ins.gemini_moods import MOODS, bomb, picture

PHOTO = picture("3:2", 600, "JPEG")
REQUEST = EditRequest(photo=PHOTO, prompt="Give this person a crown.", style="crown", width=600, height=400)


@pytest.fixture(scope="module")
def server() -> Iterator[GeminiStandIn]:
    with GeminiStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(server: GeminiStandIn) -> GeminiStandIn:
    server.reset()
    server.gate, server.result = None, None
    return server


@pytest.fixture(scope="module")
def shared_editor(server: GeminiStandIn) -> Iterator[GeminiImageEditor]:
    editor = GeminiImageEditor(server.settings())
    yield editor
    editor.close()


@pytest.fixture
def editor(stand_in: GeminiStandIn, shared_editor: GeminiImageEditor) -> GeminiImageEditor:
    return shared_editor


@pytest.fixture
def open_editor() -> Iterator[Callable[[Gemini], GeminiImageEditor]]:
    editors: list[GeminiImageEditor] = []

    def open_one(chosen: Gemini) -> GeminiImageEditor:
        editors.append(GeminiImageEditor(chosen))
        return editors[-1]

    yield open_one
    for editor in editors:
        editor.close()


def failure_of(editor: GeminiImageEditor, request: EditRequest = REQUEST) -> TransformationFailed:
    with pytest.raises(TransformationFailed) as caught:
        editor.edit(request)
    return caught.value


def test_each_mood_has_its_outcome() -> None:
    assert {*FAILURES, *PICTURES, *ENDLESS} >= {*MOODS} - {"slow"}


@pytest.mark.parametrize("mood", PICTURES)
def test_the_models_bytes_come_out_untouched(stand_in: GeminiStandIn, editor: GeminiImageEditor, mood: str) -> None:
    stand_in.push(mood)

    made = editor.edit(REQUEST)

    data, media_type, usage = PICTURES[mood]
    assert made.data == data
    assert (made.media_type, made.usage, stand_in.calls) == (media_type, usage, 1)


@pytest.mark.parametrize("mood", FAILURES)
def test_each_failure_has_its_reason_after_exactly_one_call(
    stand_in: GeminiStandIn, editor: GeminiImageEditor, mood: str
) -> None:
    stand_in.push(mood)

    failure = failure_of(editor)

    reason, usage, wait = FAILURES[mood]
    assert (failure.reason, failure.usage, failure.retry_after) == (reason, usage, wait)
    assert (failure.retryable, failure.message, failure.details) == (reason.retryable, reason.sentence, {})
    assert stand_in.calls == 1


def test_each_failure_leaves_the_editor_in_working_order(stand_in: GeminiStandIn, editor: GeminiImageEditor) -> None:
    for mood in FAILURES:
        stand_in.push(mood, "ok")
        failure_of(editor)
        assert editor.edit(REQUEST).data == picture("3:2", 2048)


@pytest.mark.parametrize("mood", ENDLESS)
def test_the_deadline_holds_however_the_answer_dawdles(
    stand_in: GeminiStandIn, open_editor: Callable[[Gemini], GeminiImageEditor], mood: str
) -> None:
    stand_in.push("ok", mood)
    editor = open_editor(stand_in.settings(timeout=700))
    editor.edit(REQUEST)  # the import of the SDK is not part of a call
    began = time.monotonic()

    failure = failure_of(editor)

    assert 0.7 <= time.monotonic() - began < 1.5
    assert (failure.reason, failure.retryable, stand_in.calls) == (Reason.TIMEOUT, True, 2)


def test_a_connection_that_cannot_be_made_is_the_vendors_absence(
    stand_in: GeminiStandIn,
    open_editor: Callable[[Gemini], GeminiImageEditor],
) -> None:
    failure = failure_of(open_editor(stand_in.settings(endpoint="http://127.0.0.1:9")))

    assert (failure.reason, failure.retryable) == (Reason.VENDOR_DOWN, True)


def test_the_deadline_holds_while_a_connection_is_not_taken(
    stand_in: GeminiStandIn, open_editor: Callable[[Gemini], GeminiImageEditor]
) -> None:
    editor = open_editor(stand_in.settings(timeout=700))
    failure_of(editor, dataclasses.replace(REQUEST, model="../no-such"))  # the import of the SDK is not part of a call
    with full_port() as port:
        slow = open_editor(stand_in.settings(timeout=700, endpoint=f"http://127.0.0.1:{port}"))
        began = time.monotonic()

        failure = failure_of(slow)

        assert 0.7 <= time.monotonic() - began < 1.5
    assert (failure.reason, failure.retryable) == (Reason.TIMEOUT, True)


@contextmanager
def full_port() -> Iterator[int]:
    """A port that listens and takes nobody in: its queue is full."""
    with socket.socket() as server, ExitStack() as waiting:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_an_answer_that_inflates_to_gigabytes_takes_little_memory(
    stand_in: GeminiStandIn, editor: GeminiImageEditor
) -> None:
    stand_in.push("ok", "gzip_bomb")
    editor.edit(REQUEST)
    bomb()
    tracemalloc.start()
    try:
        failure = failure_of(editor)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert failure.reason == Reason.BAD_ANSWER
    assert peak < 100 * 1024 * 1024


def test_an_answer_without_end_is_given_up(
    stand_in: GeminiStandIn, editor: GeminiImageEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemini, "_LARGEST_ANSWER", 1024 * 1024)
    stand_in.push("huge")

    assert failure_of(editor).reason == Reason.BAD_ANSWER


def test_200_calls_at_once_share_one_client(stand_in: GeminiStandIn, editor: GeminiImageEditor) -> None:
    stand_in.gate = threading.Event()
    with ThreadPoolExecutor(200) as pool:
        calls = [pool.submit(editor.edit, REQUEST) for _ in range(200)]
        wait_until(lambda: stand_in.calls == 200, 30, "200 calls in flight")
        stand_in.gate.set()
        pictures = {call.result(30).data for call in calls}

    assert pictures == {picture("3:2", 2048)}
    assert stand_in.calls == 200
    assert sum(thread.name == "gemini" for thread in threading.enumerate()) == 1


def test_calls_at_once_get_their_own_answers(stand_in: GeminiStandIn, editor: GeminiImageEditor) -> None:
    sizes = [(600, 400), (400, 600), (500, 500), (1600, 900)] * 8
    with ThreadPoolExecutor(32) as pool:
        made = pool.map(lambda size: editor.edit(EditRequest(PHOTO, "p", "s", *size)), sizes)

        assert [one.data for one in made] == [picture(nearest_ratio(*size), 2048) for size in sizes]


def test_close_ends_what_runs_as_lost_and_it_may_be_used_again(
    stand_in: GeminiStandIn, open_editor: Callable[[Gemini], GeminiImageEditor]
) -> None:
    stand_in.push("hang")
    editor = open_editor(stand_in.settings())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(failure_of, editor)
        wait_until(lambda: stand_in.calls == 1, what="the call")
        editor.close()
        failure = waiting.result(5)

    assert (failure.reason, failure.retryable) == (Reason.WORKER_LOST, True)
    assert editor.edit(REQUEST).data
