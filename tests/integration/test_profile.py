"""One's own account: what it shows, where one is signed in, and another phone number."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from pixshift.domain.roles import AuthProvider
from pixshift.extensions import db
from pixshift.models import Identity, User, UserSession
from pixshift.services import sessions
from tests import factories
from tests.factories import Person
from tests.integration.conftest import MakeApp

PROFILE = "/api/v1/users/profile"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"


@pytest.fixture(params=["database alone", "with Redis"])
def either(request: pytest.FixtureRequest, make_app: MakeApp, sqlite_url: str) -> Flask:
    """Without and with the cache in front of sign-ins."""
    redis_url = "" if request.param == "database alone" else request.getfixturevalue("redis_url")
    return make_app(DATABASE_URL=sqlite_url, REDIS_URL=redis_url)


def again(app: Flask, who: Person, user_agent: str = FIREFOX) -> Person:
    """The same person in another browser."""
    client = app.test_client()
    client.environ_base["HTTP_USER_AGENT"] = user_agent
    return factories.sign_in(client, who.phone)


def post(who: Person, path: str, **form: str) -> TestResponse:
    return who.client.post(path, data={"csrf_token": who.csrf, **form})


def put(who: Person, body: Any) -> TestResponse:
    return who.client.put(PROFILE, json=body, headers=who.headers)


def asked(who: Person, number: str) -> str:
    """A code for another number, asked for by API."""
    who.client.environ_base["REMOTE_ADDR"] = factories.address()
    answer = put(who, {"phone": number})
    assert answer.status_code == 200, answer.text
    return factories.code_in(answer.json["shownText"])


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def session_of(app: Flask, who: Person) -> UUID:
    with app.app_context():
        return sessions.resolve(app.extensions["toolbox"], who.token).session_id


def why_not(client: FlaskClient, who: Person) -> str:
    """The code of the error that this sign-in now meets."""
    answer = client.get("/api/v1/auth/session", headers=who.bearer)
    assert answer.status_code == 401
    return str(factories.error_of(answer)["code"])


def ways_in(app: Flask, who: Person) -> list[tuple[str, str]]:
    with app.app_context():
        found = db.session.scalars(select(Identity).where(Identity.user_id == who.id))
        return sorted((identity.provider.value, identity.subject) for identity in found)


# --- the page and its devices -----------------------------------------------------------------------------------------


def test_the_account_shows_who_one_is_without_the_number(quick: Flask, who: Person) -> None:
    again(quick, who)
    page = who.client.get("/profile")
    assert page.status_code == 200
    for text in (
        "Member since",
        "Pictures made",
        "$0.00",
        "0 of 5 free pictures used",
        "Ways in",
        "Phone number",
        "Devices",
        "Your data",
    ):
        assert text in page.text, text
    assert f"••• ••• {who.phone[-4:]}" in page.text
    assert who.phone not in page.text
    assert "Firefox on Windows" in page.text
    assert page.text.count(", this one") == 1
    assert "Mozilla" not in page.text


def test_a_device_that_is_no_longer_signed_in_is_not_listed(quick: Flask, who: Person) -> None:
    idle, expired = again(quick, who), again(quick, who)
    ago = datetime.now(UTC) - timedelta(hours=25)
    with quick.app_context():
        for session_id, values in ((idle, {"last_seen_at": ago}), (expired, {"expires_at": ago})):
            row = session_of(quick, session_id)
            db.session.execute(update(UserSession).where(UserSession.id == row).values(**values))
        db.session.commit()
    assert who.client.get("/profile").text.count('/end"') == 1


def test_signing_one_device_out_ends_it_and_no_other(either: Flask) -> None:
    who = factories.person(either)
    lost, kept = again(either, who), again(either, who)
    for person in (lost, kept):
        assert either.test_client().get("/api/v1/auth/session", headers=person.bearer).status_code == 200
    answer = post(who, f"/profile/devices/{session_of(either, lost)}/end")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/profile#devices")
    assert why_not(either.test_client(), lost) == "AUTH_EXPIRED"
    for person in (who, kept):
        assert either.test_client().get("/api/v1/auth/session", headers=person.bearer).status_code == 200


def test_signing_this_device_out_leads_to_the_sign_in(quick: Flask, who: Person) -> None:
    answer = post(who, f"/profile/devices/{session_of(quick, who)}/end")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert who.client.get_cookie("session") is None
    assert why_not(quick.test_client(), who) == "AUTH_EXPIRED"


def test_signing_out_everywhere_ends_every_device_and_nobody_elses(either: Flask) -> None:
    who, stranger = factories.person(either), factories.person(either)
    others = [again(either, who) for _ in range(3)]
    program = either.test_client()
    for person in others:
        assert program.get("/api/v1/auth/session", headers=person.bearer).status_code == 200
    answer = post(who, "/profile/devices/end-all")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert [why_not(program, person) for person in (who, *others)] == ["AUTH_EXPIRED"] * 4
    assert program.get("/api/v1/auth/session", headers=stranger.bearer).status_code == 200


def test_all_but_one_may_be_signed_out(either: Flask) -> None:
    who = factories.person(either)
    others = [again(either, who) for _ in range(2)]
    with either.app_context():
        assert sessions.end_everywhere(either.extensions["toolbox"], who.id, session_of(either, who)) == 2
    assert [why_not(either.test_client(), person) for person in others] == ["AUTH_EXPIRED"] * 2
    assert who.client.get("/api/v1/auth/session").status_code == 200


def test_somebody_elses_device_does_not_exist(quick: Flask, who: Person) -> None:
    stranger = factories.person(quick)
    session_id = session_of(quick, stranger)
    for unknown in (session_id, uuid4()):
        assert post(who, f"/profile/devices/{unknown}/end").status_code == 404
    assert stranger.client.get("/api/v1/auth/session").status_code == 200


# --- another number, for programs -------------------------------------------------------------------------------------


def test_a_new_number_counts_once_its_code_is_proved(either: Flask) -> None:
    who, number = factories.person(either), factories.phone()
    first = put(who, {"phone": number})
    assert (first.status_code, first.json["success"], first.json["codeSent"]) == (200, True, True)
    assert first.json["user"]["phone"] == who.phone
    assert ways_in(either, who) == [("MOBILE", who.phone)]
    code = factories.code_in(first.json["shownText"])
    second = put(who, {"phone": number, "otp": code})
    assert (second.status_code, sorted(second.json)) == (200, ["success", "user"])
    assert second.json["user"]["phone"] == number
    assert second.json["user"] == who.client.get(PROFILE).json["user"]
    assert ways_in(either, who) == [("MOBILE", number)]
    assert factories.person(either, number).id == who.id
    assert factories.person(either, who.phone).id != who.id


def test_a_program_that_keeps_no_cookies_changes_the_number_as_well(quick: Flask, who: Person) -> None:
    number = factories.phone()
    sent = quick.test_client().put(PROFILE, json={"phone": number}, headers=who.bearer)
    body = {"phone": number, "otp": factories.code_in(sent.json["shownText"])}
    assert quick.test_client().put(PROFILE, json=body, headers=who.bearer).json["user"]["phone"] == number


def test_who_had_no_number_gets_one_more_way_in(quick: Flask, who: Person) -> None:
    with quick.app_context():
        db.session.execute(
            update(Identity).where(Identity.user_id == who.id).values(provider=AuthProvider.GMAIL, subject="g-1")
        )
        db.session.execute(update(User).where(User.id == who.id).values(phone=None))
        db.session.commit()
    number = factories.phone()
    assert put(who, {"phone": number, "otp": asked(who, number)}).status_code == 200
    assert ways_in(quick, who) == [("GMAIL", "g-1"), ("MOBILE", number)]


def test_a_number_in_use_is_refused_only_to_who_holds_it(either: Flask) -> None:
    who, holder = factories.person(either), factories.person(either)
    bodies = []
    for number in (holder.phone, factories.phone()):
        asker = again(either, who)
        asker.client.environ_base["REMOTE_ADDR"] = factories.address()
        answer = put(asker, {"phone": number})
        bodies.append((answer.status_code, {**answer.json, "shownText": None}))
        tried = factories.error_of(put(asker, {"phone": number, "otp": "0000000"}))
        assert tried["details"]["field"] == "otp"
    assert bodies[0] == bodies[1]
    refused = put(who, {"phone": holder.phone, "otp": asked(who, holder.phone)})
    error = factories.error_of(refused)
    assert (refused.status_code, error["code"], error["details"]["field"]) == (400, "VALIDATION_ERROR", "phone")
    assert error["message"].startswith("This number cannot be used here.")
    assert str(holder.id) not in refused.text
    assert (ways_in(either, who), ways_in(either, holder)) == ([("MOBILE", who.phone)], [("MOBILE", holder.phone)])


def test_three_wrong_codes_end_it_and_nothing_changes(quick: Flask, who: Person) -> None:
    number = factories.phone()
    code = asked(who, number)
    answers = [put(who, {"phone": number, "otp": wrong(code)}) for _ in range(3)]
    said = [factories.error_of(answer) for answer in answers]
    assert {(answer.status_code, error["code"]) for answer, error in zip(answers, said, strict=True)} == {
        (401, "AUTH_INVALID")
    }
    assert [error["details"] for error in said] == [
        {"field": "otp", "reason": reason, "triesLeft": left}
        for reason, left in (("wrong", 2), ("wrong", 1), ("locked", 0))
    ]
    late = factories.error_of(put(who, {"phone": number, "otp": code}))
    assert late["details"]["reason"] == "locked"
    assert factories.user_row(quick, who.id).phone == who.phone


def test_a_code_for_one_thing_is_of_no_use_for_another(quick: Flask, who: Person) -> None:
    number = factories.phone()
    login = factories.request_code(quick.test_client(), number)
    refused = factories.error_of(put(who, {"phone": number, "otp": login}))
    assert (refused["code"], refused["details"]["reason"]) == ("AUTH_INVALID", "gone")
    other = factories.phone()
    code = asked(who, other)
    body = {"phone": other, "otp": code}
    enter = who.client.post("/api/v1/auth/sms/verify-otp", json=body, headers=who.headers)
    assert factories.error_of(enter)["details"]["reason"] == "gone"
    assert put(who, body).status_code == 200


def test_a_code_is_of_no_use_to_somebody_else(quick: Flask, who: Person) -> None:
    number, stranger = factories.phone(), factories.person(quick)
    code = asked(who, number)
    for other in (stranger, again(quick, who)):
        assert factories.error_of(put(other, {"phone": number, "otp": code}))["details"]["reason"] == "gone"


def test_a_code_has_to_wait_for_the_one_before(quick: Flask, who: Person) -> None:
    asked(who, factories.phone())
    refused = put(who, {"phone": factories.phone()})
    assert (refused.status_code, factories.error_of(refused)["code"]) == (429, "RATE_LIMIT_EXCEEDED")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "phone"),
        ({"phone": "12 ab"}, "phone"),
        ({"phone": ""}, "phone"),
        ({"phone": 12025550142}, "phone"),
        ({"phone": "+12025550142", "role": "ADMIN"}, "role"),
        ({"phone": "+12025550142", "otp": "12"}, "otp"),
        ({"otp": "123456"}, "phone"),
    ],
)
def test_what_is_not_right_is_refused_at_its_field(who: Person, body: dict[str, Any], field: str) -> None:
    answer = put(who, body)
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "VALIDATION_ERROR", field)


def test_ones_own_number_needs_no_code(who: Person) -> None:
    answer = put(who, {"phone": who.phone})
    assert answer.status_code == 400
    assert "your number already" in factories.error_of(answer)["message"]


# --- another number, by forms -----------------------------------------------------------------------------------------


def shown_code(who: Person) -> str:
    return factories.code_in(who.client.get("/profile/phone/code").text.partition("PixShift code:")[2])


def test_the_number_is_changed_by_forms(quick: Flask, who: Person) -> None:
    number = factories.phone()
    assert "Another phone number" in who.client.get("/profile/phone").text
    sent = post(who, "/profile/phone", phone=number)
    assert (sent.status_code, sent.headers["Location"]) == (303, "/profile/phone/code")
    page = who.client.get("/profile/phone/code").text
    assert f"••• ••• {number[-4:]}" in page
    assert number not in page
    code = shown_code(who)
    mistyped = post(who, "/profile/phone/code", code=wrong(code))
    assert (mistyped.status_code, "2 tries left" in mistyped.text, 'id="code-error"' in mistyped.text) == (
        401,
        True,
        True,
    )
    done = post(who, "/profile/phone/code", code=code)
    assert (done.status_code, done.headers["Location"]) == (303, "/profile?changed=phone")
    page = who.client.get(done.headers["Location"]).text
    assert "Your number is changed." in page
    assert f"••• ••• {number[-4:]}" in page
    assert factories.user_row(quick, who.id).phone == number
    assert who.client.get("/profile/phone/code").headers["Location"] == "/profile/phone"


def test_a_number_in_use_is_refused_on_the_page_of_the_code(quick: Flask, who: Person) -> None:
    holder = factories.person(quick)
    post(who, "/profile/phone", phone=holder.phone)
    refused = post(who, "/profile/phone/code", code=shown_code(who))
    assert refused.status_code == 400
    assert "This number cannot be used here." in refused.text
    assert factories.user_row(quick, who.id).phone == who.phone


@pytest.mark.parametrize("number", ["", "12 ab", '"><img src=x>'])
def test_a_wrong_number_comes_back_in_the_form_marked(who: Person, number: str) -> None:
    answer = post(who, "/profile/phone", phone=number)
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text
    assert 'role="alert"' in answer.text
    assert "<img src=x>" not in answer.text


def test_the_code_page_without_a_number_leads_back(who: Person) -> None:
    assert who.client.get("/profile/phone/code").headers["Location"] == "/profile/phone"
    answer = post(who, "/profile/phone/code", code="123456")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/profile/phone")
