"""Signing in and out as people do it, without JavaScript: forms, pages, and what a page says when it is not right."""

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import factories
from tests.integration.conftest import MakeApp


@pytest.fixture
def client(make_app: MakeApp, sqlite_url: str) -> FlaskClient:
    browser = make_app(DATABASE_URL=sqlite_url).test_client()
    browser.environ_base["REMOTE_ADDR"] = factories.address()
    return browser


def send(client: FlaskClient, path: str, **form: str) -> TestResponse:
    """A form as the browser sends it, the hidden token in it."""
    return client.post(path, data={"csrf_token": factories.csrf_token(client), **form})


def shown_code(client: FlaskClient) -> str:
    return factories.code_in(client.get("/login/code").text.partition("PixShift code:")[2])


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_the_whole_way_by_forms(client: FlaskClient) -> None:
    number = factories.phone()
    assert "Sign in" in client.get("/login").text
    asked = send(client, "/login", phone=number)
    assert (asked.status_code, asked.headers["Location"]) == (303, "/login/code")
    page = client.get("/login/code").text
    assert f"••• ••• {number[-4:]}" in page
    assert number not in page
    entered = send(client, "/login/code", code=shown_code(client))
    assert (entered.status_code, entered.headers["Location"]) == (303, "/dashboard")
    assert client.get("/dashboard").status_code == 200
    assert client.get("/login").headers["Location"] == "/dashboard"
    out = send(client, "/logout")
    assert (out.status_code, out.headers["Location"]) == (303, "/")
    assert client.get("/dashboard").status_code == 303


def test_a_wrong_number_comes_back_in_the_form_marked(client: FlaskClient) -> None:
    answer = send(client, "/login", phone="12 ab")
    assert answer.status_code == 400
    assert 'value="12 ab"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert "Write it like +1 202 555 0142." in answer.text
    assert 'role="alert"' in answer.text
    assert "<title>Error: " in answer.text


@pytest.mark.parametrize("number", ["", "   ", "<script>alert(1)</script>", '"><img src=x>'])
def test_what_was_typed_is_never_markup(client: FlaskClient, number: str) -> None:
    answer = send(client, "/login", phone=number)
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text
    assert "<img src=x>" not in answer.text
    assert "String should" not in answer.text


def test_a_wrong_code_says_how_many_tries_are_left(client: FlaskClient) -> None:
    send(client, "/login", phone=factories.phone())
    code = shown_code(client)
    said = [send(client, "/login/code", code=wrong(code)) for _ in range(3)]
    assert [answer.status_code for answer in said] == [401, 401, 401]
    assert "2 tries left" in said[0].text
    assert "1 try left" in said[1].text
    assert "Ask for a new code" in said[2].text
    assert send(client, "/login/code", code=code).status_code == 401


def test_a_malformed_code_is_said_at_its_field(client: FlaskClient) -> None:
    send(client, "/login", phone=factories.phone())
    answer = send(client, "/login/code", code="12")
    assert answer.status_code == 400
    assert "The code has 6 digits." in answer.text
    assert 'id="code-error"' in answer.text
    assert send(client, "/login/code", code=shown_code(client)).status_code == 303


def test_a_new_code_has_to_wait_and_says_how_long(client: FlaskClient) -> None:
    send(client, "/login", phone=factories.phone())
    answer = send(client, "/login/resend")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert "Please wait" in answer.text
    assert "Enter your code" in answer.text


def test_the_code_page_without_a_number_leads_back(client: FlaskClient) -> None:
    assert client.get("/login/code").headers["Location"] == "/login"
    for path in ("/login/code", "/login/resend"):
        answer = send(client, path, code="123456")
        assert (answer.status_code, answer.headers.get("Location")) == (303, "/login"), path


def test_a_form_without_its_token_is_refused_with_a_page(client: FlaskClient) -> None:
    answer = client.post("/login", data={"phone": factories.phone()})
    assert answer.status_code == 403
    assert "Reload the page" in answer.text


def test_a_session_that_ended_is_said_so_on_the_sign_in_page(client: FlaskClient) -> None:
    assert client.get("/login?ended=1").status_code == 200


def test_a_form_of_another_tab_still_works_after_the_sign_in(client: FlaskClient) -> None:
    before = factories.csrf_token(client)
    factories.sign_in(client)
    assert client.post("/logout", data={"csrf_token": before}).status_code == 303
