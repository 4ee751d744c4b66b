"""Codes under abuse: what is remembered of them, what they may cost, and who may say that they arrived."""

import json
import logging
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select, update
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from pixshift.extensions import db
from pixshift.models import SmsMessage
from pixshift.services import health, sms
from pixshift.services.toolbox import Toolbox
from tests import factories
from tests.integration.conftest import MakeApp
from tests.stand_ins.twilio import ACCOUNT, NUMBER, TOKEN, TwilioStandIn

REQUEST, VERIFY = "/api/v1/auth/sms/request-otp", "/api/v1/auth/sms/verify-otp"
HOOK = "/webhooks/twilio"
MakeSending = Callable[..., Flask]


@pytest.fixture
def stand_in() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as server:
        yield server


@pytest.fixture
def make_sending(
    make_app: MakeApp, sqlite_url: str, stand_in: TwilioStandIn, caplog: pytest.LogCaptureFixture
) -> MakeSending:
    """The application with a Twilio account; ``make_sending(day_spend_cap=…)`` narrows a limit."""

    def make(**limits: Any) -> Flask:
        account = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_PHONE_NUMBER": NUMBER}
        app = make_app(DATABASE_URL=sqlite_url, TWILIO_API_BASE=stand_in.url, **account)
        tools: Toolbox = app.extensions["toolbox"]
        own = tools.settings.sms.model_copy(update={"limits": tools.settings.sms.limits.model_copy(update=limits)})
        settings = tools.settings.model_copy(update={"sms": own})
        app.extensions["toolbox"] = Toolbox(settings, tools.gateways, tools.now)
        logging.getLogger().addHandler(caplog.handler)  # a new application takes all handlers away
        return app

    return make


def browser(app: Flask, address: str | None = None) -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address or factories.address()
    return client


def ask(client: FlaskClient, number: str) -> TestResponse:
    return client.post(REQUEST, json={"phone": number}, headers={"X-CSRFToken": factories.csrf_token(client)})


def enter(client: FlaskClient, number: str, code: str) -> TestResponse:
    headers = {"X-CSRFToken": factories.csrf_token(client)}
    return client.post(VERIFY, json={"phone": number, "otp": code}, headers=headers)


def rows(app: Flask) -> list[SmsMessage]:
    with app.app_context():
        return list(db.session.scalars(select(SmsMessage).order_by(SmsMessage.created_at)))


def add_codes(app: Flask, region: str, count: int, verified: int = 0, age: timedelta = timedelta()) -> None:
    with app.app_context():
        now = app.extensions["toolbox"].now() - age
        for turn in range(count):
            name = f"SM{region}{age.days}{turn}"
            at = now if turn < verified else None
            values = {"message_id": name, "code_key": name, "region": region, "status": "accepted"}
            db.session.add(SmsMessage(**values, created_at=now, verified_at=at))
        db.session.commit()


def report(app: Flask, signature: str | None = None, **fields: str) -> TestResponse:
    """A callback as Twilio makes it, with its own way of signing unless another signature is given."""
    url = app.extensions["toolbox"].settings.app_url + HOOK
    sign = RequestValidator(TOKEN).compute_signature(url, fields) if signature is None else signature
    return app.test_client().post(HOOK, data=fields, headers={"X-Twilio-Signature": sign} if sign else {})


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


# --- what is remembered ---------------------------------------------------------------------------------------------


def test_a_sent_code_is_remembered_by_country_and_never_by_number(app: Flask) -> None:
    client, number = app.test_client(), factories.phone()
    code = factories.request_code(client, number)
    (sent,) = rows(app)
    assert (sent.region, sent.status, sent.verified_at) == ("US", "accepted", None)
    written = " ".join(map(str, vars(sent).values()))
    assert number not in written
    assert number[1:] not in written
    assert code not in written
    assert enter(client, number, code).status_code == 200
    assert rows(app)[0].verified_at is not None


