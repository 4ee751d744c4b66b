"""TwilioSmsSender against a Twilio at the wire, and its twin."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jsonschema
import pytest
from pydantic import SecretStr

from pixshift.errors import ConfigurationError, ExternalServiceError, InvalidInput
from pixshift.gateways.console_sms import ConsoleSms
from pixshift.gateways.ports import SmsSender
from pixshift.gateways.twilio import TwilioSmsSender
from tests.stand_ins.twilio import ACCOUNT, NUMBER, TOKEN, TwilioStandIn

CONTRACT = Path(__file__).resolve().parents[2].parent / "shared" / "contracts" / "twilio_api_v2010.json"
TO, TEXT = "+12025550142", "PixShift code: 482913. Valid for 5 minutes. Tell it to nobody."


@pytest.fixture
def stand_in() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as server:
        yield server


@pytest.fixture
def sender(stand_in: TwilioStandIn) -> TwilioSmsSender:
    return TwilioSmsSender(stand_in.settings())


def test_a_message_is_sent_once_with_a_short_life_and_the_risk_check(
    stand_in: TwilioStandIn, sender: TwilioSmsSender
) -> None:
    sent = sender.send(TO, TEXT)

    assert (sent.message_id, sent.shown_text) == (f"SM{1:032x}", None)
    assert stand_in.messages == [
        {"To": TO, "From": NUMBER, "Body": TEXT, "ValidityPeriod": "300", "RiskCheck": "enable"}
    ]
    assert stand_in.code_for(TO) == "482913"
    assert stand_in.calls == 1
    assert sender.is_twin is False


@pytest.mark.parametrize("code", ["21211", "21217", "21408", "21610", "21612", "21614", "21635"])
def test_a_number_that_cannot_get_messages_is_the_callers_to_mend(
    stand_in: TwilioStandIn, sender: TwilioSmsSender, code: str
) -> None:
    stand_in.mood = code

    with pytest.raises(InvalidInput) as caught:
        sender.send(TO, TEXT)

    assert caught.value.field == "phone"
    assert TO not in caught.value.message
    assert code not in caught.value.message
    assert stand_in.calls == 1


@pytest.mark.parametrize(
    ("mood", "category", "retryable"),
    [
        ("500", "API", True),
        ("html", "API", True),
        ("empty", "API", False),
        ("30001", "API", False),
        ("20003", "API", False),
        ("20429", "API", True),
        ("cut", "NETWORK", True),
        ("hang", "NETWORK", True),
    ],
)
def test_the_vendors_trouble_is_an_error_after_exactly_one_call(
    stand_in: TwilioStandIn, mood: str, category: str, retryable: bool
) -> None:
    stand_in.mood = mood

    with pytest.raises(ExternalServiceError) as caught:
        TwilioSmsSender(stand_in.settings(timeout=300)).send(TO, TEXT)

    assert (caught.value.category, caught.value.retryable) == (category, retryable)
    assert caught.value.__context__ is None
    assert stand_in.calls == 1
    assert not stand_in.messages


def test_nobody_listening_is_a_matter_of_the_network(stand_in: TwilioStandIn) -> None:
    with pytest.raises(ExternalServiceError) as caught:
        TwilioSmsSender(stand_in.settings(api_base="http://127.0.0.1:9")).send(TO, TEXT)

    assert (caught.value.category, caught.value.retryable) == ("NETWORK", True)


def test_a_wrong_token_is_found_by_the_check(stand_in: TwilioStandIn, sender: TwilioSmsSender) -> None:
    assert sender.check() == f"Twilio account is active, sending from {NUMBER}"

    with pytest.raises(ExternalServiceError):
        TwilioSmsSender(stand_in.settings(auth_token=SecretStr("wrong"))).check()
    stand_in.account_status = "suspended"
    with pytest.raises(ExternalServiceError, match="suspended"):
        sender.check()


def test_neither_code_nor_number_nor_token_is_logged(
    stand_in: TwilioStandIn, sender: TwilioSmsSender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stand_in.push("ok", "21211", "500")

    sender.send(TO, TEXT)
    for error in (InvalidInput, ExternalServiceError):
        with pytest.raises(error):
            sender.send(TO, TEXT)

    for secret in ("482913", TO, TOKEN, ACCOUNT):
        assert secret not in caplog.text


def test_many_threads_may_send_at_once(stand_in: TwilioStandIn, sender: TwilioSmsSender) -> None:
    numbers = [f"+1202555{number:04}" for number in range(40)]
    with ThreadPoolExecutor(20) as pool:
        sent = list(pool.map(lambda number: sender.send(number, TEXT), numbers))

    assert len({one.message_id for one in sent}) == 40
    assert sorted(message["To"] for message in stand_in.messages) == numbers


def test_the_form_is_as_the_vendor_describes(stand_in: TwilioStandIn, sender: TwilioSmsSender) -> None:
    if not CONTRACT.exists():
        pytest.skip(f"the vendor's description is not at {CONTRACT}")
    document = json.loads(CONTRACT.read_text())
    operation = document["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"]["post"]
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]

    sender.send(TO, TEXT)

    request = stand_in.requests[-1]
    form: dict[str, Any] = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    form["ValidityPeriod"] = int(form["ValidityPeriod"])
    strict = {**schema, "additionalProperties": False, "components": document["components"]}
    jsonschema.Draft202012Validator(strict).validate(form)
    assert request.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


@pytest.mark.parametrize("missing", ["account_sid", "auth_token", "from_number"])
def test_half_an_account_is_a_fault_of_the_configuration(stand_in: TwilioStandIn, missing: str) -> None:
    with pytest.raises(ConfigurationError, match="TWILIO_AUTH_TOKEN"):
        TwilioSmsSender(stand_in.settings(**{missing: None}))


def test_the_twin_hands_the_text_back_and_logs_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    twin: SmsSender = ConsoleSms()

    first, second = twin.send(TO, TEXT), twin.send(TO, TEXT)

    assert twin.is_twin is True
    assert (first.shown_text, second.shown_text) == (TEXT, TEXT)
    assert first.message_id != second.message_id
    assert "development" in twin.check()
    assert "482913" not in caplog.text
    assert TO not in caplog.text
