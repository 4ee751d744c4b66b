"""A picture that is shared: who sees what, for how long, and what goes when."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select, update

from pixshift.domain import retention as rules
from pixshift.errors import NotFound
from pixshift.extensions import db
from pixshift.models import ShareLink, User
from pixshift.services import retention, sharing
from pixshift.services.sharing import Shared
from pixshift.tasks.retention import sweep_once
from tests import factories, jobs
from tests.factories import Person
from tests.jobs import World

DAY = timedelta(hours=24)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """On both databases, with a clock that is turned."""
    with jobs.world(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def job_id(quick: Flask, who: Person) -> UUID:
    return factories.picture(quick, who, factories.style(quick))


def links(app: Flask) -> list[ShareLink]:
    with app.app_context():
        return list(db.session.scalars(select(ShareLink)))


def make_link(who: Person, job_id: UUID, platform: str = "facebook") -> dict[str, Any]:
    answer = who.client.post(
        f"/api/v1/transformations/{job_id}/share", json={"platform": platform}, headers=who.headers
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def path_of(answer: dict[str, Any]) -> str:
    return "/s/" + str(answer["shareUrl"]).rpartition("/s/")[2]


# --- whoever holds the link ---------------------------------------------------------------------------------------


def test_a_stranger_with_the_link_sees_the_picture_and_nothing_of_its_owner(
    quick: Flask, who: Person, job_id: UUID
) -> None:
    path = path_of(make_link(who, job_id))
    stranger = quick.test_client(use_cookies=False)
    page, picture = stranger.get(path), stranger.get(f"{path}/picture")
    assert (page.status_code, picture.status_code) == (200, 200)
    assert picture.data == who.client.get(f"/api/v1/transformations/{job_id}/download").data
    job = factories.row(quick, job_id)
    secrets = [who.phone, who.phone[-4:], str(who.id), str(job.id), str(job.upload_id), "photo.jpg", "/pictures/"]
    text = factories.without_tokens(page.text)
    assert [secret for secret in secrets if secret in text] == []
    assert [secret for secret in secrets if secret in str(picture.headers)] == []


def test_the_page_tells_other_sites_what_to_show_and_search_engines_to_stay_away(
    quick: Flask, who: Person, job_id: UUID
) -> None:
    shared = make_link(who, job_id)
    page = quick.test_client().get(path_of(shared)).text
    told = dict(re.findall(r'<meta (?:property|name)="([a-z:_]+)" content="([^"]*)"', page))
    assert told["og:image"] == f"{shared['shareUrl']}/picture"
    assert told["og:image"].startswith(quick.extensions["toolbox"].settings.app_url)
    assert (told["og:title"], told["twitter:card"]) == ("Engraving, made with PixShift", "summary_large_image")
    assert told["og:description"]
    assert told["robots"] == "noindex"
    assert "Made with a preview filter" in page


def test_the_picture_may_be_shown_by_other_sites_and_kept_by_none(quick: Flask, who: Person, job_id: UUID) -> None:
    answer = quick.test_client().get(f"{path_of(make_link(who, job_id))}/picture")
    job = factories.row(quick, job_id)
    assert answer.mimetype == job.result_media_type
    expected = {
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    assert {name: answer.headers[name] for name in expected} == expected
    assert answer.headers["Content-Disposition"].startswith("inline;")


def test_looking_at_a_shared_picture_starts_no_clock(quick: Flask, who: Person, job_id: UUID) -> None:
    path = path_of(make_link(who, job_id))
    for client in (quick.test_client(), who.client):
        assert client.get(f"{path}/picture").data
        assert client.get(path).status_code == 200
    assert factories.row(quick, job_id).downloaded_at is None


def test_a_token_that_was_changed_or_never_was_is_answered_like_one_that_ended(
    quick: Flask, who: Person, job_id: UUID
) -> None:
    path = path_of(make_link(who, job_id))
    changed = path[:10] + ("A" if path[10] != "A" else "B") + path[11:]
    who.client.post(f"/transformations/{job_id}/share/end", headers=who.headers)
    said = set()
    for wrong in (path, changed, "/s/x", f"/s/{'A' * 43}"):
        for address in (wrong, f"{wrong}/picture"):
            answer = quick.test_client().get(address, headers={"Accept": "application/json"})
            error = factories.error_of(answer)
            said.add((answer.status_code, error["code"], error["message"], str(error["details"])))
    assert said == {(404, "NOT_FOUND", "This link has ended.", "{'reason': 'ended'}")}
    page = quick.test_client().get(changed)
    assert page.status_code == 404
    assert "This link has ended." in page.text


def test_markup_in_the_name_of_a_style_is_text(quick: Flask, who: Person) -> None:
    name = '"><script>alert(1)</script>'
    job_id = factories.picture(quick, who, factories.style(quick, name=name))
    page = quick.test_client().get(path_of(make_link(who, job_id))).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_report_is_counted_and_told_to_operators_and_the_picture_stays(
    quick: Flask, who: Person, job_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    path = path_of(make_link(who, job_id))
    stranger = quick.test_client()
    for reason in ("other", "other", "me"):
        token = re.findall(r'name="csrf_token" value="([^"]*)"', stranger.get(path).text)[-1]
        answer = stranger.post(f"{path}/report", data={"csrf_token": token, "reason": reason}, follow_redirects=True)
        assert answer.status_code == 200
        assert "Thank you." in answer.text
    [link] = links(quick)
    assert (link.reports, link.report_reason) == (3, "me")
    assert link.reported_at is not None
    assert caplog.text.count("a shared picture was reported") == 3


def test_the_log_learns_no_link(quick: Flask, who: Person, job_id: UUID, caplog: pytest.LogCaptureFixture) -> None:
    path = path_of(make_link(who, job_id))
    caplog.clear()
    stranger = quick.test_client()
    token = {"X-CSRFToken": factories.csrf_token(stranger)}
    stranger.post(f"{path}/report", data={"reason": "none of these"}, headers=token)
    stranger.get(f"{path}x")
    said = [vars(record) for record in caplog.records if record.getMessage() == "request"]
    assert {line["path"] for line in said} == {"/s/<token>/report", "/s/<token>"}
    assert path.removeprefix("/s/") not in str([vars(record) for record in caplog.records])


def test_a_report_without_a_reason_is_asked_for_one_and_not_counted(quick: Flask, who: Person, job_id: UUID) -> None:
    path = path_of(make_link(who, job_id))
    stranger = quick.test_client()
    token = factories.csrf_token(stranger)
    for data in ({}, {"reason": "<b>"}):
        answer = stranger.post(f"{path}/report", data=data, headers={"X-CSRFToken": token})
        assert answer.status_code == 400
        assert "Choose what is wrong" in answer.text
    assert stranger.post(f"{path}/report", data={"reason": "me"}).status_code == 403  # no token
    assert links(quick)[0].reports == 0


# --- its owner ------------------------------------------------------------------------------------------------------


def test_the_owner_makes_a_link_sends_it_on_and_ends_it(quick: Flask, who: Person, job_id: UUID) -> None:
    page = f"/transformations/{job_id}"
    assert "Make a link" in who.client.get(page).text
    made = who.client.post(f"{page}/share", headers=who.headers)
    assert (made.status_code, made.headers["Location"]) == (303, f"{page}#share")
    shown = who.client.get(page).text
    for text in ("End the link", "Save the picture, then open Instagram.", "sharer.php?u=http", "intent/post?url=http"):
        assert text in shown
    path = "/s/" + re.findall(r'value="[^"]*/s/([^"]*)" readonly', shown)[0]
    assert quick.test_client().get(path).status_code == 200
    ended = who.client.post(f"{page}/share/end", headers=who.headers)
    assert ended.status_code == 303
    assert quick.test_client().get(path).status_code == 404
    assert "Make a link" in who.client.get(page).text


def test_asking_twice_answers_the_same_link(quick: Flask, who: Person, job_id: UUID) -> None:
    answers = [make_link(who, job_id, platform) for platform in ("facebook", "twitter", "instagram")]
    assert len({answer["shareUrl"] for answer in answers}) == 1
    assert len(links(quick)) == 1
    assert answers[0]["intentUrl"].startswith("https://www.facebook.com/sharer/sharer.php?u=http")
    assert answers[1]["intentUrl"].startswith("https://x.com/intent/post?url=http")
    assert [answer["instruction"] for answer in answers] == [None, None, "Save the picture, then open Instagram."]
    assert answers[2]["intentUrl"] is None


@pytest.mark.parametrize("body", [{}, {"platform": "myspace"}, {"platform": None}, {"platform": ["facebook"]}])
def test_a_platform_that_is_none_is_named_in_the_error(
    quick: Flask, who: Person, job_id: UUID, body: dict[str, Any]
) -> None:
    answer = who.client.post(f"/api/v1/transformations/{job_id}/share", json=body, headers=who.headers)
    assert answer.status_code == 400
    assert factories.error_of(answer)["details"]["field"] == "platform"
    assert links(quick) == []


def test_somebody_elses_picture_and_one_that_is_not_there_cannot_be_shared(
    quick: Flask, who: Person, job_id: UUID
) -> None:
    other = factories.person(quick)
    waiting = factories.job(who, factories.style(quick, "pop-art"))
    wanted = ((other, job_id, None), (who, uuid4(), None), (who, waiting, "not_ready"))
    for person, asked, reason in wanted:
        path = f"/api/v1/transformations/{asked}/share"
        answer = person.client.post(path, json={"platform": "twitter"}, headers=person.headers)
        assert answer.status_code == 404
        assert factories.error_of(answer)["details"].get("reason") == reason
    who.client.post(f"/transformations/{job_id}/delete", headers=who.headers)
    gone = who.client.post(f"/api/v1/transformations/{job_id}/share", json={"platform": "twitter"}, headers=who.headers)
    assert factories.error_of(gone)["details"]["reason"] == "deleted"
    assert links(quick) == []


def test_the_page_tells_the_owner_how_long_a_shared_picture_is_kept(quick: Flask, who: Person, job_id: UUID) -> None:
    make_link(who, job_id)
    assert who.client.get(f"/transformations/{job_id}/download").data
    page = who.client.get(f"/transformations/{job_id}").text
    assert "Your link keeps the picture for about 24 hours more." in page
    assert "data-left" not in page
    assert "Ready, shared" in who.client.get("/transformations").text
    who.client.post(f"/transformations/{job_id}/share/end", headers=who.headers)
    assert "data-left" in who.client.get(f"/transformations/{job_id}").text


def test_a_suspended_owners_links_show_nothing_meanwhile(quick: Flask, who: Person, job_id: UUID) -> None:
    path = path_of(make_link(who, job_id))
    for moment, status in ((datetime.now(UTC), 404), (None, 200)):
        with quick.app_context():
            db.session.execute(update(User).where(User.id == who.id).values(suspended_at=moment))
            db.session.commit()
        assert quick.test_client().get(path).status_code == status


def test_an_erased_owners_links_show_nothing(quick: Flask, who: Person, job_id: UUID) -> None:
    path = path_of(make_link(who, job_id))
    with quick.app_context():
        now = quick.extensions["toolbox"].now()
        db.session.execute(update(User).where(User.id == who.id).values(erased_at=now))
        db.session.commit()
    assert quick.test_client().get(path).status_code == 404
    assert quick.test_client().get(f"{path}/picture").status_code == 404


# --- how long ---------------------------------------------------------------------------------------------------


def done(world: World) -> tuple[UUID, UUID]:
    """Somebody, and a picture of theirs that is ready."""
    person = world.person(free_used=1)
    job = world.job(person)
    world.make_next()
    return person, job


def share(world: World, person: UUID, job: UUID) -> Shared:
    with world.app.app_context():
        return sharing.share(world.toolbox, person, job)


def revoke(world: World, person: UUID, job: UUID) -> None:
    with world.app.app_context():
        sharing.revoke(world.toolbox, person, job)


def download(world: World, job: UUID) -> None:
    with world.app.app_context():
        retention.downloaded(world.toolbox, job)


def is_open(world: World, link: Shared) -> bool:
    with world.app.app_context():
        try:
            sharing.open_shared(world.toolbox, link.token)
        except NotFound:
            return False
    return True


def dues(world: World, job: UUID) -> tuple[datetime | None, datetime]:
    row = world.read(job)
    assert row.upload_id is not None
    return row.delete_due_at, factories.photo_row(world.app, row.upload_id).delete_due_at


def test_a_shared_picture_lives_until_its_link_ends_and_its_photo_does_not(world: World) -> None:
    person, job = done(world)
    world.clock.forward(hours=3)
    link, photo_before = share(world, person, job), dues(world, job)[1]
    assert link.expires_at == world.clock() + DAY
    assert dues(world, job) == (link.expires_at, photo_before)
    download(world, job)
    assert dues(world, job) == (link.expires_at, world.clock() + rules.AFTER_DOWNLOAD)
    row = world.read(job)
    world.clock.forward(minutes=5)
    sweep_once(world.app)
    assert list(world.storage.objects) == [row.transformed_image_url]
    assert is_open(world, link)
    world.clock.forward(hours=23, minutes=55)
    assert not is_open(world, link)
    sweep_once(world.app)
    assert world.storage.objects == {}
    assert world.read(job).deleted_at == world.clock()


def test_sharing_after_the_download_keeps_the_picture_and_not_the_photo(world: World) -> None:
    person, job = done(world)
    download(world, job)
    photo_due = dues(world, job)[1]
    world.clock.forward(minutes=4)
    link = share(world, person, job)
    assert dues(world, job) == (link.expires_at, photo_due)


def test_what_is_due_cannot_be_shared_any_more(world: World) -> None:
    person, job = done(world)
    download(world, job)
    world.clock.forward(minutes=4, seconds=30)
    with pytest.raises(NotFound) as refused:
        share(world, person, job)
    assert refused.value.details == {"reason": "deleted"}


def test_ending_the_link_gives_the_picture_the_time_it_would_have_had(world: World) -> None:
    person, job = done(world)
    usual = dues(world, job)[0]
    world.clock.forward(hours=1)
    link = share(world, person, job)
    revoke(world, person, job)
    assert not is_open(world, link)
    assert dues(world, job)[0] == usual
    download(world, job)
    soon = dues(world, job)[0]
    again = share(world, person, job)
    assert again.token != link.token
    revoke(world, person, job)
    revoke(world, person, job)
    assert dues(world, job)[0] == soon == world.clock() + rules.AFTER_DOWNLOAD


def test_a_picture_whose_time_was_over_long_ago_goes_with_its_link_and_raises_no_alarm(world: World) -> None:
    person, job = done(world)
    download(world, job)
    share(world, person, job)
    world.clock.forward(hours=5)
    sweep_once(world.app)
    revoke(world, person, job)
    assert dues(world, job)[0] == world.clock()
    with world.app.app_context():
        assert retention.overdue(world.clock())[0] == 0
    sweep_once(world.app)
    assert world.storage.objects == {}


def test_delete_now_ends_the_link(world: World) -> None:
    person, job = done(world)
    link = share(world, person, job)
    with world.app.app_context():
        retention.delete_now(world.toolbox, job)
    assert world.storage.objects == {}
    assert not is_open(world, link)
    assert links(world.app)[0].revoked_at == world.clock()


def test_a_link_that_has_ended_keeps_nothing_and_a_new_one_is_another(world: World) -> None:
    person, job = done(world)
    first = share(world, person, job)
    with world.app.app_context():
        db.session.execute(update(ShareLink).values(expires_at=world.clock()))
        db.session.commit()
    assert not is_open(world, first)
    download(world, job)
    assert dues(world, job)[0] == world.clock() + rules.AFTER_DOWNLOAD
    assert share(world, person, job).token != first.token


def test_who_shares_many_times_at_once_has_one_link(world: World) -> None:
    person, job = done(world)
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: share(world, person, job), range(12)))
    assert len(set(made)) == 1
    assert len(links(world.app)) == 1


def test_sharing_and_downloading_at_once_never_loses_a_shared_picture(world: World) -> None:
    for _ in range(8):
        person, job = done(world)
        with ThreadPoolExecutor(2) as pool:
            tasks = [pool.submit(share, world, person, job), pool.submit(download, world, job)]
            link = tasks[0].result()
            tasks[1].result()
        assert dues(world, job) == (link.expires_at, world.clock() + rules.AFTER_DOWNLOAD)
