"""GeminiImageEditor against a Gemini at the wire: each way an answer can look, and what it costs."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pixshift.domain.failures import FailureReason as Reason
from pixshift.errors import TransformationFailed
from pixshift.gateways import gemini
from pixshift.gateways.gemini import GeminiImageEditor, nearest_ratio
from pixshift.gateways.ports import EditRequest, Usage
from pixshift.settings_sections import Gemini
from tests.servers import wait_until
from tests.stand_ins.gemini import BLOCKS, BROKEN_PICTURE, HUGE_BYTES, RETRY_SECONDS, GeminiStandIn, picture

PHOTO = picture("3:2", 600, "JPEG")
REQUEST = EditRequest(photo=PHOTO, prompt="Give this person a crown.", style="crown", width=600, height=400)
SPENT = Usage(1130, 1150, 2280, "gemini-nano-banana-2.1", "r-1")
NOTHING = Usage()

BLOCKED = (
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "ESCALATION", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR",
)  # fmt: skip
WITHOUT_PICTURE = (
    "NO_IMAGE", "IMAGE_OTHER", "OTHER", "CONTINUATION", "MAX_TOKENS", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "FINISH_REASON_UNSPECIFIED", "BRAND_NEW_FINISH",
)  # fmt: skip

# mood: the reason, what was spent, the seconds that the vendor asks for
FAILURES: dict[str, tuple[Reason, Usage, float | None]] = {
    "cut": (Reason.VENDOR_DOWN, NOTHING, None),
    "cut_body": (Reason.VENDOR_DOWN, NOTHING, None),
    "400": (Reason.VENDOR_REFUSED, NOTHING, None),
    "401": (Reason.VENDOR_REFUSED, NOTHING, None),
    "403": (Reason.VENDOR_REFUSED, NOTHING, None),
    "404": (Reason.MODEL_GONE, NOTHING, None),
    "413": (Reason.VENDOR_REFUSED, NOTHING, None),
    "redirect": (Reason.VENDOR_REFUSED, NOTHING, None),
    "429": (Reason.RATE_LIMITED, NOTHING, RETRY_SECONDS),
    "429_header": (Reason.RATE_LIMITED, NOTHING, 7.0),
    "429_date": (Reason.RATE_LIMITED, NOTHING, 3600.0),
    "429_bare": (Reason.RATE_LIMITED, NOTHING, None),
    "429_odd": (Reason.RATE_LIMITED, NOTHING, None),
    "500": (Reason.VENDOR_DOWN, NOTHING, None),
    "503": (Reason.VENDOR_DOWN, NOTHING, 4.0),
    "504": (Reason.TIMEOUT, NOTHING, None),
    "html": (Reason.VENDOR_DOWN, NOTHING, None),
    "html_ok": (Reason.BAD_ANSWER, NOTHING, None),
    "broken_json": (Reason.BAD_ANSWER, NOTHING, None),
    "broken_gzip": (Reason.BAD_ANSWER, NOTHING, None),
    "deep_json": (Reason.BAD_ANSWER, NOTHING, None),
    "odd_shape": (Reason.BAD_ANSWER, NOTHING, None),
    "empty_body": (Reason.BAD_ANSWER, NOTHING, None),
    "bad_base64": (Reason.BAD_ANSWER, SPENT, None),
    "empty": (Reason.NO_IMAGE, Usage(1130, 1150, 2280), None),
    "nothing": (Reason.NO_IMAGE, NOTHING, None),
    "no_parts": (Reason.NO_IMAGE, SPENT, None),
    "blank_text": (Reason.NO_IMAGE, SPENT, None),
    "thought_only": (Reason.NO_IMAGE, SPENT, None),
    "empty_picture": (Reason.NO_IMAGE, SPENT, None),
    "wrong_type": (Reason.NO_IMAGE, SPENT, None),
    "continuation": (Reason.NO_IMAGE, SPENT, None),
    "text_only": (Reason.TEXT_ONLY, SPENT, None),
    "finish:MALFORMED_RESPONSE": (Reason.BAD_ANSWER, SPENT, None),
    "finish:LANGUAGE": (Reason.VENDOR_REFUSED, SPENT, None),
    "finish:PUP_LIMITED_DISABLED": (Reason.VENDOR_REFUSED, SPENT, None),
    "finish:SAFETY:with_picture": (Reason.PICTURE_BLOCKED, SPENT, None),
    "finish:BRAND_NEW_FINISH:with_picture": (Reason.NO_IMAGE, SPENT, None),
    **{f"block:{word}": (Reason.PROMPT_BLOCKED, Usage(1130, 1150, 2280, SPENT.model_version), None) for word in BLOCKS},
    **{f"finish:{word}": (Reason.PICTURE_BLOCKED, SPENT, None) for word in BLOCKED},
    **{f"finish:{word}": (Reason.NO_IMAGE, SPENT, None) for word in WITHOUT_PICTURE},
}

PICTURES: dict[str, tuple[bytes, str, Usage]] = {
    "ok": (picture("3:2", 2048), "image/png", SPENT),
    "no_finish": (picture(), "image/png", SPENT),
    "finish:MAX_TOKENS:with_picture": (picture(), "image/png", SPENT),
    "finish:STOP:with_picture": (picture(), "image/png", SPENT),
    "text_first": (picture(), "image/png", SPENT),
    "thought": (picture(), "image/png", SPENT),
    "thought_last": (picture(), "image/png", SPENT),
    "several": (picture(), "image/png", SPENT),
    "urlsafe_base64": (picture(), "image/png", SPENT),
    "corrupt": (BROKEN_PICTURE, "image/png", SPENT),
    "odd_type": (picture("1:1", 64, "GIF"), "image/gif", SPENT),
    "huge": (b"\x89PNG" + bytes(HUGE_BYTES), "image/png", SPENT),
    "no_usage": (picture(), "image/png", NOTHING),
    "odd_usage": (picture(), "image/png", Usage(model_version=SPENT.model_version, response_id="r-1")),
}


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


@pytest.mark.parametrize("mood", ["drip", "hang"])
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