def test_only_the_newest_code_of_a_browser_counts_as_used(quick: Flask) -> None:
    client, number = browser(quick), factories.phone()
    factories.request_code(client, number)
    (first,) = rows(quick)
    with quick.app_context():
        tools = quick.extensions["toolbox"]
        sms.sent(tools, "SM-newer", first.code_key, "US")
        sms.verified(tools, first.code_key)
    assert [bool(row.verified_at) for row in rows(quick)] == [False, True]


def test_a_code_that_could_not_be_sent_is_not_remembered(make_sending: MakeSending, stand_in: TwilioStandIn) -> None:
    stand_in.mood = "500"
    app = make_sending()
    assert ask(browser(app), factories.phone()).status_code == 502
    assert rows(app) == []


def test_a_code_works_though_it_could_not_be_noted(quick: Flask, caplog: pytest.LogCaptureFixture) -> None:
    with quick.app_context():
        tools = quick.extensions["toolbox"]
        sms.sent(tools, "SM-same", "a", "US")
        sms.sent(tools, "SM-same", "b", "US")
    assert [row.code_key for row in rows(quick)] == ["a"]
    assert "a sent code could not be noted" in messages(caplog, logging.ERROR)


def test_conversion_is_counted_by_country(app: Flask) -> None:
    add_codes(app, "US", 4, verified=3)
    add_codes(app, "GB", 2)
    add_codes(app, "DE", 1, age=timedelta(days=8))
    with app.app_context():
        sms.delivery("SMUS00", "delivered", None)
        sms.delivery("SMGB00", "undelivered", "30003")
        since = app.extensions["toolbox"].now() - timedelta(days=7)
        found = [(c.region, c.sent, c.delivered, c.failed, c.verified, c.share) for c in sms.conversion(since)]
    assert found == [("US", 4, 1, 0, 3, 0.75), ("GB", 2, 0, 1, 0, 0.0)]
    shown = app.test_cli_runner().invoke(args=["sms", "conversion"])
    assert [line.split() for line in shown.output.splitlines()[1:]] == [
        ["US", "4", "1", "0", "3", "75%"],
        ["GB", "2", "0", "1", "0", "0%"],
    ]
    told = json.loads(app.test_cli_runner().invoke(args=["sms", "conversion", "--days", "30", "--json"]).output)
    assert [country["region"] for country in told["countries"]] == ["US", "GB", "DE"]


def test_codes_are_forgotten_after_thirty_days(app: Flask) -> None:
    add_codes(app, "US", 3, age=timedelta(days=31))
    add_codes(app, "US", 2, age=timedelta(days=29))
    with app.app_context():
        sms.tidy(app.extensions["toolbox"])
    assert len(rows(app)) == 2


