"""The first page of the desk, its JSON and its command: who sees it, what stands on it, and that they agree."""

import json
import re
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import event

from pixshift.domain.lifecycle import RefundStatus, Status
from pixshift.domain.roles import AuthProvider, UserRole
from pixshift.extensions import db
from pixshift.models import DailyFigures
from tests import factories
from tests.factories import Person
from tests.figure_rows import Rows

KEYS = {"totalUsers", "totalTransformations", "totalRevenue", "activeUsers"}
NO_NUMBER = re.compile(r"\b(NaN|nan|None|Infinity|inf|undefined)\b")


@pytest.fixture
def admin(quick: Flask) -> Person:
    return factories.person(quick, role=UserRole.ADMIN)


@pytest.fixture
def rows(quick: Flask, admin: Person) -> Rows:
    return Rows(quick, admin.id, factories.style(quick, "pop-art", name="Pop art"))


def now(app: Flask) -> datetime:
    moment: datetime = app.extensions["toolbox"].now()
    return moment


def page(admin: Person, path: str = "/admin") -> str:
    answer = admin.client.get(path)
    assert answer.status_code == 200
    return answer.text


def number(html: str, name: str) -> tuple[str, str]:
    """A large number of the strip, and what is said below it."""
    found = re.search(rf"<dt>{name}</dt>\s*<dd>(.*?)</dd>\s*<dd class=\"second\">(.*?)</dd>", html, re.DOTALL)
    assert found, name
    return found[1].strip(), found[2].strip()


def run(app: Flask, *words: str) -> str:
    result = app.test_cli_runner().invoke(args=["stats", *words])
    assert result.exit_code == 0, result.output
    return result.output


# --- who ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/admin", "/api/v1/admin/stats", "/api/admin/stats"])
def test_only_admins_see_the_numbers(quick: Flask, path: str, admin: Person) -> None:
    is_api = path.startswith("/api/")
    stranger, guest = quick.test_client(), factories.person(quick)
    assert stranger.get(path).status_code == (401 if is_api else 303)
    assert guest.client.get(path).status_code == 403
    assert admin.client.get(path).status_code == 200
    assert admin.client.get(path).headers["Cache-Control"] == "no-store"


# --- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", ["", "?days=7", "?days=30", "?days=90"])
def test_an_empty_product_has_a_calm_page(quick: Flask, admin: Person, days: str) -> None:
    html = page(admin, f"/admin{days}")
    assert "<h1>Nothing needs a decision</h1>" in html
    assert number(html, "Pictures today")[0] == "0"
    assert number(html, "Not made")[0] == "–"
    assert number(html, "Half are ready in") == ("–", "nine of ten in –")
    assert "There are no styles yet." in html
    assert NO_NUMBER.findall(html) == []


def test_the_numbers_of_today(quick: Flask, admin: Person, rows: Rows) -> None:
    moment = now(quick)
    for seconds in (4, 8, 6, 20):
        job = rows.ended(moment, seconds=seconds, cost="0.05")
    rows.ended(moment, "NO_IMAGE", cost="0.05")
    rows.ended(moment, "CANCELLED")
    record = rows.charged(moment, job_id=job)
    rows.given_back(record, moment, "0.50")
    html = page(admin)
    assert number(html, "Pictures today")[0] == "4"
    assert number(html, "Not made") == ("20.0%", "1, none of them charged")
    assert number(html, "Half are ready in") == ("6.0 s", "nine of ten in 20.0 s")
    assert number(html, "Income") == ("$0.49", "$0.50 given back")
    # 0.49 of income less 0.25 for five calls, over four pictures.
    assert number(html, "Cost a picture") == ("$0.062", "margin $0.06 after refunds")


