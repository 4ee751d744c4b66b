"""Jobs as programs ask for them: create, list, watch, cancel, take; the free ones, the links, the clock."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import update

from pixshift.domain.lifecycle import Reservation, Status
from pixshift.extensions import db
from pixshift.models import Transformation, TransformationType, Upload
from pixshift.services import retention
from tests import factories
from tests.factories import Person

JOBS = "/api/v1/transformations"
KEYS = {
    "id", "status", "transformationTypeId", "originalImageUrl", "transformedImageUrl", "errorCode", "errorMessage",
    "thumbnailUrl", "createdAt", "updatedAt", "downloadedAt", "expiresAt", "notice",
}  # fmt: skip


def free_used(app: Flask, who: Person) -> int:
    return factories.user_row(app, who.id).free_tier_used


# --- create ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["/api/v1", "/api"])
@pytest.mark.parametrize("key", ["imageId", "imageUrl"])
def test_a_job_is_made_of_a_photo_and_a_style(app: Flask, prefix: str, key: str) -> None:
    who, kind = factories.person(app), factories.style(app)
    photo = factories.upload(who)
    answer = factories.ask(who, kind, prefix, **{key: photo[key]})
    assert (answer.status_code, answer.json["success"]) == (201, True)
    body = answer.json["transformation"]
    assert set(body) == KEYS
    assert (body["status"], body["transformationTypeId"], body["transformedImageUrl"]) == ("PENDING", str(kind), None)
    assert body["originalImageUrl"].startswith("http://localhost/pictures/photo/")
    row = factories.row(app, body["id"])
    assert (row.status, row.reservation, str(row.upload_id)) == (Status.PENDING, Reservation.RESERVED, photo["imageId"])
    free = who.client.get(f"{prefix}/billing/free-tier")
    assert free.json == {"freeTierUsed": 1, "freeTierLimit": 5, "remaining": 4}


def test_a_link_that_expired_still_names_its_photo(quick: Flask) -> None:
    who, kind = factories.person(quick), factories.style(quick)
    path, _, _ = factories.upload(who)["imageUrl"].partition("?")
    for url in (f"{path}?expires=1&signature=x", path, path.removeprefix("http://localhost")):
        assert factories.ask(who, kind, imageUrl=url).status_code == 201


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "http://[bad",
        "/pictures/photo/not-a-uuid",
        f"/pictures/picture/{UUID(int=7)}", "data:image/png;base64,xx", "x" * 3000, 5, None, ["a"],
    ],
)  # fmt: skip
def test_a_link_that_no_upload_returned_is_refused(quick: Flask, url: Any) -> None:
    answer = factories.ask(factories.person(quick), factories.style(quick), imageUrl=url)
    assert (answer.status_code, factories.error_of(answer)["code"]) == (400, "VALIDATION_ERROR")


def test_another_hosts_link_is_read_and_never_fetched(quick: Flask) -> None:
    who, kind = factories.person(quick), factories.style(quick)
    answer = factories.ask(who, kind, imageUrl=f"http://canary.example/pictures/photo/{uuid4()}")
    assert (answer.status_code, factories.error_of(answer)["code"]) == (404, "NOT_FOUND")


def test_a_style_that_is_unknown_or_switched_off_is_not_on_offer(app: Flask) -> None:
    who, off = factories.person(app), factories.style(app, enabled=False)
    photo = factories.upload(who)
    for kind in (uuid4(), off):
        answer = factories.ask(who, kind, imageId=photo["imageId"])
        assert (answer.status_code, factories.error_of(answer)["code"]) == (404, "NOT_FOUND")
    assert free_used(app, who) == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "transformationTypeId"),
        ({"transformationTypeId": "x"}, "transformationTypeId"),
        ({"transformationTypeId": None}, "transformationTypeId"),
        ({"transformationTypeId": str(uuid4()), "imageId": "x"}, "imageId"),
        ({"transformationTypeId": str(uuid4()), "userId": str(uuid4())}, "userId"),
        ({"transformationTypeId": str(uuid4()), "status": "COMPLETED"}, "status"),
    ],
)
def test_a_wrong_body_names_its_field(quick: Flask, body: dict[str, Any], field: str) -> None:
    who = factories.person(quick)
    answer = who.client.post(JOBS, json=body, headers=who.headers)
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "VALIDATION_ERROR", field)


def test_a_job_without_a_photo_is_refused(quick: Flask) -> None:
    answer = factories.ask(factories.person(quick), factories.style(quick))
    assert (answer.status_code, factories.error_of(answer)["details"]["field"]) == (400, "imageId")


def test_a_deleted_photo_is_said_to_be_deleted(quick: Flask) -> None:
    who, kind = factories.person(quick), factories.style(quick)
    photo = factories.upload(who)
    job_id = factories.job(who, kind, photo["imageId"])
    factories.work(quick)
    who.client.post(f"/transformations/{job_id}/delete", headers=who.headers)
    answer = factories.ask(who, kind, imageId=photo["imageId"])
    assert (answer.status_code, factories.error_of(answer)["details"]["reason"]) == (404, "deleted")


# --- the free ones --------------------------------------------------------------------------------------------------


def test_the_sixth_picture_is_not_free(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app)
    photo = factories.upload(who)["imageId"]
    assert [factories.ask(who, kind, imageId=photo).status_code for _ in range(6)] == [201] * 5 + [402]
    error = factories.error_of(factories.ask(who, kind, imageId=photo))
    assert (error["code"], error["category"]) == ("FREE_TIER_EXHAUSTED", "BILLING")
    assert error["details"] == {"freeTierUsed": 5, "freeTierLimit": 5, "remaining": 0}
    assert who.client.get(JOBS).json["pagination"]["total"] == 5


def test_of_thirty_at_once_one_gets_the_last_free_picture(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app)
    photo = factories.upload(who)["imageId"]
    factories.set_free_used(app, who.id, 4)
    answers: list[int] = []
    start = threading.Barrier(30)

    def ask() -> None:
        start.wait()
        body = {"transformationTypeId": str(kind), "imageId": photo}
        answers.append(app.test_client().post(JOBS, json=body, headers=who.bearer).status_code)

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201] + [402] * 29
    assert free_used(app, who) == 5
    assert who.client.get(JOBS).json["pagination"]["total"] == 1


# --- list -----------------------------------------------------------------------------------------------------------


def test_one_lists_ones_own_newest_first(app: Flask) -> None:
    who, other, kind = factories.person(app), factories.person(app), factories.style(app)
    photo = factories.upload(who)["imageId"]
    mine = [str(factories.job(who, kind, photo)) for _ in range(3)]
    factories.job(other, kind)
    body = who.client.get(JOBS).json
    assert [job["id"] for job in body["transformations"]] == mine[::-1]
    assert body["pagination"] == {"page": 1, "limit": 10, "total": 3}
    second = who.client.get(f"{JOBS}?page=2&limit=2").json
    assert [job["id"] for job in second["transformations"]] == mine[:1]
    assert second["pagination"] == {"page": 2, "limit": 2, "total": 3}
    assert who.client.get(f"{JOBS}?page=9").json["transformations"] == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=abc", "limit=-1", "limit=", "page=0", "page=-1", "page=x", "page=1.5", "page=1e400",
     "status=DONE", "status=", "colour=red", "page=" + "9" * 5000],
)  # fmt: skip
def test_a_page_out_of_range_is_refused(quick: Flask, query: str) -> None:
    answer = factories.person(quick).client.get(f"{JOBS}?{query}")
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["details"]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("limit", [1, 100])
def test_the_limits_of_a_page_are_inclusive(quick: Flask, limit: int) -> None:
    assert factories.person(quick).client.get(f"{JOBS}?limit={limit}").json["pagination"]["limit"] == limit


def test_a_list_is_filtered_by_status(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app)
    ready = factories.picture(app, who, kind)
    waiting = factories.job(who, kind)

    def ids(status: str) -> list[str]:
        return [job["id"] for job in who.client.get(f"{JOBS}?status={status}").json["transformations"]]

    assert (ids("COMPLETED"), ids("PENDING"), ids("FAILED")) == ([str(ready)], [str(waiting)], [])


# --- cancel ---------------------------------------------------------------------------------------------------------


def test_a_waiting_job_can_be_cancelled_and_is_given_back_once(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app)
    job_id = factories.job(who, kind)
    factories.job(who, kind)
    assert free_used(app, who) == 2
    answer = who.client.put(f"{JOBS}/{job_id}", json={"status": "CANCELLED"}, headers=who.headers)
    body = answer.json["transformation"]
    assert (answer.status_code, body["status"], body["errorCode"]) == (200, "FAILED", "CANCELLED")
    assert free_used(app, who) == 1
    again = who.client.put(f"{JOBS}/{job_id}", json={"status": "CANCELLED"}, headers=who.headers)
    assert (again.status_code, factories.error_of(again)["code"]) == (400, "VALIDATION_ERROR")
    assert free_used(app, who) == 1
    assert who.client.get(f"{JOBS}/{job_id}").json["transformation"]["errorMessage"] == "You cancelled this picture."


def test_of_ten_cancellations_at_once_one_gives_back(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app)
    job_id = factories.job(who, kind)
    factories.job(who, kind)
    answers: list[int] = []

    def cancel() -> None:
        client = app.test_client()
        answers.append(client.put(f"{JOBS}/{job_id}", json={"status": "CANCELLED"}, headers=who.bearer).status_code)

    threads = [threading.Thread(target=cancel) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [400] * 9
    assert free_used(app, who) == 1


def test_a_picture_that_is_ready_cannot_be_cancelled(quick: Flask) -> None:
    who = factories.person(quick)
    job_id = factories.picture(quick, who, factories.style(quick))
    answer = who.client.put(f"{JOBS}/{job_id}", json={"status": "CANCELLED"}, headers=who.headers)
    assert answer.status_code == 400
    assert free_used(quick, who) == 1


@pytest.mark.parametrize(
    "body", [{"status": "COMPLETED"}, {}, {"status": None}, {"status": "CANCELLED\n"}, {"status": "CANCELLED", "x": 1}]
)
def test_nothing_else_can_be_changed(quick: Flask, body: dict[str, Any]) -> None:
    who = factories.person(quick)
    job_id = factories.job(who, factories.style(quick))
    assert who.client.put(f"{JOBS}/{job_id}", json=body, headers=who.headers).status_code == 400
    assert factories.row(quick, job_id).status is Status.PENDING


# --- watch and take -------------------------------------------------------------------------------------------------


def test_a_finished_job_shows_its_picture(app: Flask) -> None:
    who = factories.person(app)
    job_id = factories.picture(app, who, factories.style(app))
    body = who.client.get(f"{JOBS}/{job_id}").json["transformation"]
    assert (set(body), body["status"], body["errorCode"], body["downloadedAt"]) == (KEYS, "COMPLETED", None, None)
    shown = who.client.get(body["transformedImageUrl"])
    assert shown.status_code == 200
    assert shown.mimetype in ("image/jpeg", "image/png", "image/webp")
    assert shown.headers["Cache-Control"] == "private, no-store"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert shown.headers["Content-Disposition"].startswith("inline; filename=")
    assert factories.row(app, job_id).downloaded_at is None


def test_no_prompt_key_or_internal_id_is_on_the_wire(quick: Flask) -> None:
    who = factories.person(quick)
    job_id = factories.picture(quick, who, factories.style(quick))
    texts = [who.client.get(path).text for path in (JOBS, f"{JOBS}/{job_id}", "/api/v1/transformation-types")]
    row = factories.row(quick, job_id)
    assert row.transformed_image_url
    for secret in (factories.PROMPT, row.original_image_url, row.transformed_image_url, str(row.user_id)):
        assert all(secret not in text for text in texts)


def complete_download(who: Person, job_id: object) -> bytes:
    answer = who.client.get(f"{JOBS}/{job_id}/download")
    assert answer.status_code == 200
    return answer.data


def test_a_complete_download_starts_the_clock_for_picture_and_photo(app: Flask) -> None:
    who = factories.person(app)
    job_id = factories.picture(app, who, factories.style(app))
    answer = who.client.get(f"{JOBS}/{job_id}/download")
    assert (answer.status_code, len(answer.data)) == (200, answer.content_length)
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="pixshift-engraving-2')
    assert answer.headers["Cache-Control"] == "private, no-store"
    row = factories.row(app, job_id)
    assert row.downloaded_at is not None
    assert row.delete_due_at == row.downloaded_at + timedelta(minutes=4, seconds=30)
    assert row.upload_id is not None
    assert factories.photo_row(app, row.upload_id).delete_due_at == row.delete_due_at
    assert complete_download(who, job_id) == answer.data
    again = factories.row(app, job_id)
    assert (again.downloaded_at, again.delete_due_at) == (row.downloaded_at, row.delete_due_at)
    body = who.client.get(f"{JOBS}/{job_id}").json["transformation"]
    assert body["downloadedAt"] is not None
    assert body["expiresAt"] is not None


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"Range": "bytes=0-10"}),
        ("GET", {"Range": "bytes=0-"}),
        ("GET", {"Range": "bytes=-1"}),
        ("GET", {"Sec-Purpose": "prefetch"}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"X-Moz": "prefetch"}),
    ],
)
@pytest.mark.parametrize("path", [f"{JOBS}/%s/download", "/transformations/%s/download"])
def test_what_is_no_whole_wanted_download_starts_no_clock(
    quick: Flask, path: str, method: str, headers: dict[str, str]
) -> None:
    who = factories.person(quick)
    job_id = factories.picture(quick, who, factories.style(quick))
    answer = who.client.open(path % job_id, method=method, headers=headers)
    assert answer.status_code == 200
    answer.close()
    assert factories.row(quick, job_id).downloaded_at is None


def test_a_download_that_breaks_off_starts_no_clock(quick: Flask) -> None:
    who = factories.person(quick)
    job_id = factories.picture(quick, who, factories.style(quick))
    chunks: Iterator[bytes] = iter(who.client.get(f"{JOBS}/{job_id}/download", buffered=False).response)
    assert next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert factories.row(quick, job_id).downloaded_at is None
    assert complete_download(who, job_id)
    assert factories.row(quick, job_id).downloaded_at is not None


def test_a_picture_that_is_not_ready_cannot_be_taken(quick: Flask) -> None:
    who = factories.person(quick)
    answer = who.client.get(f"{JOBS}/{factories.job(who, factories.style(quick))}/download")
    assert (answer.status_code, factories.error_of(answer)["details"]["reason"]) == (404, "not_ready")


def test_after_its_deletion_the_job_stays_and_the_picture_is_gone(app: Flask) -> None:
    who = factories.person(app)
    job_id = factories.picture(app, who, factories.style(app))
    before = who.client.get(f"{JOBS}/{job_id}").json["transformation"]
    complete_download(who, job_id)
    with app.app_context():
        for model in (Transformation, Upload):
            db.session.execute(update(model).values(delete_due_at=model.created_at))
        db.session.commit()
        assert retention.sweep(app.extensions["toolbox"]) == 2
    gone = who.client.get(f"{JOBS}/{job_id}/download")
    error = factories.error_of(gone)
    assert (gone.status_code, error["code"], error["details"]["reason"]) == (404, "NOT_FOUND", "deleted")
    body = who.client.get(f"{JOBS}/{job_id}").json["transformation"]
    assert (body["status"], body["originalImageUrl"], body["transformedImageUrl"]) == ("COMPLETED", None, None)
    assert body["expiresAt"] is None
    assert body["thumbnailUrl"] is None
    for url in (before["originalImageUrl"], before["transformedImageUrl"], before["thumbnailUrl"]):
        assert who.client.get(url).status_code == 404
    assert factories.row(app, job_id).deletion_record


# --- links ----------------------------------------------------------------------------------------------------------


def test_a_link_that_was_tampered_with_or_expired_shows_nothing(quick: Flask) -> None:
    who = factories.person(quick)
    url = factories.upload(who)["imageUrl"]
    path, _, query = url.partition("?")
    values = dict(part.split("=") for part in query.split("&"))
    later, another = str(int(values["expires"]) + 60), values["signature"][::-1]
    for expires, signature in ((later, values["signature"]), (values["expires"], another), ("1", values["signature"])):
        answer = who.client.get(path, query_string={"expires": expires, "signature": signature})
        assert answer.status_code == 403
    other_path = path.replace("/photo/", "/picture/")
    assert who.client.get(f"{other_path}?{query}").status_code == 403
    assert who.client.get(path).status_code == 400
    assert who.client.get(f"{url}&x=1").status_code == 400
    assert who.client.get(path.replace("/photo/", "/secret/") + f"?{query}").status_code == 404
    assert who.client.get(url).status_code == 200


def test_a_link_lives_at_most_five_minutes(quick: Flask) -> None:
    toolbox = quick.extensions["toolbox"]
    image_id, now = uuid4(), toolbox.now()
    link = toolbox.gateways.links.path("photo", image_id, now)
    values = dict(part.split("=") for part in link.partition("?")[2].split("&"))

    def valid(seconds: float) -> bool:
        later = now + timedelta(seconds=seconds)
        return bool(toolbox.gateways.links.is_valid("photo", image_id, values["expires"], values["signature"], later))

    assert (valid(0), valid(298), valid(301)) == (True, True, False)


# --- styles ---------------------------------------------------------------------------------------------------------


def test_only_enabled_styles_are_listed_and_a_change_shows_at_once(app: Flask) -> None:
    who, kind = factories.person(app), factories.style(app, "engraving")
    factories.style(app, "secret", enabled=False)
    url = "/api/v1/transformation-types"
    first = who.client.get(url)
    assert first.json == {
        "types": [
            {
                "id": str(kind),
                "name": "Engraving",
                "description": "As engraving.",
                "enabled": True,
                "thumbnailUrl": first.json["types"][0]["thumbnailUrl"],
            }
        ]
    }
    assert who.client.get(first.json["types"][0]["thumbnailUrl"]).status_code == 200
    same = who.client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    with app.app_context():
        db.session.get_one(TransformationType, kind).name = "Copperplate"
        db.session.commit()
    changed = who.client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.json["types"][0]["name"]) == (200, "Copperplate")
    factories.style(app, "linocut", position=1)
    assert [kind["name"] for kind in who.client.get(url).json["types"]] == ["Linocut", "Copperplate"]
    with app.app_context():
        db.session.get_one(TransformationType, kind).enabled = False
        db.session.commit()
    assert [kind["name"] for kind in who.client.get(url).json["types"]] == ["Linocut"]


def test_a_compressed_list_is_recognised_too(quick: Flask) -> None:
    who = factories.person(quick)
    for number in range(8):
        factories.style(quick, f"style-{number}")
    headers = {"Accept-Encoding": "gzip"}
    first = who.client.get("/api/v1/transformation-types", headers=headers)
    assert first.headers["Content-Encoding"] == "gzip"
    headers["If-None-Match"] = first.headers["ETag"]
    assert who.client.get("/api/v1/transformation-types", headers=headers).status_code == 304


def test_the_profile_counts_pictures_and_shows_money_as_numbers(app: Flask) -> None:
    who = factories.person(app)
    factories.picture(app, who, factories.style(app))
    factories.job(who, factories.style(app, "linocut"))
    body = who.client.get("/api/v1/users/profile").json
    assert body["stats"] == {"totalTransformations": 1, "totalSpent": 0.0}
    assert (body["user"]["phone"], body["user"]["freeTierUsed"], body["user"]["pricingTier"]) == (who.phone, 2, None)
