"""Signing in with Google and Facebook: through the application, to stand-ins on loopback, and back."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from pixshift.errors import ConfigurationError
from pixshift.extensions import db
from pixshift.models import Identity, User, UserSession
from pixshift.models.base import utcnow
from pixshift.services import health
from pixshift.settings import load_settings
from tests import factories
from tests.factories import Person
from tests.integration.conftest import MakeApp
from tests.stand_ins.facebook import FacebookStandIn, signed_request
from tests.stand_ins.oidc import OidcStandIn

PAGE = {"Accept": "text/html,application/xhtml+xml"}
HOST = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def google_server() -> Iterator[OidcStandIn]:
    with OidcStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def facebook_server() -> Iterator[FacebookStandIn]:
    with FacebookStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def google(google_server: OidcStandIn) -> OidcStandIn:
    google_server.reset()
    google_server.claims = {"sub": "g-1", "email": "Ann@example.com", "email_verified": True, "name": "Ann"}
    return google_server


@pytest.fixture
def facebook(facebook_server: FacebookStandIn) -> FacebookStandIn:
    facebook_server.reset()
    facebook_server.me = {"id": "f-1", "name": "Ann", "email": "ann@example.com"}
    return facebook_server


@pytest.fixture
def open_app(make_app: MakeApp, sqlite_url: str, google: OidcStandIn, facebook: FacebookStandIn) -> Flask:
    """The application with both providers, which are found by their addresses in the settings."""
    return make_app(DATABASE_URL=sqlite_url, **google.environ, **facebook.environ)


@pytest.fixture
def browser(open_app: Flask) -> FlaskClient:
    return open_app.test_client()


def begin(browser: FlaskClient, provider: str = "gmail", prefix: str = "/api/v1") -> TestResponse:
    form = {"csrf_token": factories.csrf_token(browser)}
    browser.environ_base["REMOTE_ADDR"] = factories.address()
    return browser.post(f"{prefix}/auth/oauth/{provider}", data=form, headers=PAGE)


def way_back(begun: TestResponse) -> str:
    """What the provider sends the browser back to, as a path of ours."""
    assert begun.status_code == 303, begun.text
    answer = requests.get(begun.location, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(HOST)
    return answer.headers["Location"].removeprefix(HOST)


def sign_in(browser: FlaskClient, provider: str = "gmail") -> TestResponse:
    return browser.get(way_back(begin(browser, provider)), headers=PAGE)


def is_signed_in(browser: FlaskClient) -> bool:
    return browser.get("/api/v1/auth/session").status_code == 200


def me(browser: FlaskClient) -> UUID:
    return UUID(browser.get("/api/v1/auth/session").json["user"]["id"])


def person(app: Flask) -> Person:
    return factories.person(app)


def ways(app: Flask, user_id: UUID) -> list[Identity]:
    with app.app_context():
        return list(db.session.scalars(select(Identity).where(Identity.user_id == user_id)))


def people(app: Flask) -> int:
    with app.app_context():
        return len(list(db.session.scalars(select(User))))


def start_linking(who: Person, provider: str) -> TestResponse:
    return who.client.post(f"/profile/ways-in/{provider}", data={"csrf_token": who.csrf}, headers=PAGE)


def link(who: Person, provider: str) -> TestResponse:
    return who.client.get(way_back(start_linking(who, provider)), headers=PAGE)


def unlink(who: Person, identity_id: UUID) -> TestResponse:
    url = f"/profile/ways-in/{identity_id}/remove"
    return who.client.post(url, data={"csrf_token": who.csrf}, headers=PAGE)


def grow_stale(app: Flask, who: Person) -> None:
    with app.app_context():
        old = utcnow() - timedelta(minutes=11)
        db.session.execute(update(UserSession).where(UserSession.user_id == who.id).values(created_at=old))
        db.session.commit()


def test_google_signs_somebody_new_in_and_knows_them_again(open_app: Flask, browser: FlaskClient) -> None:
    answer = sign_in(browser)
    assert (answer.status_code, answer.location) == (303, "/dashboard")
    first = me(browser)
    user = factories.user_row(open_app, first)
    assert (user.email, user.auth_provider.value) == ("ann@example.com", "GMAIL")
    other = open_app.test_client()
    sign_in(other)
    assert me(other) == first
    assert people(open_app) == 1


def test_facebook_signs_in_and_its_email_is_nobodys_proof(open_app: Flask, browser: FlaskClient) -> None:
    assert sign_in(browser, "facebook").status_code == 303
    user = factories.user_row(open_app, me(browser))
    assert (user.email, user.auth_provider.value) == (None, "FACEBOOK")
    assert [way.email for way in ways(open_app, user.id)] == ["ann@example.com"]


def test_facebook_may_name_no_email(open_app: Flask, browser: FlaskClient, facebook: FacebookStandIn) -> None:
    del facebook.me["email"]
    sign_in(browser, "facebook")
    assert [way.email for way in ways(open_app, me(browser))] == [None]


def test_both_prefixes_of_the_api_begin_a_sign_in(browser: FlaskClient) -> None:
    back = way_back(begin(browser, prefix="/api"))
    assert browser.get(back.replace("/api/v1/", "/api/"), headers=PAGE).status_code == 303
    assert is_signed_in(browser)


def test_it_goes_on_where_somebody_wanted_to(browser: FlaskClient) -> None:
    browser.get("/login?next=/history")
    assert sign_in(browser).location == "/history"


def test_the_login_page_offers_what_is_configured(open_app: Flask, quick: Flask, google: OidcStandIn) -> None:
    answer = open_app.test_client().get("/login")
    assert "Continue with Google" in answer.text
    assert "Continue with Facebook" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    actions = re.search(r"form-action ([^;]*);", policy)
    assert actions
    assert {"'self'", "https://accounts.google.com", google.url} <= set(actions[1].split())
    bare = quick.test_client().get("/login")
    assert "Continue with" not in bare.text
    assert "form-action 'self';" in bare.headers["Content-Security-Policy"]


def test_what_is_not_configured_is_not_offered(quick: Flask) -> None:
    answer = begin(quick.test_client())
    assert answer.status_code == 404
    assert "is not offered here" in answer.text


def test_a_sign_in_begins_with_our_own_form_only(browser: FlaskClient) -> None:
    assert browser.post("/api/v1/auth/oauth/gmail", headers=PAGE).status_code == 403


def test_a_way_back_works_once(browser: FlaskClient) -> None:
    back = way_back(begin(browser))
    assert browser.get(back, headers=PAGE).status_code == 303
    browser.delete_cookie("session")
    again = browser.get(back, headers=PAGE)
    assert again.status_code == 400
    assert "This sign-in was started elsewhere or has run out" in again.text
    assert not is_signed_in(browser)


def test_a_way_back_works_in_its_own_browser_only(open_app: Flask, browser: FlaskClient) -> None:
    back = way_back(begin(browser))
    other = open_app.test_client()
    assert other.get(back, headers=PAGE).status_code == 400
    assert not is_signed_in(other)


def test_a_way_back_works_for_ten_minutes(browser: FlaskClient) -> None:
    back = way_back(begin(browser))
    with browser.session_transaction() as cookie:
        cookie["oauth"] = [{**entry, "at": entry["at"] - 601} for entry in cookie["oauth"]]
    assert "has run out" in browser.get(back, headers=PAGE).text
    assert not is_signed_in(browser)


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=%C3%A9", "?error=access_denied&state=forged"])
def test_a_forged_state_is_refused(browser: FlaskClient, query: str) -> None:
    begin(browser)
    answer = browser.get(f"/api/v1/auth/callback/gmail{query}", headers=PAGE)
    assert answer.status_code == 400
    assert "Please start again" in answer.text


def test_a_refusal_that_comes_without_its_state_is_told_as_one(browser: FlaskClient) -> None:
    begin(browser)
    answer = browser.get("/api/v1/auth/callback/gmail?error=access_denied", headers=PAGE)
    assert answer.status_code == 401
    assert "was not allowed to sign you in" in answer.text
    assert not is_signed_in(browser)


def test_the_state_of_one_provider_is_nothing_to_another(browser: FlaskClient) -> None:
    back = way_back(begin(browser, "facebook"))
    assert browser.get(back.replace("facebook", "gmail"), headers=PAGE).status_code == 400
    assert not is_signed_in(browser)


def test_programs_get_the_error_as_json(browser: FlaskClient) -> None:
    answer = browser.get("/api/v1/auth/callback/gmail?code=x&state=y")
    assert answer.status_code == 400
    assert factories.error_of(answer)["details"]["reason"] == "state"


@pytest.mark.parametrize("provider", ["gmail", "facebook"])
def test_a_refused_consent_says_so_and_signs_nobody_in(
    open_app: Flask, browser: FlaskClient, google: OidcStandIn, facebook: FacebookStandIn, provider: str
) -> None:
    begun = begin(browser, provider)
    google.mood = facebook.mood = "refused"
    answer = browser.get(way_back(begun), headers=PAGE)
    assert answer.status_code == 401
    assert "was not allowed to sign you in" in answer.text
    assert people(open_app) == 0


def test_a_provider_that_is_down_at_the_start_says_so(browser: FlaskClient, google: OidcStandIn) -> None:
    google.mood = "down"
    answer = begin(browser)
    assert answer.status_code == 502
    assert "Google does not answer as it should" in answer.text
    assert "Send me a code" in answer.text


@pytest.mark.parametrize("provider", ["gmail", "facebook"])
def test_a_provider_that_is_down_at_the_end_says_so(
    open_app: Flask, browser: FlaskClient, google: OidcStandIn, facebook: FacebookStandIn, provider: str
) -> None:
    back = way_back(begin(browser, provider))
    google.mood = facebook.mood = "down"
    assert browser.get(back, headers=PAGE).status_code == 502
    assert people(open_app) == 0


def test_a_connection_that_is_cut_is_a_provider_that_is_down(browser: FlaskClient, facebook: FacebookStandIn) -> None:
    back = way_back(begin(browser, "facebook"))
    facebook.push("ok", "cut")  # the token comes, the person does not
    assert browser.get(back, headers=PAGE).status_code == 502


@pytest.mark.parametrize(
    "mood",
    [
        "invalid_grant",
        "no_id_token",
        "wrong_nonce",
        "wrong_aud",
        "wrong_iss",
        "expired",
        "alg_none",
        "hs256",
        "other_key",
        "no_subject",
    ],
)
def test_a_token_that_proves_nothing_signs_nobody_in(
    open_app: Flask, browser: FlaskClient, google: OidcStandIn, mood: str
) -> None:
    back = way_back(begin(browser))
    google.mood = mood
    answer = browser.get(back, headers=PAGE)
    assert answer.status_code == 401
    assert "Google did not confirm this sign-in" in answer.text
    assert people(open_app) == 0


def test_keys_that_changed_are_asked_for_again(browser: FlaskClient, open_app: Flask, google: OidcStandIn) -> None:
    sign_in(browser)
    google.change_keys()
    other = open_app.test_client()
    assert sign_in(other).status_code == 303
    assert is_signed_in(other)


def test_the_description_of_a_provider_is_asked_for_once(open_app: Flask, google: OidcStandIn) -> None:
    for _ in range(3):
        sign_in(open_app.test_client())
    asked = [call.path for call in google.timeline]
    assert asked.count("/.well-known/openid-configuration") == 1
    assert asked.count("/jwks") == 1


def test_thirty_abandoned_sign_ins_leave_a_small_cookie(browser: FlaskClient) -> None:
    for number in range(30):
        begun = begin(browser, "gmail" if number % 2 else "facebook")
    cookie = browser.get_cookie("flow")
    assert cookie is not None
    assert len(cookie.value) < 4000
    assert browser.get(way_back(begun), headers=PAGE).status_code == 303


@pytest.mark.parametrize("said", [False, "true", 1, None])
def test_only_a_verified_email_becomes_the_persons(
    open_app: Flask, browser: FlaskClient, google: OidcStandIn, said: Any
) -> None:
    google.claims["email_verified"] = said
    sign_in(browser)
    assert factories.user_row(open_app, me(browser)).email is None


def test_an_equal_email_links_nobody(open_app: Flask, browser: FlaskClient, google: OidcStandIn) -> None:
    sign_in(browser)
    google.claims["sub"] = "g-2"
    other = open_app.test_client()
    sign_in(other)
    assert me(other) != me(browser)
    assert factories.user_row(open_app, me(other)).email is None


def test_no_token_of_a_provider_is_logged(browser: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    back = way_back(begin(browser))
    browser.get(back, headers=PAGE)
    code = re.search(r"code=([^&]+)", back)
    assert code
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("pixshift")]
    assert not [line for line in ours if code[1] in line or "eyJ" in line]


def test_a_second_way_in_is_added_and_opens_the_same_account(open_app: Flask) -> None:
    who = person(open_app)
    answer = link(who, "gmail")
    assert (answer.status_code, answer.location) == (303, "/profile")
    assert {way.provider.value for way in ways(open_app, who.id)} == {"MOBILE", "GMAIL"}
    assert factories.user_row(open_app, who.id).email == "ann@example.com"
    other = open_app.test_client()
    sign_in(other)
    assert me(other) == who.id


def test_the_account_shows_its_ways_in_and_what_may_be_added(open_app: Flask) -> None:
    who = person(open_app)
    link(who, "gmail")
    page = who.client.get("/profile").text
    assert ">Add Facebook<" in page
    assert ">Add Google<" not in page
    assert page.count("/remove") == 2


def test_what_is_somebody_elses_is_not_added(open_app: Flask, browser: FlaskClient) -> None:
    sign_in(browser)
    who = person(open_app)
    answer = link(who, "gmail")
    assert answer.status_code == 400
    assert "is in use already" in answer.text
    assert "ann@example.com" not in answer.text.lower()
    assert len(ways(open_app, who.id)) == 1
    assert is_signed_in(who.client)


def test_adding_ones_own_again_changes_nothing(open_app: Flask) -> None:
    who = person(open_app)
    link(who, "gmail")
    assert link(who, "gmail").status_code == 303
    assert len(ways(open_app, who.id)) == 2


def test_who_signed_in_meanwhile_gets_no_way_in_of_another(open_app: Flask) -> None:
    who = person(open_app)
    back = way_back(start_linking(who, "gmail"))
    stranger = person(open_app)
    who.client.set_cookie("session", stranger.token)
    assert who.client.get(back, headers=PAGE).status_code == 400
    assert len(ways(open_app, stranger.id)) == 1


def test_a_way_in_is_removed_and_the_last_one_never(open_app: Flask) -> None:
    who = person(open_app)
    link(who, "facebook")
    mobile, other = sorted(ways(open_app, who.id), key=lambda way: way.provider.value, reverse=True)
    assert unlink(who, mobile.id).location == "/profile"
    assert factories.user_row(open_app, who.id).phone is None
    answer = unlink(who, other.id)
    assert answer.status_code == 400
    assert "This is your only way in" in answer.text
    assert [way.provider.value for way in ways(open_app, who.id)] == ["FACEBOOK"]


def test_nobody_removes_a_strangers_way_in(open_app: Flask) -> None:
    who, stranger = person(open_app), person(open_app)
    link(who, "gmail")
    assert unlink(who, ways(open_app, stranger.id)[0].id).status_code == 404
    assert len(ways(open_app, stranger.id)) == 1


def test_ways_in_are_changed_only_by_who_signed_in_just_now(open_app: Flask) -> None:
    who = person(open_app)
    link(who, "facebook")
    grow_stale(open_app, who)
    for answer in (start_linking(who, "gmail"), unlink(who, ways(open_app, who.id)[0].id)):
        assert answer.status_code == 401
        assert "sign in once more" in answer.text
        assert "Sign in again" in answer.text
    assert len(ways(open_app, who.id)) == 2


def test_who_signed_in_long_ago_is_led_through_it_again(open_app: Flask) -> None:
    who = person(open_app)
    answer = who.client.post("/profile/ways-in/sign-in", data={"csrf_token": who.csrf}, headers=PAGE)
    assert answer.location == "/login"
    assert not is_signed_in(who.client)
    who.client.get(answer.location)
    assert sign_in(who.client).location == "/profile"


def test_facebook_takes_its_own_way_in_back(open_app: Flask) -> None:
    who = person(open_app)
    link(who, "facebook")
    answer = open_app.test_client().post("/auth/facebook/deletion", data={"signed_request": signed_request("f-1")})
    assert answer.status_code == 200
    code = answer.json["confirmation_code"]
    assert answer.json["url"] == f"{HOST}/auth/facebook/deletion/{code}"
    assert [way.provider.value for way in ways(open_app, who.id)] == ["MOBILE"]
    assert is_signed_in(who.client)
    assert "is deleted" in open_app.test_client().get(f"/auth/facebook/deletion/{code}").text


def test_with_the_last_way_in_goes_the_account(open_app: Flask, browser: FlaskClient) -> None:
    sign_in(browser, "facebook")
    user_id = me(browser)
    answer = open_app.test_client().post("/auth/facebook/deletion", data={"signed_request": signed_request("f-1")})
    assert answer.status_code == 200
    assert ways(open_app, user_id) == []
    assert not is_signed_in(browser)


def test_somebody_unknown_is_forgotten_already(open_app: Flask) -> None:
    answer = open_app.test_client().post("/auth/facebook/deletion", data={"signed_request": signed_request("f-9")})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "signed", ["", ".", "x.y", "é.ü", signed_request("f-1", "another secret"), signed_request("f-1")[:-2]]
)
def test_a_forged_deletion_changes_nothing(open_app: Flask, signed: str) -> None:
    who = person(open_app)
    link(who, "facebook")
    answer = open_app.test_client().post("/auth/facebook/deletion", data={"signed_request": signed})
    assert answer.status_code == 400
    assert len(ways(open_app, who.id)) == 2


@pytest.mark.parametrize("code", ["x", "0" * 32, "é" * 32])
def test_a_code_that_we_never_gave_has_no_page(open_app: Flask, code: str) -> None:
    assert open_app.test_client().get(f"/auth/facebook/deletion/{code}").status_code == 404


def test_the_doctor_asks_each_provider(open_app: Flask, google: OidcStandIn) -> None:
    tools = open_app.extensions["toolbox"]
    with open_app.app_context():
        found = {part.name: part.is_ok for part in health.vendors(tools)}
        assert found["sign-in with Google"]
        assert found["sign-in with Facebook"]
        google.mood = "down"
        assert not {part.name: part.is_ok for part in health.vendors(tools)}["sign-in with Google"]


@pytest.mark.parametrize("name", ["GOOGLE", "FACEBOOK"])
@pytest.mark.parametrize(("given", "lacks"), [("ID", "SECRET"), ("SECRET", "ID")])
def test_the_id_and_the_secret_belong_together(name: str, given: str, lacks: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}_CLIENT_{lacks} is not set, but {name}_CLIENT_{given} is"):
        load_settings({"PIXSHIFT_ENV": "test", "SECRET_KEY": "x" * 32, f"{name}_CLIENT_{given}": "x"})
