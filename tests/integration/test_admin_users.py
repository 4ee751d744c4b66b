"""The desk's people: listed, found, looked at; their roles, free pictures and sign-ins."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import event, insert, select, update
from werkzeug.test import TestResponse

from pixshift.domain.lifecycle import BillingStatus
from pixshift.domain.roles import AuthProvider, UserRole
from pixshift.errors import InvalidInput
from pixshift.extensions import db
from pixshift.models import AdminAction, BillingRecord, Transformation, User, UserSession
from pixshift.models.base import utcnow
from pixshift.services import accounts, audit, erasure
from pixshift.services.audit import Actor
from tests import factories
from tests.factories import Person
from tests.integration.conftest import MakeApp

MARKUP = "<script>alert(1)</script>"
LIST = "/api/v1/admin/users"


def admin(app: Flask) -> Person:
    return factories.person(app, role=UserRole.ADMIN)


def change(app: Flask, user_id: UUID, **values: Any) -> None:
    with app.app_context():
        db.session.execute(update(User).where(User.id == user_id).values(**values))
        db.session.commit()


def crowd(app: Flask, count: int) -> None:
    """People who never came."""
    now = utcnow()
    rows = [
        {
            "id": uuid4(),
            "auth_provider": AuthProvider.GMAIL,
            "email": f"crowd{number}@example.com",
            "created_at": now - timedelta(days=1, seconds=number),
        }
        for number in range(count)
    ]
    with app.app_context():
        db.session.execute(insert(User), rows)
        db.session.commit()


def acts(app: Flask, user_id: UUID) -> list[AdminAction]:
    """What was decided about somebody; the chain of all acts is whole."""
    with app.app_context():
        assert audit.verify().broken_at is None
        about = select(AdminAction).where(AdminAction.entity_id == user_id).order_by(AdminAction.sequence)
        return list(db.session.scalars(about))


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """The SELECTs that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            sent.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def found(who: Person, **query: Any) -> list[str]:
    answer = who.client.get(LIST, query_string=query)
    assert answer.status_code == 200, answer.text
    return [user["id"] for user in answer.json["users"]]


def post(who: Person, path: str, **form: Any) -> TestResponse:
    return who.client.post(path, data={"csrf_token": who.csrf, **form}, headers={"Accept": "text/html"})


def put_role(who: Person, user_id: UUID, role: Any) -> TestResponse:
    return who.client.put(f"{LIST}/{user_id}/role", json={"role": role}, headers=who.headers)


# --- lists ----------------------------------------------------------------------------------------------------------


def test_people_are_listed_newest_first_with_the_keys_of_the_contract(app: Flask) -> None:
    who, guest = admin(app), factories.person(app)
    change(app, guest.id, email="guest@example.com", pricing_tier="basic", free_tier_used=5, free_bonus=3)
    answer = who.client.get(LIST, query_string={"page": 1, "limit": 10, "role": "GUEST"})
    (user,) = answer.json["users"]
    created_at = user.pop("createdAt")
    assert user == {
        "id": str(guest.id), "email": "guest@example.com", "phone": guest.phone, "role": "GUEST", "freeTierUsed": 5,
        "freeBonus": 3, "pricingTier": "basic", "suspendedAt": None, "erasedAt": None,
    }  # fmt: skip
    assert created_at.endswith("Z")
    assert answer.json["pagination"] == {"page": 1, "limit": 10, "total": 1}
    assert answer.headers["Cache-Control"] == "no-store"
    assert found(who) == [str(guest.id), str(who.id)]
    assert found(who, limit=1, page=2) == [str(who.id)]
    assert who.client.get("/api/admin/users").json["pagination"] == {"page": 1, "limit": 10, "total": 2}


