"""Photos that arrive: what is taken, what is refused, and how the refusal is said in all three skins."""

import io
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from pixshift.extensions import db
from pixshift.models import Upload
from tests import factories
from tests.factories import Person

LIMIT = 10 * 1024 * 1024
HTMX = {"HX-Request": "true"}


def of_size(size: int) -> bytes:
    """A sound JPEG of exactly so many bytes: comments of at most 64 kB each fill it up behind its first marker."""
    data = factories.photo(400, 300)
    room, comments = size - len(data), []
    while room:
        length = room if room <= 65_537 else min(65_537, room - 4)  # marker and length take four bytes
        comments.append(b"\xff\xfe" + (length - 2).to_bytes(2, "big") + b"\0" * (length - 4))
        room -= length
    return data[:2] + b"".join(comments) + data[2:]


def located() -> bytes:
    """A photo that says where it was taken."""
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Camera maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    Image.linear_gradient("L").convert("RGB").save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_good_photo_is_kept_as_our_own_jpeg(app: Flask, kind: str) -> None:
    who = factories.person(app)
    answer = factories.send_photo(who, factories.photo(320, 240, kind), name=f"holiday.{kind.lower()}")
    assert answer.status_code == 201
    body = answer.json
    assert (body["success"], body["width"], body["height"]) == (True, 320, 240)
    row = factories.photo_row(app, body["imageId"])
    assert (row.source_width, row.source_height, row.name) == (320, 240, f"holiday.{kind.lower()}")
    shown = who.client.get(body["imageUrl"])
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    with Image.open(io.BytesIO(shown.data)) as kept:
        assert (kept.format, kept.size) == ("JPEG", (320, 240))


@pytest.mark.parametrize("prefix", ["/api/v1", "/api"])
def test_both_prefixes_take_photos(who: Person, prefix: str) -> None:
    assert factories.send_photo(who, factories.photo(), url=f"{prefix}/transformations/upload").status_code == 201


def test_the_type_is_told_by_content_alone(who: Person) -> None:
    assert factories.send_photo(who, factories.photo(kind="PNG"), name="photo.jpg").status_code == 201
    assert factories.send_photo(who, factories.photo(), name="evil.php").status_code == 201
    refused = factories.send_photo(who, b"GIF89a" + b"\0" * 500, name="photo.jpg")
    assert factories.error_of(refused)["code"] == "INVALID_FILE_TYPE"


def test_location_and_camera_are_gone_on_arrival(who: Person, quick: Flask) -> None:
    data = located()
    body = factories.upload(who, data)
    assert factories.photo_row(quick, body["imageId"]).had_location
    kept = who.client.get(body["imageUrl"]).data
    assert b"Exif" not in kept
    assert b"Camera maker" not in kept
    with Image.open(io.BytesIO(kept)) as picture:
        assert not dict(picture.getexif())


@pytest.mark.parametrize(("width", "height"), [(100, 100), (5000, 100), (100, 5000)])
def test_the_limits_of_a_side_are_inclusive(who: Person, width: int, height: int) -> None:
    assert factories.send_photo(who, factories.photo(width, height)).status_code == 201


def test_exactly_ten_megabytes_are_taken(who: Person) -> None:
    assert len(of_size(LIMIT)) == LIMIT
    assert factories.send_photo(who, of_size(LIMIT)).status_code == 201


# What is sent, the name it has, the code, and words of the message: the figure, the limit, the way out.
REFUSALS: list[Any] = [
    pytest.param(factories.photo(99, 200), "a.jpg", "VALIDATION_ERROR", ["a.jpg", "99 × 200", "at least 100"], id="99"),
    pytest.param(factories.photo(5001, 100), "b.jpg", "VALIDATION_ERROR", ["b.jpg", "5001 × 100", "5000"], id="5001"),
    pytest.param(b"GIF89a" + b"\0" * 99, "c.gif", "INVALID_FILE_TYPE", ["c.gif", "GIF", "JPG, PNG or WebP"], id="GIF"),
    pytest.param(b"%PDF-1.7 ...", "d.jpg", "INVALID_FILE_TYPE", ["d.jpg", "PDF", "export the page as JPG"], id="PDF"),
    pytest.param(b"<svg onload=alert(1)>", "e.png", "INVALID_FILE_TYPE", ["e.png", "SVG", "save it as"], id="SVG"),
    pytest.param(b"hello", "f.jpg", "INVALID_FILE_TYPE", ["f.jpg", "choose a JPG"], id="text"),
    pytest.param(b"", "g.jpg", "VALIDATION_ERROR", ["g.jpg is empty", "choose the picture again"], id="empty"),
    pytest.param(factories.photo()[:400], "h.jpg", "VALIDATION_ERROR", ["h.jpg"], id="cut off"),
    pytest.param(of_size(LIMIT + 1), "i.jpg", "FILE_TOO_LARGE", ["10.1 MB", "is 10 MB", "smaller"], id="10 MiB + 1"),
    pytest.param(b"\xff" * 12_900_000, "j.jpg", "FILE_TOO_LARGE", ["12.4 MB", "is 10 MB", "smaller"], id="12 MiB"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "name", "code", "words"), REFUSALS)
