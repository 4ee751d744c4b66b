"""The pages: each shows what it should, works without a script, and its fragment is part of it."""

from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import update

from pixshift.extensions import db
from pixshift.models import Transformation
from tests import factories
from tests.factories import Person

HTMX = {"HX-Request": "true"}


def test_everybody_may_read_the_first_page_and_the_privacy_page(quick: Flask) -> None:
    factories.style(quick)
    client = quick.test_client()
    for path in ("/", "/privacy", "/login"):
        page = client.get(path)
        assert page.status_code == 200
        assert "<h1" in page.text
    assert "Engraving" in client.get("/").text


def test_the_way_from_a_photo_to_a_picture_by_forms_alone(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app)
    sent = factories.send_photo(who, factories.photo(), url="/transform/photo")
    page = who.client.get(sent.headers["Location"])
    assert "Choose a style" in page.text
    image_id = sent.headers["Location"].partition("photo=")[2].partition("&")[0]
    form = {"image_id": image_id, "type_id": str(kind)}
    made = who.client.post("/transform", data=form, headers=who.headers)
    assert made.status_code == 303
    job_page = made.headers["Location"]
    assert "every 2s" in who.client.get(job_page).text
    factories.work(app)
    ready = who.client.get(job_page).text
    assert "Your picture is ready" in ready
    assert "every 2s" not in ready
    assert len(who.client.get(f"{job_page}/download").data) > 100
    assert "4:" in who.client.get(job_page).text or "5:00" in who.client.get(job_page).text


@pytest.mark.parametrize("state", ["waiting", "ready", "cancelled", "failed", "deleted"])
def test_the_status_fragment_is_part_of_its_page(quick: Flask, who: Person, state: str) -> None:
    kind = factories.style(quick)
    job_id = factories.picture(quick, who, kind) if state in ("ready", "deleted") else factories.job(who, kind)
    if state == "cancelled":
        who.client.post(f"/transformations/{job_id}/cancel", headers=who.headers)
    if state == "deleted":
        who.client.post(f"/transformations/{job_id}/delete", headers=who.headers)
    if state == "failed":
        assert quick.test_cli_runner().invoke(args=["transformations", "fail", str(job_id)]).exit_code == 0
    page = who.client.get(f"/transformations/{job_id}")
    fragment = who.client.get(f"/transformations/{job_id}/status", headers=HTMX)
    assert (page.status_code, fragment.status_code) == (200, 200)
    assert "<html" not in fragment.text
    assert ("data-hx-trigger" in fragment.text) == (state == "waiting")
    assert comparable(fragment.text) in comparable(page.text)
    assert "<html" in who.client.get(f"/transformations/{job_id}/status").text


def comparable(html: str) -> str:
    """Without tokens, and without signatures and seconds that differ from one moment to the next."""
    import re

    html = factories.without_tokens(html)
    html = re.sub(r"expires=\d+&amp;signature=\w+", "", html)
    return re.sub(r"\s+", " ", re.sub(r"\d+", "0", html)).strip()


def test_a_failed_job_says_that_nothing_was_charged(quick: Flask, who: Person) -> None:
    job_id = factories.job(who, factories.style(quick))
    quick.test_cli_runner().invoke(args=["transformations", "fail", str(job_id)])
    page = who.client.get(f"/transformations/{job_id}").text
    assert "You were not charged." in page
    assert "Your free picture is given back." in page