def test_somebody_is_found_by_email_number_or_id(app: Flask) -> None:
    who, dana, dan = admin(app), factories.person(app), factories.person(app)
    change(app, dana.id, email="dana_100%@example.com")
    change(app, dan.id, email="danax100@example.com")
    number = dana.phone
    spaced = f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    for q in ("DANA_", "dana_100%@example.com", str(dana.id), str(dana.id).upper(), number, number[1:], spaced):
        assert found(who, q=q) == [str(dana.id)], q
    assert set(found(who, q="Dan")) == {str(dana.id), str(dan.id)}
    for q in ("%", "_", "ana", "nobody", "\\", str(uuid4()), "+12025550199", "' OR 1=1 --", "x" * 320):
        assert found(who, q=q) == [], q


def test_filters_are_added_to_each_other(app: Flask) -> None:
    who, guest, suspended, erased = admin(app), *(factories.person(app) for _ in range(3))
    change(app, suspended.id, suspended_at=utcnow())
    with app.app_context():
        erasure.erase(app.extensions["toolbox"], erased.id, Actor("test"))
    assert found(who, role="ADMIN") == [str(who.id)]
    assert found(who, state="suspended") == [str(suspended.id)]
    assert found(who, state="suspended", role="ADMIN") == []
    assert found(who, state="suspended", q=guest.phone) == []
    assert str(erased.id) not in found(who)
    assert found(who, state="erased") == found(who, q=str(erased.id)) == [str(erased.id)]
    page = who.client.get("/admin/users?state=erased").text
    assert "Erased person" in page
    assert erased.phone not in page
    assert "Erased on" in who.client.get(f"/admin/users/{erased.id}").text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": 0}, "page"), ({"page": "x"}, "page"), ({"page": 10**9}, "page"), ({"limit": 101}, "limit"),
        ({"role": "BOSS"}, "role"), ({"state": "gone"}, "state"), ({"q": "x" * 321}, "q"), ({"sort": "email"}, "sort"),
    ],
)  # fmt: skip
def test_a_wrong_filter_is_named(quick: Flask, query: dict[str, Any], field: str) -> None:
    who = admin(quick)
    answer = who.client.get(LIST, query_string=query)
    assert (answer.status_code, factories.error_of(answer)["details"]["field"]) == (400, field)
    page = who.client.get("/admin/users", query_string=query, headers={"Accept": "text/html"})
    assert (page.status_code, field in page.text) == (400, True)


def test_ten_thousand_people_take_as_many_queries_as_one(quick: Flask) -> None:
    who = admin(quick)
    counts = []
    for add in (0, 10_000):
        crowd(quick, add) if add else None
        for address in ("/admin/users", LIST, "/admin/users?q=crowd99", "/admin/users?page=1000000"):
            with statements(quick) as sent:
                assert who.client.get(address).status_code == 200
            counts.append(len([one for one in sent if "FROM users" in one and "user_sessions" not in one]))
    assert counts == [2, 2, 1, 1, 2, 2, 2, 1]  # a count, and a page where there is one
    page = who.client.get("/admin/users?page=201").text
    assert "10,001 people" in page
    assert "10,001 to 10,001 of 10,001" in page
    beyond = who.client.get("/admin/users?page=1000000&role=GUEST").text
    assert "There is no page 1000000 of this list." in beyond
    assert 'href="/admin/users?role=GUEST&amp;page=200"' in beyond


def test_what_is_looked_for_stays_in_the_form_and_in_the_pages(quick: Flask) -> None:
    who = admin(quick)
    crowd(quick, 60)
    page = who.client.get("/admin/users?q=Crowd&role=GUEST&state=").text
    assert 'value="Crowd"' in page
    assert '<option value="GUEST" selected>' in page
    assert "/admin/users?q=Crowd&amp;role=GUEST&amp;page=2" in page.replace(
        "role=GUEST&amp;q=Crowd", "q=Crowd&amp;role=GUEST"
    )
    assert "Nobody is like that" in who.client.get("/admin/users?q=zzz").text


# --- one person -----------------------------------------------------------------------------------------------------