def test_what_needs_a_decision_comes_first_with_a_button_that_leads_there(
    quick: Flask, admin: Person, rows: Rows
) -> None:
    moment = now(quick)
    rows.held(moment - timedelta(hours=3))
    html = page(admin)
    assert "<h1>1 thing needs a decision</h1>" in html
    assert "/admin/billing?status=held&amp;older=1h" in html
    record = rows.charged(moment)
    rows.given_back(record, moment, "0.50", RefundStatus.FAILED)
    for _ in range(8):
        rows.ended(moment, "NO_IMAGE")
    html = page(admin)
    assert "<h1>3 things need a decision</h1>" in html
    links = re.findall(r'<a class="button ?[a-z]*" href="(/admin/[^"]+)" aria-label="([^"]+)"', html)
    assert len(links) == 3
    for link, label in links:
        assert admin.client.get(link.replace("&amp;", "&")).status_code == 200, link
        assert ": " in label
    assert f"style={rows.type_id}" in links[0][0]
    assert html.index("decisions") < html.index("Pictures today") < html.index("As a table")


def test_every_kind_of_decision_leads_to_a_page_there_is(quick: Flask, admin: Person) -> None:
    from flask import url_for

    from pixshift.blueprints.admin.today import PLACES
    from pixshift.services.decisions import Kind

    assert set(PLACES) == set(Kind)
    for label, endpoint, values in PLACES.values():
        with quick.test_request_context():
            address = url_for(endpoint, **values)
        assert label
        answer = admin.client.get(address)
        assert answer.status_code == 200, address
        anchor = address.partition("#")[2]
        assert not anchor or f'id="{anchor}"' in answer.text


def test_charts_have_a_name_a_sentence_and_a_table_with_the_same_numbers(
    quick: Flask, admin: Person, rows: Rows
) -> None:
    moment = now(quick)
    for days_ago in range(0, 90, 3):
        rows.ended(moment - timedelta(days=days_ago), seconds=5 + days_ago, cost="0.04")
    rows.ended(moment, "PICTURE_BLOCKED")
    rows.charged(moment, "9.99")
    rows.sign_in(moment, AuthProvider.GMAIL)
    rows.code(moment, "DE", used=True)
    rows.code(moment, "DE", used=False)
    html = page(admin, "/admin?days=90")
    assert len(re.findall(r'<svg class="chart" [^>]*role="img"', html)) == 6
    ids = set(re.findall(r' id="([^"]+)"', html))
    for names in re.findall(r'<svg class="chart" [^>]*aria-labelledby="([^"]+)"', html):
        assert set(names.split()) <= ids
    assert "30 were made and 1 were not made in 90 days." in html
    assert '<th scope="row">DE</th><td class="n">2</td><td class="n">1</td><td class="n">50.0%</td>' in html
    assert html.count("As a table") == 6
    pictures = html[html.index('id="pictures"') : html.index('id="seconds"')]
    assert pictures.count("<tr>") == 91
    assert f'<th scope="row">{moment:%Y-%m-%d}</th><td class="n">1</td><td class="n">1</td>' in pictures
    assert NO_NUMBER.findall(html) == []
    assert "style=" not in html.replace("?style=", "").replace("&amp;style=", "")


@pytest.mark.parametrize("points", [0, 1, 90])
def test_charts_are_sound_with_few_and_many_points(quick: Flask, admin: Person, rows: Rows, points: int) -> None:
    for days_ago in range(points):
        rows.ended(now(quick) - timedelta(days=days_ago), cost="0.04")
    for days in (7, 90):
        html = page(admin, f"/admin?days={days}")
        assert NO_NUMBER.findall(html) == []
        for coordinates in re.findall(r'(?:points|x|y|width|height|cx|cy|d)="([^"]+)"', html):
            assert "e-" not in coordinates
            assert "e+" not in coordinates


@pytest.mark.parametrize("query", ["days=8", "days=", "days=-1", "days=1e9", "days=30&x=1"])
def test_a_wrong_question_is_told_so_on_the_page_itself(quick: Flask, admin: Person, query: str) -> None:
    answer = admin.client.get(f"/admin?{query}")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "Pictures today" in answer.text


def test_markup_in_a_styles_name_is_text(quick: Flask, admin: Person) -> None:
    kind = factories.style(quick, "bad", name="<script>alert(1)</script>{{ 7*7 }}")
    rows = Rows(quick, admin.id, kind)
    for _ in range(8):
        rows.ended(now(quick), "NO_IMAGE")
    html = page(admin)
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}") >= 2  # the decision and the table


