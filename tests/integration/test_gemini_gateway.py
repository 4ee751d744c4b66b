"""GeminiImageEditor against a Gemini at the wire: each way an answer can look, and what it costs."""

import base64
import copy
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import SecretStr

from pixshift.domain.failures import FailureReason as Reason
from pixshift.errors import ConfigurationError, ExternalServiceError, TransformationFailed
from pixshift.gateways import gemini
from pixshift.gateways.gemini import GeminiImageEditor, nearest_ratio
from pixshift.gateways.ports import EditRequest, Usage
from pixshift.settings import Gemini, Retry
from tests.servers import wait_until
from tests.stand_ins.gemini import BLOCKS, BROKEN_PICTURE, HUGE_BYTES, RETRY_SECONDS, GeminiStandIn, picture

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT.parent / "shared" / "contracts" / "generativelanguage-v1beta.derived.openapi.json"
KEY = "key-of-the-tests"
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


def body_of(stand_in: GeminiStandIn) -> dict[str, Any]:
    body: dict[str, Any] = stand_in.requests[-1].json
    return body


def test_the_request_carries_photo_prompt_and_picture_settings(
    stand_in: GeminiStandIn, editor: GeminiImageEditor
) -> None:
    editor.edit(REQUEST)

    request, body = stand_in.requests[-1], body_of(stand_in)
    photo, prompt = body["contents"][0]["parts"]
    assert base64.urlsafe_b64decode(photo["inlineData"]["data"]) == PHOTO
    assert photo["inlineData"]["mime_type"] == "image/jpeg"
    assert prompt == {"text": "Give this person a crown."}
    assert body["generationConfig"] == {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "3:2", "imageSize": "2K"},
    }
    assert request.path == "/v1beta/models/gemini-nano-banana-2.1:generateContent"
    assert request.headers["x-goog-api-key"] == KEY
    assert request.headers["x-server-timeout"] == "20"


def test_a_type_may_bring_its_own_model(stand_in: GeminiStandIn, editor: GeminiImageEditor) -> None:
    editor.edit(EditRequest(PHOTO, "p", "s", 600, 400, model="gemini-3-pro-image"))

    assert stand_in.requests[-1].path == "/v1beta/models/gemini-3-pro-image:generateContent"


@pytest.mark.parametrize(
    ("width", "height", "ratio"),
    [
        (1000, 1000, "1:1"), (1500, 1000, "3:2"), (3000, 4000, "3:4"), (1920, 1080, "16:9"), (1080, 1920, "9:16"),
        (5000, 100, "21:9"), (100, 5000, "9:16"), (1040, 1000, "1:1"), (800, 1000, "4:5"), (1200, 1000, "5:4"),
    ],
)  # fmt: skip
def test_the_nearest_ratio_is_asked_for(width: int, height: int, ratio: str) -> None:
    assert nearest_ratio(width, height) == ratio


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    if not CONTRACT.exists():
        pytest.skip(f"the vendor's description is not at {CONTRACT}")
    document: dict[str, Any] = json.loads(CONTRACT.read_text())
    return document


def check_body(contract: dict[str, Any], body: dict[str, Any]) -> None:
    root = {"$ref": "#/components/schemas/GenerateContentRequest", "components": contract["components"]}
    jsonschema.Draft202012Validator(root).validate(body)


def test_the_body_is_as_the_vendor_describes(
    contract: dict[str, Any], stand_in: GeminiStandIn, open_editor: Callable[[Gemini], GeminiImageEditor]
) -> None:
    open_editor(stand_in.settings(image_size="1K")).edit(REQUEST)

    check_body(contract, body_of(stand_in))


def test_a_larger_picture_adds_one_field_that_is_younger_than_the_description(
    contract: dict[str, Any], stand_in: GeminiStandIn, editor: GeminiImageEditor
) -> None:
    newer = copy.deepcopy(contract)
    newer["components"]["schemas"]["ImageConfig"]["properties"]["imageSize"] = {"enum": ["1K", "2K", "4K"]}

    editor.edit(REQUEST)

    check_body(newer, body_of(stand_in))