def test_one_person_is_shown_with_everything_but_pictures(app: Flask) -> None:
    who, guest = admin(app), factories.person(app)
    job_id = factories.picture(app, guest, factories.style(app, name="Engraving & more"))
    change(app, guest.id, email="guest@example.com", free_bonus=2)
    record(app, guest.id, job_id, captured=Decimal("0.99"), status=BillingStatus.COMPLETED)
    record(app, guest.id, None, authorized_at=utcnow(), amount=Decimal("1.50"))
    page = who.client.get(f"/admin/users/{guest.id}").text
    for text in ("guest@example.com", guest.phone, str(guest.id), "Engraving &amp; more", "Ready", "Free", "A program"):
        assert text in page, text
    assert re.search(r"6 left,\s+1 of 7 used, 2 of them given", page)
    assert "$0.99, $1.50 on hold" in page
    main = page.partition("<main")[2]
    assert f'href="/admin/transformations/{job_id}"' in main
    assert not re.search(r"<img|/pictures/|signature=|thumbnail", main)


def record(app: Flask, user_id: UUID, job_id: UUID | None, **values: Any) -> None:
    with app.app_context():
        db.session.add(
            BillingRecord(user_id=user_id, transformation_id=job_id, **({"amount": Decimal("0.99")} | values))
        )
        db.session.commit()


def test_markup_in_any_field_is_text(quick: Flask) -> None:
    who, guest = admin(quick), factories.person(quick)
    factories.picture(quick, guest, factories.style(quick, name=MARKUP))
    change(quick, guest.id, email=f"{MARKUP}@example.com")
    with quick.app_context():
        db.session.execute(update(UserSession).values(device=MARKUP))
        db.session.commit()
    assert post(who, f"/admin/users/{guest.id}/give", count=1, reason=MARKUP, had=0).status_code == 303
    addresses = ["/admin/users", f"/admin/users?q={MARKUP}", f"/admin/users/{guest.id}"]
    addresses += [
        f"/admin/users/{guest.id}/{act}" for act in ("role?role=ADMIN", "suspend", "lift", "sign-out", "give")
    ]
    for address in addresses:
        page = who.client.get(address).text
        assert MARKUP not in page, address
        assert "&lt;script&gt;alert(1)" in page, address


def test_a_long_history_has_pages(quick: Flask) -> None:
    who, guest = admin(quick), factories.person(quick)
    style_id = factories.style(quick)
    many_jobs(quick, guest.id, style_id, 120)
    first = who.client.get(f"/admin/users/{guest.id}").text
    assert "1 to 50 of 120" in first
    with statements(quick) as sent:
        assert "101 to 120 of 120" in who.client.get(f"/admin/users/{guest.id}?page=3").text
    assert len(sent) < 20
    assert "There is no page 99 of their pictures." in who.client.get(f"/admin/users/{guest.id}?page=99").text
    assert who.client.get(f"/admin/users/{guest.id}?page=none").status_code == 400


def many_jobs(app: Flask, user_id: UUID, type_id: UUID, count: int) -> None:
    values = {
        "user_id": user_id,
        "transformation_type_id": type_id,
        "original_image_url": "x",
        "pricing_tier_locked": "free",
    }
    with app.app_context():
        db.session.execute(insert(Transformation), [{"id": uuid4(), **values} for _ in range(count)])
        db.session.commit()


def test_who_is_not_there_is_not_found(quick: Flask) -> None:
    who = admin(quick)
    for act in ("", "/role?role=ADMIN", "/suspend", "/lift", "/sign-out", "/give", "/stop-plan"):
        assert who.client.get(f"/admin/users/{uuid4()}{act}").status_code == 404, act
        assert who.client.get(f"/admin/users/not-an-id{act}").status_code == 404, act
        if act:
            assert post(who, f"/admin/users/{uuid4()}{act}", role="ADMIN", count=1, reason="x").status_code == 404, act
    answer = put_role(who, uuid4(), "ADMIN")
    assert (answer.status_code, factories.error_of(answer)["code"]) == (404, "NOT_FOUND")
    bad = who.client.put(f"{LIST}/x/role", json={"role": "ADMIN"}, headers=who.headers)
    assert (bad.status_code, factories.error_of(bad)["code"]) == (404, "NOT_FOUND")


# --- roles ----------------------------------------------------------------------------------------------------------