def test_a_country_where_hardly_any_code_is_used_is_said_once_and_shown_by_the_doctor(
    quick: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    add_codes(quick, "US", 49)
    add_codes(quick, "DE", 50, verified=10)
    tools = quick.extensions["toolbox"]

    def doctor() -> health.Part:
        return next(part for part in health.promises(tools) if part.name == "SMS use")

    with quick.app_context():
        sms.tidy(tools)
        assert doctor() == health.Part("SMS use", True, "10 of 99 codes used in 24 h")
        assert "few codes of a country are used" not in messages(caplog, logging.WARNING)
        db.session.execute(update(SmsMessage).where(SmsMessage.message_id == "SMDE00").values(verified_at=None))
        db.session.commit()
        for _ in range(2):
            sms.tidy(tools)
        assert messages(caplog, logging.WARNING).count("few codes of a country are used") == 1
        assert (doctor().is_ok, "DE (9 of 50)" in doctor().line) == (False, True)


# --- what the vendor reports ----------------------------------------------------------------------------------------


def test_a_report_of_twilio_is_believed_and_moves_only_forward(
    make_sending: MakeSending, stand_in: TwilioStandIn
) -> None:
    app = make_sending()
    assert ask(browser(app), factories.phone()).status_code == 200
    (sent,) = rows(app)
    settings = app.extensions["toolbox"].settings
    assert stand_in.messages[0]["StatusCallback"] == settings.app_url + HOOK
    seen = []
    for status in ("sent", "queued", "delivered", "sent", "failed", "delivered", "nonsense"):
        answer = report(app, MessageSid=sent.message_id, MessageStatus=status, AccountSid=ACCOUNT)
        assert answer.status_code == 204
        seen.append(rows(app)[0].status)
    assert seen == ["sent", "sent", *["delivered"] * 5]
    assert report(app, MessageSid="SM" + "f" * 32, MessageStatus="failed").status_code == 204
    assert len(rows(app)) == 1


def test_why_a_code_did_not_arrive_is_kept(make_sending: MakeSending, caplog: pytest.LogCaptureFixture) -> None:
    app = make_sending()
    add_codes(app, "US", 1)
    report(app, MessageSid="SMUS00", MessageStatus="undelivered", ErrorCode="30003")
    assert (rows(app)[0].status, rows(app)[0].error_code) == ("undelivered", "30003")
    assert "a code did not arrive" in messages(caplog, logging.WARNING)


@pytest.mark.parametrize("kind", ["none", "junk", "of another token", "of other fields", "of another address"])
def test_a_forged_report_changes_nothing(make_sending: MakeSending, kind: str) -> None:
    app = make_sending()
    add_codes(app, "US", 1)
    fields = {"MessageSid": "SMUS00", "MessageStatus": "delivered"}
    url = app.extensions["toolbox"].settings.app_url + HOOK
    signature = {
        "none": "",
        "junk": "é" * 28,
        "of another token": RequestValidator("other").compute_signature(url, fields),
        "of other fields": RequestValidator(TOKEN).compute_signature(url, {**fields, "MessageStatus": "sent"}),
        "of another address": RequestValidator(TOKEN).compute_signature("https://evil.example" + HOOK, fields),
    }[kind]
    answer = report(app, signature, **fields)
    assert (answer.status_code, factories.error_of(answer)["code"]) == (403, "AUTH_FORBIDDEN")
    assert rows(app)[0].status == "accepted"


def test_without_an_account_no_report_is_believed(quick: Flask) -> None:
    add_codes(quick, "US", 1)
    assert report(quick, MessageSid="SMUS00", MessageStatus="delivered").status_code == 403
    assert rows(quick)[0].status == "accepted"


# --- what codes may cost --------------------------------------------------------------------------------------------


def test_at_the_spend_cap_nothing_more_is_sent_and_one_alert_is_logged(
    make_sending: MakeSending, stand_in: TwilioStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_sending()
    price = app.extensions["toolbox"].settings.sms.price_of("US")
    app = make_sending(day_spend_cap=price * 5)
    answers = [ask(browser(app), factories.phone()) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert len(stand_in.messages) == 5
    error = factories.error_of(answers[-1])
    assert (error["code"], error["details"]["field"]) == ("RATE_LIMIT_EXCEEDED", "phone")
    assert "tomorrow" in error["message"]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 86_400
    assert messages(caplog, logging.ERROR).count("SMS spend cap reached") == 1
    assert messages(caplog, logging.WARNING).count("SMS spend near its cap") == 1
    with app.app_context():
        spend = next(part for part in health.promises(app.extensions["toolbox"]) if part.name == "SMS spend")
    assert (spend.is_ok, spend.line.startswith("$0.04 of $0.0415 today")) == (False, True)


def test_yesterdays_codes_cost_nothing_today_and_each_country_has_its_price(make_sending: MakeSending) -> None:
    app = make_sending()
    add_codes(app, "US", 10, age=timedelta(days=1))
    add_codes(app, "GB", 2)
    add_codes(app, "DE", 1)
    tools = app.extensions["toolbox"]
    with app.app_context():
        prices = tools.settings.sms.price
        assert sms.spent_today(tools) == 2 * prices["GB"] + prices["default"]


# --- who may have codes sent ----------------------------------------------------------------------------------------


def test_a_hundred_neighbouring_numbers_from_one_address_cost_ten_messages(
    make_sending: MakeSending, stand_in: TwilioStandIn
) -> None:
    app, address = make_sending(), factories.address()
    answers = [ask(browser(app, address), f"+1202555{1000 + turn}").status_code for turn in range(100)]
    assert len(stand_in.messages) == 10
    assert answers.count(200) == 10


def test_strangers_cannot_lock_a_browser_out_that_was_in_before(
    make_sending: MakeSending, stand_in: TwilioStandIn
) -> None:
    app = make_sending(per_number_day=3)
    mine, number = browser(app), factories.phone()
    assert ask(mine, number).status_code == 200
    assert enter(mine, number, stand_in.code_for(number)).status_code == 200
    mark = mine.get_cookie("known")
    assert mark is not None
    assert number[1:] not in mark.value
    assert [ask(browser(app), number).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert ask(returning(app, mark.value), factories.phone()).status_code == 200
    for forged in ("", "é", mark.value[:-1] + "x"):
        assert ask(returning(app, forged), number).status_code == 429
    assert [ask(returning(app, mark.value), number).status_code for _ in range(4)] == [200, 200, 200, 429]


def returning(app: Flask, mark: str) -> FlaskClient:
    """A browser that brings this mark, and has not just asked."""
    client = browser(app)
    client.set_cookie("known", mark)
    return client


def test_of_sixty_parallel_guesses_three_count(quick: Flask) -> None:
    client, number = browser(quick), factories.phone()
    code = factories.request_code(client, number)
    token, cookie = factories.csrf_token(client), client.get_cookie("flow")
    assert cookie is not None
    ready = threading.Barrier(12)

    def guess(turn: int) -> str:
        mine = quick.test_client()
        mine.environ_base["REMOTE_ADDR"] = factories.address()
        mine.set_cookie("flow", cookie.value)
        if turn < 12:
            ready.wait()
        body = {"phone": number, "otp": f"{(int(code) + 1 + turn) % 1_000_000:06d}"}
        answer = mine.post(VERIFY, json=body, headers={"X-CSRFToken": token})
        assert answer.status_code == 401
        return str(factories.error_of(answer)["details"]["reason"])

    with ThreadPoolExecutor(12) as pool:
        reasons = list(pool.map(guess, range(60)))
    assert reasons.count("wrong") <= 3
    assert enter(client, number, code).status_code == 401


def test_a_known_number_is_no_different_from_an_unknown_one(quick: Flask) -> None:
    known = [factories.person(quick).phone for _ in range(20)]
    unknown = [factories.phone() for _ in range(20)]
    statements: list[str] = []
    with quick.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    seen: dict[str, list[tuple[float, int, tuple[str, ...]]]] = {"known": [], "unknown": []}
    for pair in zip(known, unknown, strict=True):
        for kind, number in zip(seen, pair, strict=True):
            client = browser(quick)
            headers = {"X-CSRFToken": factories.csrf_token(client)}
            statements.clear()
            begun = time.perf_counter()
            status = client.post(REQUEST, json={"phone": number}, headers=headers).status_code
            seen[kind].append((time.perf_counter() - begun, status, tuple(statements)))
    assert {call[1:] for call in seen["known"]} == {call[1:] for call in seen["unknown"]}
    medians = {kind: statistics.median(call[0] for call in calls) * 1000 for kind, calls in seen.items()}
    print({kind: f"{median:.1f} ms" for kind, median in medians.items()})  # noqa: T201
    assert abs(medians["known"] - medians["unknown"]) <= 25


def test_the_last_line_of_a_message_fills_in_the_code(make_sending: MakeSending, stand_in: TwilioStandIn) -> None:
    number = factories.phone()
    assert ask(browser(make_sending()), number).status_code == 200
    last = stand_in.messages[-1]["Body"].splitlines()[-1]
    assert last == f"@127.0.0.1 #{stand_in.code_for(number)}"