def test_a_job_is_cancelled_by_a_form(quick: Flask, who: Person) -> None:
    job_id = factories.job(who, factories.style(quick))
    answer = who.client.post(f"/transformations/{job_id}/cancel", headers=who.headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/transformations/{job_id}")
    assert who.client.post(f"/transformations/{job_id}/cancel", headers=who.headers).status_code == 400


def test_a_picture_is_made_again_from_the_same_photo(quick: Flask, who: Person) -> None:
    job_id = factories.picture(quick, who, factories.style(quick))
    answer = who.client.post(f"/transformations/{job_id}/again", headers=who.headers)
    assert answer.status_code == 303
    assert str(job_id) not in answer.headers["Location"]
    who.client.post(f"/transformations/{job_id}/delete", headers=who.headers)
    gone = who.client.post(f"/transformations/{job_id}/again", headers=who.headers)
    assert gone.status_code == 404
    assert "This photo was deleted." in gone.text


def test_the_history_is_filtered_and_turned_over(quick: Flask, who: Person) -> None:
    kind = factories.style(quick)
    assert "Nothing yet." in who.client.get("/transformations").text
    photo = factories.upload(who)["imageId"]
    factories.set_free_used(quick, who.id, -0)
    jobs = []
    for _ in range(5):
        jobs.append(factories.job(who, kind, photo))
        factories.set_free_used(quick, who.id, 0)
    for _ in range(17):
        factories.job(who, kind, photo)
        factories.set_free_used(quick, who.id, 0)
    first, second = who.client.get("/transformations").text, who.client.get("/transformations?page=2").text
    assert str(jobs[0]) in second
    assert str(jobs[0]) not in first
    assert "1 to 20 of 22" in first
    assert "21 to 22 of 22" in second
    assert "Nothing here." in who.client.get("/transformations?status=failed").text
    for shown in ("all", "ready", "working", "failed", "deleted"):
        assert who.client.get(f"/transformations?status={shown}").status_code == 200


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=-1", "status=DONE", "status=", "page=9999999999"])
def test_a_page_of_the_history_that_cannot_be_is_refused(who: Person, query: str) -> None:
    assert who.client.get(f"/transformations?{query}").status_code == 400


def test_the_free_ones_are_counted_on_the_pages(quick: Flask, who: Person) -> None:
    factories.style(quick)
    factories.set_free_used(quick, who.id, 2)
    for path in ("/dashboard", "/profile", "/transform"):
        page = who.client.get(path)
        assert page.status_code == 200
    assert "2 of 5 free pictures used" in who.client.get("/profile").text


def test_when_the_free_ones_are_used_the_page_says_so_before_anything_is_sent(quick: Flask, who: Person) -> None:
    kind, photo = factories.style(quick), factories.upload(who)
    factories.set_free_used(quick, who.id, 5)
    page = who.client.get(f"/transform?photo={photo['imageId']}")
    assert "free pictures are used" in page.text
    form = {"image_id": photo["imageId"], "type_id": str(kind)}
    refused = who.client.post("/transform", data=form, headers=who.headers)
    assert refused.status_code == 402
    assert "free pictures are used" in refused.text


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({}, 400, "Choose a style first."),
        ({"type_id": "x"}, 400, ""),
        ({"type_id": str(uuid4()), "image_id": "x"}, 400, ""),
        ({"type_id": str(uuid4()), "image_id": str(uuid4())}, 404, "This style is not on offer."),
    ],
)
def test_a_wrong_choice_comes_back_in_the_form(
    quick: Flask, who: Person, form: dict[str, str], status: int, words: str
) -> None:
    factories.style(quick)
    answer = who.client.post("/transform", data=form, headers=who.headers)
    assert answer.status_code == status
    assert words in answer.text
    assert 'id="chooser"' in answer.text


@pytest.mark.parametrize(
    "query", ["photo=x", "style=x", "photo=", f"photo={UUID(int=7)}", f"style={UUID(int=7)}", "photo=%00"]
)
def test_a_wrong_link_to_the_chooser_still_shows_it(quick: Flask, who: Person, query: str) -> None:
    factories.style(quick)
    assert who.client.get(f"/transform?{query}").status_code in (200, 404)


def test_names_and_descriptions_are_never_markup(quick: Flask, who: Person) -> None:
    evil = "<script>alert(1)</script>"
    factories.style(quick, "evil", name=evil, description=evil)
    photo = factories.upload(who)["imageId"]
    for path in ("/", "/transform", f"/transform?photo={photo}", "/dashboard"):
        page = who.client.get(path).text
        assert "<script>alert" not in page


def test_without_any_style_the_pages_still_stand(who: Person) -> None:
    photo = factories.upload(who)["imageId"]
    for path in ("/", "/transform", f"/transform?photo={photo}", "/dashboard"):
        assert who.client.get(path).status_code == 200


def test_a_reason_that_this_version_does_not_know_still_shows_a_page(quick: Flask, who: Person) -> None:
    job_id = factories.job(who, factories.style(quick))
    quick.test_cli_runner().invoke(args=["transformations", "fail", str(job_id)])
    with quick.app_context():
        db.session.execute(update(Transformation).values(failure_reason="FROM_THE_FUTURE"))
        db.session.commit()
    assert who.client.get(f"/transformations/{job_id}").status_code == 200


def test_the_profile_shows_no_whole_number(who: Person) -> None:
    page = who.client.get("/profile").text
    assert who.phone not in page
    assert who.phone[-4:] in page


def test_the_twins_say_what_they_are_on_every_page(quick: Flask, who: Person) -> None:
    notices = quick.extensions["toolbox"].gateways.notices()
    assert len(notices) == 3
    for path in ("/", "/privacy", "/dashboard", "/transform", "/transformations", "/profile"):
        for notice in notices:
            assert notice in who.client.get(path).text