def test_a_role_changes_and_is_recorded(app: Flask) -> None:
    who, guest = admin(app), factories.person(app)
    assert guest.client.get("/admin/users").status_code == 403
    answer = put_role(who, guest.id, "ADMIN")
    assert (answer.status_code, answer.json["success"]) == (200, True)
    assert (answer.json["user"]["id"], answer.json["user"]["role"]) == (str(guest.id), "ADMIN")
    assert guest.client.get("/admin/users").status_code == 200
    assert put_role(who, guest.id, "ADMIN").status_code == 200  # once more changes and records nothing
    assert post(who, f"/admin/users/{guest.id}/role", role="GUEST").location.endswith(f"{guest.id}?done=GUEST")
    assert guest.client.get("/admin/users").status_code == 403
    assert [(act.action_type, act.before, act.after, act.admin_user_id) for act in acts(app, guest.id)] == [
        ("ROLE_CHANGE", {"role": "GUEST"}, {"role": "ADMIN"}, who.id),
        ("ROLE_CHANGE", {"role": "ADMIN"}, {"role": "GUEST"}, who.id),
    ]


@pytest.mark.parametrize("body", [{}, {"role": "BOSS"}, {"role": None}, {"role": "ADMIN", "email": "x"}, [], "ADMIN"])
def test_a_role_that_is_none_is_refused(quick: Flask, body: Any) -> None:
    who, guest = admin(quick), factories.person(quick)
    answer = who.client.put(f"{LIST}/{guest.id}/role", json=body, headers=who.headers)
    assert (answer.status_code, factories.error_of(answer)["code"]) == (400, "VALIDATION_ERROR")
    assert factories.user_row(quick, guest.id).role is UserRole.GUEST
    assert post(who, f"/admin/users/{guest.id}/role", role="BOSS").status_code == 400


def test_a_role_holds_from_the_next_request_with_the_session_cache(
    make_app: MakeApp, sqlite_url: str, redis_url: str
) -> None:
    app = make_app(DATABASE_URL=sqlite_url, REDIS_URL=redis_url)
    who, other = admin(app), factories.person(app)
    for role, status in (("ADMIN", 200), ("GUEST", 403)):
        other.client.get("/dashboard")  # the cache knows them
        assert put_role(who, other.id, role).status_code == 200
        assert other.client.get("/admin/users").status_code == status
        assert other.client.get("/admin/users", headers=other.bearer).status_code == status


def test_the_last_admin_cannot_go(app: Flask) -> None:
    who = admin(app)
    answer = put_role(who, who.id, "GUEST")
    assert (answer.status_code, factories.error_of(answer)["details"]["field"]) == (400, "role")
    page = post(who, f"/admin/users/{who.id}/role", role="GUEST")
    assert (page.status_code, "This is the last admin." in page.text) == (400, True)
    suspended = admin(app)
    change(app, suspended.id, suspended_at=utcnow())  # who cannot sign in does not count
    assert put_role(who, who.id, "GUEST").status_code == 400
    with app.app_context(), pytest.raises(InvalidInput, match="last admin"):
        erasure.erase(app.extensions["toolbox"], who.id, Actor("test"))
    assert factories.user_row(app, who.id).role is UserRole.ADMIN
    assert acts(app, who.id) == []


def test_an_admin_may_leave_when_another_one_stays(quick: Flask) -> None:
    who, _other = admin(quick), admin(quick)
    assert post(who, f"/admin/users/{who.id}/role", role="GUEST").location == "/dashboard"
    assert who.client.get("/admin/users").status_code == 403


def test_of_two_who_demote_each_other_at_once_one_stays(make_app: MakeApp, postgres_url: str) -> None:
    app = make_app(DATABASE_URL=postgres_url)
    for _ in range(5):
        pair = [admin(app), admin(app)]
        with ThreadPoolExecutor(2) as pool:
            answers = [pool.submit(put_role, pair[one], pair[1 - one].id, "GUEST") for one in (0, 1)]
        ended = [answer.result().status_code for answer in answers]
        assert sorted(ended) in ([200, 400], [200, 403]), ended  # refused, or no admin any more
        left = [who for who in pair if factories.user_row(app, who.id).role is UserRole.ADMIN]
        assert len(left) == 1
        change(app, left[0].id, role=UserRole.GUEST)


