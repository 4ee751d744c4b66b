"""GeminiImageEditor against a Gemini at the wire: what is asked, what is logged, and what the doctor is told."""

import base64
import copy
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pixshift.domain.failures import FailureReason
from pixshift.errors import ConfigurationError, ExternalServiceError, TransformationFailed
from pixshift.gateways import gemini
from pixshift.gateways.gemini import GeminiImageEditor, nearest_ratio
from pixshift.gateways.ports import EditRequest
from tests.stand_ins.gemini import GeminiStandIn, picture

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT.parent / "shared" / "contracts" / "generativelanguage-v1beta.derived.openapi.json"
KEY = "key-of-the-tests"
PHOTO = picture("3:2", 600, "JPEG")
REQUEST = EditRequest(photo=PHOTO, prompt="Give this person a crown.", style="crown", width=600, height=400)


@pytest.fixture
def stand_in() -> Iterator[GeminiStandIn]:
    with GeminiStandIn() as server:
        yield server


@pytest.fixture
def editor(request: pytest.FixtureRequest, stand_in: GeminiStandIn) -> Iterator[GeminiImageEditor]:
    """An editor on the stand-in; a test may parametrize it with settings of its own."""
    made = GeminiImageEditor(stand_in.settings(**getattr(request, "param", {})))
    yield made
    made.close()


def failure_of(editor: GeminiImageEditor) -> TransformationFailed:
    with pytest.raises(TransformationFailed) as caught:
        editor.edit(REQUEST)
    return caught.value


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
    assert request.headers["accept-encoding"] == "identity"  # what comes compressed has no known size


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


@pytest.mark.parametrize("editor", [{"image_size": "1K"}], indirect=True)
def test_the_body_is_as_the_vendor_describes(
    contract: dict[str, Any], stand_in: GeminiStandIn, editor: GeminiImageEditor
) -> None:
    editor.edit(REQUEST)

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

    logged = "\n".join(record.getMessage() for record in caplog.records)
    for secret in (KEY, REQUEST.prompt, base64.urlsafe_b64encode(PHOTO[:60]).decode(), "rather not"):
        assert secret not in logged


@pytest.mark.parametrize(("mood", "level"), [("404", logging.ERROR), ("403", logging.ERROR), ("503", logging.WARNING)])
def test_what_an_operator_must_mend_is_logged_as_an_error(
    stand_in: GeminiStandIn, editor: GeminiImageEditor, caplog: pytest.LogCaptureFixture, mood: str, level: int
) -> None:
    stand_in.push(mood)

    failure_of(editor)

    records = [record for record in caplog.records if record.name.startswith("pixshift.gateways.gemini")]
    assert [(record.levelno, mood in record.getMessage()) for record in records] == [(level, True)]


@pytest.mark.parametrize(
    ("word", "logged"),
    [("BRAND_NEW_FINISH", "NO_IMAGE BRAND_NEW_FINISH"), ("Give this person a crown", "NO_IMAGE"), ("A\nB", "NO_IMAGE")],
)
def test_a_word_of_the_vendors_is_logged_when_it_is_one(
    stand_in: GeminiStandIn, editor: GeminiImageEditor, caplog: pytest.LogCaptureFixture, word: str, logged: str
) -> None:
    stand_in.push(f"finish:{word}")

    failure_of(editor)

    assert [record.getMessage().strip() for record in caplog.records] == [f"gemini made no picture: {logged}"]


def test_a_fault_of_our_own_is_unknown_and_not_tried_again(
    editor: GeminiImageEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such setting")

    monkeypatch.setattr(gemini, "_config", fail)

    failure = failure_of(editor)

    assert (failure.reason, failure.retryable) == (FailureReason.UNKNOWN, False)


def test_the_check_finds_the_configured_model(editor: GeminiImageEditor) -> None:
    assert editor.check() == "Gemini offers gemini-nano-banana-2.1"
    assert editor.is_twin is False


@pytest.mark.parametrize("editor", [{"model": "gemini-2.5-flash-image"}], indirect=True)
def test_the_check_names_what_is_on_offer_instead(editor: GeminiImageEditor) -> None:
    with pytest.raises(ExternalServiceError, match="does not offer gemini-2") as caught:
        editor.check()
    assert "gemini-3-pro-image" in caught.value.message
    assert "gemini-3.8-flash" not in caught.value.message


@pytest.mark.parametrize("editor", [{"timeout": 700}], indirect=True)
@pytest.mark.parametrize(
    ("mood", "category", "retryable"),
    [("400", "API", False), ("503", "NETWORK", True), ("cut", "NETWORK", True), ("hang", "NETWORK", True)],
)
def test_the_check_says_why_it_failed(
    stand_in: GeminiStandIn, editor: GeminiImageEditor, mood: str, category: str, retryable: bool
) -> None:
    stand_in.mood = mood

    with pytest.raises(ExternalServiceError) as caught:
        editor.check()

    assert (caught.value.category, caught.value.retryable) == (category, retryable)
    assert KEY not in caught.value.message


def test_without_a_key_there_is_no_editor(stand_in: GeminiStandIn) -> None:
    with pytest.raises(ConfigurationError, match="GEMINI_API_KEY"):
        GeminiImageEditor(stand_in.settings(api_key=None))


def test_importing_and_making_the_gateways_imports_no_vendor_sdk() -> None:
    code = """
import sys
from pixshift.gateways import console_sms, gemini, otp_store, redis_client, session_cache, twilio
from pixshift.settings_sections import Gemini, ModelPrices, Retry
retry = Retry(max_attempts=3, backoff_multiplier=2, initial_delay=1000)
prices = ModelPrices(per_million_prompt_tokens=0, per_million_output_tokens=0, per_call=0)
gemini.GeminiImageEditor(Gemini(api_key="k", endpoint="http://127.0.0.1:9", api_version="v1", model="m", timeout=1000,
                                image_size="1K", calls_per_minute=1, retry=retry,
                                prices=prices))
print([name for name in ("google.genai", "twilio", "boto3") if name in sys.modules])
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