def test_many_styles_cost_no_more_statements_than_one(quick: Flask, admin: Person, rows: Rows) -> None:
    def statements() -> int:
        seen: list[str] = []
        with quick.app_context():
            engine = db.engine

        def note(*given: object) -> None:
            seen.append(str(given[2]))

        event.listen(engine, "before_cursor_execute", note)
        try:
            page(admin)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    page(admin)
    few = statements()
    for place in range(40):
        kind = factories.style(quick, f"style-{place}")
        rows.ended(now(quick), transformation_type_id=kind)
    assert statements() == few
    assert few < 45


# --- the JSON and the command ---------------------------------------------------------------------------------------


def test_the_json_has_the_keys_of_the_specification_and_more(quick: Flask, admin: Person, rows: Rows) -> None:
    moment = now(quick)
    job = rows.ended(moment, cost="0.05")
    rows.ended(moment - timedelta(days=3), "PICTURE_BLOCKED", cost="0.05")
    rows.ended(moment, lab_run_id=rows.lab_run(), cost="0.07")
    rows.waiting(moment)
    record = rows.charged(moment, job_id=job)
    rows.given_back(record, moment, "0.50")
    rows.charged(moment, "5.00", currency="EUR")
    rows.sign_in(moment - timedelta(days=50))
    found = admin.client.get("/api/v1/admin/stats").json
    assert set(found) >= KEYS
    assert found == {
        "totalUsers": 2, "activeUsers": 1, "erasedUsers": 0, "totalTransformations": 3, "totalRevenue": 0.49,
        "completedTransformations": 1, "failedTransformations": 1, "blockedTransformations": 1,
        "cancelledTransformations": 0, "unfinishedTransformations": 1, "labTransformations": 1, "notMadeShare": 0.5,
        "currency": "USD", "revenue": {"EUR": 5.0, "USD": 0.49}, "modelCost": 0.1, "labCost": 0.07,
    }  # fmt: skip
    assert admin.client.get("/api/admin/stats").json == found
    assert json.loads(run(quick, "--json")) == found
    text = run(quick)
    assert re.search(r"^revenue \(USD\) +0\.49$", text, re.MULTILINE)
    assert re.search(r"^share not made +50\.0%$", text, re.MULTILINE)


def test_the_json_of_an_empty_product_is_made_of_numbers(app: Flask) -> None:
    admin = factories.person(app, role=UserRole.ADMIN)
    found = admin.client.get("/api/v1/admin/stats").json
    assert {key: found[key] for key in KEYS} == {
        "totalUsers": 1, "totalTransformations": 0, "totalRevenue": 0.0, "activeUsers": 1
    }  # fmt: skip
    assert found["notMadeShare"] is None
    assert re.search(r"^share not made +-$", run(app), re.MULTILINE)


def test_what_a_person_really_makes_and_what_the_page_says_agree(app: Flask) -> None:
    """The product's own way, on both databases: sign in, make one, cancel one."""
    admin, guest = factories.person(app, role=UserRole.ADMIN), factories.person(app)
    kind = factories.style(app)
    factories.picture(app, guest, kind)
    cancelled = factories.job(guest, kind)
    body = {"status": "CANCELLED"}
    answer = guest.client.put(f"/api/v1/transformations/{cancelled}", json=body, headers=guest.headers)
    assert answer.status_code == 200
    assert factories.row(app, cancelled).status is Status.FAILED
    found = admin.client.get("/api/v1/admin/stats").json
    assert (found["totalUsers"], found["totalTransformations"], found["completedTransformations"]) == (2, 2, 1)
    assert found["cancelledTransformations"] == 1
    html = page(admin)
    assert number(html, "Pictures today")[0] == "1"
    assert "2 by phone, 0 by Google, 0 by Facebook" in html


def test_a_style_that_is_gone_stays_counted(quick: Flask, admin: Person) -> None:
    day = now(quick).date() - timedelta(days=5)
    kept = DailyFigures(
        day=day, transformation_type_id=uuid4(), made=3, failed=1, blocked=0, cancelled=0, lab=0, cost=Decimal("0.2"),
        lab_cost=Decimal(0), captured=Decimal(0), refunded=Decimal(0),
    )  # fmt: skip
    with quick.app_context():
        db.session.add(kept)
        db.session.commit()
    assert admin.client.get("/api/v1/admin/stats").json["totalTransformations"] == 4