def test_nothing_is_decided_about_who_was_erased(quick: Flask) -> None:
    who, guest = admin(quick), factories.person(quick)
    with quick.app_context():
        erasure.erase(quick.extensions["toolbox"], guest.id, Actor("test"))
    assert put_role(who, guest.id, "ADMIN").status_code == 400
    for act in ("suspend", "lift", "give"):
        assert post(who, f"/admin/users/{guest.id}/{act}", count=1, reason="x").status_code == 400
    assert "/suspend" not in who.client.get(f"/admin/users/{guest.id}").text.partition("<main")[2]


# --- free pictures and sign-ins -------------------------------------------------------------------------------------


def test_free_pictures_are_given_and_can_be_used(app: Flask) -> None:
    who, guest = admin(app), factories.person(app)
    style_id = factories.style(app)
    factories.set_free_used(app, guest.id, 5)
    answer = post(who, f"/admin/users/{guest.id}/give", count=2, reason="  Sorry for Tuesday ", had=0)
    assert answer.location.endswith(f"/admin/users/{guest.id}?done=give")
    assert "Sorry for Tuesday" in who.client.get(answer.location).text
    factories.picture(app, guest, style_id)
    assert guest.client.get("/api/v1/billing/free-tier").json["remaining"] == 1
    (act,) = acts(app, guest.id)
    assert (act.action_type, act.before, act.after, act.details) == (
        "GIVE_FREE", {"freeBonus": 0}, {"freeBonus": 2}, {"reason": "Sorry for Tuesday"},
    )  # fmt: skip