def test_no_secret_nor_photo_nor_answer_is_logged_or_kept_on_the_error(
    stand_in: GeminiStandIn, editor: GeminiImageEditor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for mood in ("400", "500", "broken_json", "text_only", "cut", "ok"):
        stand_in.push(mood)
        if mood != "ok":
            failure = failure_of(editor)
            assert failure.__cause__ is None
            assert failure.__context__ is None
            continue
        editor.edit(REQUEST)

    ours = "\n".join(record.getMessage() for record in caplog.records)
    for secret in (KEY, REQUEST.prompt, base64.urlsafe_b64encode(PHOTO[:60]).decode(), "rather not"):
        assert secret not in ours


@pytest.mark.parametrize(("mood", "level"), [("404", logging.ERROR), ("403", logging.ERROR), ("503", logging.WARNING)])
def test_what_an_operator_must_mend_is_logged_as_an_error(
    stand_in: GeminiStandIn, editor: GeminiImageEditor, caplog: pytest.LogCaptureFixture, mood: str, level: int
) -> None:
    stand_in.push(mood)

    failure_of(editor)

    records = [record for record in caplog.records if record.name == "pixshift.gateways.gemini"]
    assert [(record.levelno, mood in record.getMessage()) for record in records] == [(level, True)]


def test_a_fault_of_our_own_is_unknown_and_not_tried_again(
    editor: GeminiImageEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such setting")

    monkeypatch.setattr(gemini, "_config", fail)

    failure = failure_of(editor)

    assert (failure.reason, failure.retryable) == (Reason.UNKNOWN, False)


def test_the_check_finds_the_configured_model(editor: GeminiImageEditor) -> None:
    assert editor.check() == "Gemini offers gemini-nano-banana-2.1"
    assert editor.is_twin is False


def test_the_check_names_what_is_on_offer_instead(
    stand_in: GeminiStandIn, open_editor: Callable[[Gemini], GeminiImageEditor]
) -> None:
    editor = open_editor(stand_in.settings(model="gemini-2.5-flash-image"))

    with pytest.raises(ExternalServiceError, match="does not offer gemini-2") as caught:
        editor.check()
    assert "gemini-3-pro-image" in caught.value.message
    assert "gemini-3.8-flash" not in caught.value.message


@pytest.mark.parametrize(
    ("mood", "category", "retryable"),
    [("400", "API", False), ("503", "NETWORK", True), ("cut", "NETWORK", True), ("hang", "NETWORK", True)],
)
def test_the_check_says_why_it_failed(
    stand_in: GeminiStandIn,
    open_editor: Callable[[Gemini], GeminiImageEditor],
    mood: str,
    category: str,
    retryable: bool,
) -> None:
    stand_in.mood = mood
    editor = open_editor(stand_in.settings(timeout=700))

    with pytest.raises(ExternalServiceError) as caught:
        editor.check()

    assert (caught.value.category, caught.value.retryable) == (category, retryable)
    assert KEY not in caught.value.message


def test_without_a_key_there_is_no_editor() -> None:
    with pytest.raises(ConfigurationError, match="GEMINI_API_KEY"):
        GeminiImageEditor(stand_in.settings(api_key=None))


def test_importing_and_making_the_gateways_imports_no_vendor_sdk() -> None:
    code = """
import sys
from pixshift.gateways import console_sms, gemini, otp_store, redis_client, session_cache, twilio
from pixshift.settings import Gemini, Retry
retry = Retry(max_attempts=3, backoff_multiplier=2, initial_delay=1000)
gemini.GeminiImageEditor(Gemini(api_key="k", endpoint="http://127.0.0.1:9", api_version="v1", model="m", timeout=1000,
                                image_size="1K", retry=retry))
print([name for name in ("google.genai", "httpx2", "twilio.rest", "requests", "redis", "boto3") if name in sys.modules])
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