def test_a_refusal_names_the_file_the_limit_and_the_way_out(
    quick: Flask, who: Person, data: bytes, name: str, code: str, words: list[str]
) -> None:
    answer = factories.send_photo(who, data, name=name)
    error = factories.error_of(answer)
    assert (answer.status_code, error["code"], error["category"]) == (400, code, "VALIDATION")
    assert error["details"]["field"] == "image"
    for word in words:
        assert word in error["message"]
    page = factories.send_photo(who, data, name=name, url="/transform/photo")
    fragment = factories.send_photo(who, data, name=name, url="/transform/photo", headers=HTMX)
    for skin in (page, fragment):
        assert skin.status_code == 400
        for word in words:
            assert word in skin.text
        assert 'type="file"' in skin.text
        assert 'id="image-error"' in skin.text
    assert "<html" in page.text
    assert "<html" not in fragment.text
    assert factories.without_tokens(fragment.text).strip() in factories.without_tokens(page.text)
    with quick.app_context():
        assert db.session.query(Upload).count() == 0


def test_the_figures_are_in_the_details(who: Person) -> None:
    details = factories.error_of(factories.send_photo(who, of_size(LIMIT + 1)))["details"]
    assert details == {"field": "image", "limit": LIMIT, "actual": LIMIT + 1}
    details = factories.error_of(factories.send_photo(who, factories.photo(99, 100)))["details"]
    assert details == {"field": "image", "limit": 100, "actual": 99}


def test_a_form_without_a_file_is_refused(who: Person) -> None:
    for form in (
        {},
        {"image": "text"},
        {"photo": (io.BytesIO(factories.photo()), "x.jpg")},
        {"image": (io.BytesIO(), "")},
    ):
        answer = who.client.post("/api/v1/transformations/upload", data=form, headers=who.headers)
        error = factories.error_of(answer)
        assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "VALIDATION_ERROR", "image")
    page = who.client.post("/transform/photo", data={}, headers=who.headers)
    assert page.status_code == 400
    assert "Choose a photo first." in page.text


def test_one_photo_at_a_time(who: Person) -> None:
    two = {"image": [(io.BytesIO(factories.photo()), "1.jpg"), (io.BytesIO(factories.photo()), "2.jpg")]}
    answer = who.client.post("/api/v1/transformations/upload", data=two, headers=who.headers)
    assert factories.error_of(answer)["message"] == "Send one photo at a time."


def test_too_many_parts_are_refused(who: Person) -> None:
    form = {f"field{number}": "x" for number in range(30)}
    answer = factories.send_photo(who, factories.photo(), fields=form)
    assert (answer.status_code, factories.error_of(answer)["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"{}", "application/json"),
        (factories.photo(), "image/jpeg"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
    ],
    ids=["JSON", "the bare photo", "a broken form", "no boundary"],
)
def test_what_is_no_form_with_a_file_is_a_validation_error(who: Person, data: bytes, media_type: str) -> None:
    headers = who.headers
    answer = who.client.post("/api/v1/transformations/upload", data=data, content_type=media_type, headers=headers)
    assert (answer.status_code, factories.error_of(answer)["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>.jpg", "../../etc/passwd", "a\u202egpj.exe", "x" * 300 + ".jpg"]
)
def test_a_file_name_is_only_ever_shown_and_never_as_markup(quick: Flask, who: Person, name: str) -> None:
    body = factories.upload(who)
    assert factories.send_photo(who, factories.photo(), name=name).status_code == 201
    refused = factories.send_photo(who, b"hello", name=name, url="/transform/photo")
    assert "<img src=x" not in refused.text
    assert "passwd" not in factories.photo_row(quick, body["imageId"]).storage_key


def test_the_photo_page_leads_on_to_the_styles(who: Person, quick: Flask) -> None:
    kind = factories.style(quick)
    answer = factories.send_photo(who, factories.photo(), url="/transform/photo", fields={"style": str(kind)})
    assert answer.status_code == 303
    page = who.client.get(answer.headers["Location"])
    assert page.status_code == 200
    assert "Choose a style" in page.text


def test_a_photo_needs_a_sign_in_before_its_bytes_are_read(quick: Flask) -> None:
    client = quick.test_client()
    body, media_type = factories.multipart(b"x" * 20_000_000, "x.jpg", {})
    answer = client.post("/api/v1/transformations/upload", data=body, content_type=media_type)
    assert (answer.status_code, factories.error_of(answer)["code"]) == (401, "AUTH_REQUIRED")
    page = client.post("/transform/photo", data={"image": (io.BytesIO(factories.photo()), "x.jpg")})
    assert page.headers["Location"].startswith("/login")