def test_a_form_sent_twice_gives_once(app: Flask) -> None:
    who, guest = admin(app), factories.person(app)
    form = {"count": 3, "reason": "A gift", "had": 0}
    assert post(who, f"/admin/users/{guest.id}/give", **form).status_code == 303
    again = post(who, f"/admin/users/{guest.id}/give", **form)
    assert (again.status_code, "Nothing was added." in again.text) == (400, True)
    assert 'name="had" value="3"' in again.text
    assert factories.user_row(app, guest.id).free_bonus == 3


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"count": 0, "reason": "x"}, "count"), ({"count": 101, "reason": "x"}, "count"), ({"reason": "x"}, "count"),
        ({"count": "many", "reason": "x"}, "count"), ({"count": 1}, "reason"), ({"count": 1, "reason": " "}, "reason"),
        ({"count": 1, "reason": "x" * 201}, "reason"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_gift_is_said_at_its_field(quick: Flask, form: dict[str, Any], field: str) -> None:
    who, guest = admin(quick), factories.person(quick)
    page = post(who, f"/admin/users/{guest.id}/give", had=0, **form)
    assert page.status_code == 400
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', page.text, re.DOTALL)
    assert factories.user_row(quick, guest.id).free_bonus == 0
    assert acts(quick, guest.id) == []


@pytest.mark.parametrize("reason", ["a\0b", "ok\u202eevil", "one\ntwo", "a bell\x07"])
def test_a_reason_is_one_line_of_text(quick: Flask, reason: str) -> None:
    """It is sealed in the log, which nobody can correct."""
    who, guest = admin(quick), factories.person(quick)
    assert post(who, f"/admin/users/{guest.id}/give", count=1, had=0, reason=reason).status_code == 400
    assert post(who, f"/admin/users/{guest.id}/suspend", reason=reason).status_code == 400
    assert acts(quick, guest.id) == []


def test_a_gift_that_does_not_say_what_they_had_is_not_given(quick: Flask) -> None:
    who, guest = admin(quick), factories.person(quick)
    assert post(who, f"/admin/users/{guest.id}/give", count=100, reason="x").status_code == 400
    assert factories.user_row(quick, guest.id).free_bonus == 0


@pytest.mark.parametrize("path", [
    "/admin/users?q=a%00", "/admin/billing?q=%00", "/admin/actions?who=a%00", "/admin/actions.csv?who=a%00",
    "/api/v1/admin/actions?actor=a%00", "/api/v1/admin/users?q=%00",
])  # fmt: skip
def test_what_no_text_holds_is_refused_in_every_address(app: Flask, path: str) -> None:
    assert admin(app).client.get(path).status_code == 400


def test_admins_who_act_at_once_do_not_stop_each_other(app: Flask) -> None:
    """Suspending looks at all admins, and each record of an act refers to one: neither may wait for the other's."""
    admins, guests = [admin(app) for _ in range(4)], [factories.person(app) for _ in range(2)]

    def act(number: int) -> int:
        with app.test_client() as client:
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {admins[number % 4].token}"
            if number % 3 == 2:
                gift = {"count": 1, "reason": "x", "had": number // 3}
                return client.post(f"/admin/users/{guests[1].id}/give", data=gift).status_code
            role = "ADMIN" if number % 3 else "GUEST"
            return client.put(f"{LIST}/{guests[0].id}/role", json={"role": role}).status_code

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(act, range(36)))
    assert {answer for answer in answers if answer >= 500} == set()
    with app.app_context():
        assert audit.verify().broken_at is None


@pytest.mark.parametrize("query", ["role=BOSS", "page=0", "unknown=1"])
def test_a_filter_that_does_not_exist_is_said_above_the_list(quick: Flask, query: str) -> None:
    page = admin(quick).client.get(f"/admin/users?{query}", headers={"Accept": "text/html"})
    assert page.status_code == 400
    assert "<h1>Users</h1>" in page.text
    assert 'id="error-summary"' in page.text


def test_somebody_is_signed_out_everywhere(app: Flask) -> None:
    who, guest = admin(app), factories.person(app)
    second = factories.sign_in(app.test_client(), guest.phone)
    assert post(who, f"/admin/users/{guest.id}/sign-out").status_code == 303
    assert [one.client.get("/api/v1/auth/session").status_code for one in (guest, second)] == [401, 401]
    (act,) = acts(app, guest.id)
    assert (act.action_type, act.details) == ("SESSIONS_REVOKED", {"ended": 2})
    factories.sign_in(app.test_client(), guest.phone)


def test_every_act_is_asked_about_on_a_page_and_as_a_dialog(quick: Flask) -> None:
    who, guest = admin(quick), factories.person(quick)
    for act, deed in (
        ("role?role=ADMIN", "Make an admin"), ("suspend", "Suspend"), ("lift", "Lift the suspension"),
        ("sign-out", "Sign out"), ("give", "Give them"),
    ):  # fmt: skip
        page = who.client.get(f"/admin/users/{guest.id}/{act}").text
        dialog = who.client.get(f"/admin/users/{guest.id}/{act}", headers={"HX-Request": "true"}).text
        assert f'<button type="submit" class="button primary">{deed}</button>' in page
        assert "<html" not in dialog
        assert factories.without_tokens(dialog).strip() in factories.without_tokens(page)
    assert who.client.get(f"/admin/users/{guest.id}/role?role=BOSS").status_code == 400


def test_a_form_without_its_token_changes_nothing(quick: Flask) -> None:
    who, guest = admin(quick), factories.person(quick)
    for act in ("role", "suspend", "lift", "sign-out", "give", "stop-plan"):
        form = {"role": "ADMIN", "count": 1, "reason": "x"}
        assert who.client.post(f"/admin/users/{guest.id}/{act}", data=form).status_code == 403, act
    assert who.client.put(f"{LIST}/{guest.id}/role", json={"role": "ADMIN"}).status_code == 403
    assert acts(quick, guest.id) == []


def test_an_operator_changes_roles_by_the_same_rules(quick: Flask) -> None:
    who = admin(quick)
    with quick.app_context(), pytest.raises(InvalidInput, match="last admin"):
        accounts.change_role(quick.extensions["toolbox"], who.id, UserRole.GUEST, Actor("cli"))
