"""Which photos are taken, which are not, and what is left of one that was."""

import base64
import functools
import hashlib
import io
import re

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import FilePayload, expect

from pixshift.domain.images import MAX_BYTES
from tests.e2e.conftest import Vendors, Visit
from tests.e2e.journey import DESKTOP, PHOTOS, READY, Device, Visitor, described, payload, spaced
from tests.stand_ins.gemini import picture

PRIVATE = (b"Exif\x00", b"SECRET-CAMERA", b"http://ns.adobe.com/xap/", b"SECRET-PLACE", b"GPSLatitude")


@functools.cache
def camera_photo() -> bytes:
    """12 megapixels lying on their side, as a phone saves them: blue where the sky is, and full of secrets."""
    with Image.open(PHOTOS / "chelsea.png") as cat:
        upright = cat.convert("RGB").resize((3000, 4000))
    upright.paste((0, 0, 255), (0, 0, 3000, 800))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    exif[0x0110] = "SECRET-CAMERA"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 10.0)})
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a exif:GPSLatitude="48,12N">SECRET-PLACE</a></x:xmpmeta>'
    file = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=85, exif=exif, xmp=xmp)
    data = file.getvalue()
    assert all(secret in data for secret in PRIVATE)
    return data


def result_with_manifest() -> bytes:
    """What a model gives back: a picture with a C2PA manifest in a chunk of its own."""
    info, file = PngInfo(), io.BytesIO()
    info.add(b"caBX", b"jumb, a manifest")
    with Image.open(io.BytesIO(picture("3:4"))) as made:
        made.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def assert_upright_and_clean(data: bytes) -> None:
    assert not [secret for secret in PRIVATE if secret in data]
    with Image.open(io.BytesIO(data)) as photo:
        assert photo.size == (1536, 2048)
        assert not photo.getexif()
        red, _, blue = photo.convert("RGB").getpixel((700, 100))
        assert (red < 60, blue > 200) == (True, True)


def test_a_camera_photo_is_turned_upright_and_loses_its_secrets(visit: Visit, device: Device, vendors: Vendors) -> None:
    result = result_with_manifest()
    vendors.gemini.result = (result, "image/png")
    visitor = visit(device, vendors.product)
    me = visitor.backstage.person()
    visitor.become(me)

    visitor.goto("/transform")
    visitor.choose_photo(payload("IMG_2041.JPG", camera_photo()))
    expect(visitor.heading).to_have_text("Choose a style")
    photo = visitor.page.locator("img[src^='/pictures/photo/']").locator("visible=true")
    assert photo.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == [
        1536,
        2048,
    ]
    removed = visitor.page.get_by_text(re.compile("Removed on arrival|Location removed"))
    expect(removed.locator("visible=true").first).to_be_visible()
    stored = visitor.backstage.stored_photo(me.id)
    assert_upright_and_clean(stored)

    visitor.choose_style("Oil painting")
    visitor.press_make()
    visitor.watch_until(READY)
    (asked,) = vendors.gemini.requests
    parts = asked.json["contents"][0]["parts"]
    (sent,) = (base64.urlsafe_b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part)
    assert_upright_and_clean(sent)
    assert not [secret for secret in PRIVATE if secret in asked.body]

    name, data = visitor.download()
    assert name.endswith(".png")
    assert hashlib.sha256(data).digest() == hashlib.sha256(result).digest()


def blank(width: int, height: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(file, kind)
    return file.getvalue()


TOO_LARGE = payload("IMG_2041.png", blank(300, 200) + bytes(MAX_BYTES), "image/png")
BAD_FILES = {
    "too large": (TOO_LARGE, "IMG_2041.png is 10.1 MB. The limit is 10 MB: choose a smaller size when you export it."),
    "text": (
        payload("letter.jpg", b"Dear reader, this is no picture at all. " * 50),
        "letter.jpg is not a picture we can read. Please choose a JPG, PNG or WebP picture.",
    ),
    "heic": (
        payload("IMG_0001.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "image/heic"),
        "IMG_0001.HEIC is a HEIC picture, which cannot be read here. Please export it as JPG. On an iPhone:",
    ),
    "too small": (
        payload("thumb.png", blank(99, 400), "image/png"),
        "thumb.png is 99 × 400 pixels. Each side must have at least 100: choose the original instead of a thumbnail.",
    ),
    "too wide": (
        payload("panorama.jpg", blank(5001, 120, "JPEG")),
        "panorama.jpg is 5001 × 120 pixels. No side may have more than 5000: make it smaller in your photo app first.",
    ),
}


BY_THE_SERVER = {"text", "heic"}  # a browser cannot tell what they are, and so not what to do about it


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_refused_with_its_figures_and_a_way_out(visit: Visit, device: Device, kind: str) -> None:
    """With scripts before anything is sent, where that can be; else by the page that comes back, in the same words."""
    file, words = BAD_FILES[kind]
    visitor = visit(device)
    visitor.become(visitor.backstage.person())
    visitor.refusals = {400}
    visitor.goto("/transform")
    visitor.choose_photo(file)
    if visitor.scripts and kind not in BY_THE_SERVER:
        expect(visitor.page.locator("form").get_by_text(words)).to_be_visible()
        assert words in described(visitor.photo_field)
        expect(visitor.page.locator("#live")).to_have_text(words)
        assert visitor.count("POST", ".*") == 0
    else:
        expect(visitor.page.get_by_role("alert")).to_contain_text(spaced(words))
        expect(visitor.page).to_have_title(re.compile("^Error: "))
    expect_a_good_photo_to_work(visitor)


def expect_a_good_photo_to_work(visitor: Visitor) -> None:
    """The photo step is as usable as before."""
    visitor.choose_photo(PHOTOS / "rocket.jpg")
    expect(visitor.heading).to_have_text("Choose a style")


def animation() -> FilePayload:
    """The browser shows it like any other picture: only the server knows."""
    frames, file = [Image.new("RGB", (200, 150), (tone, 0, 0)) for tone in (0, 200)], io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    return payload("waving.png", file.getvalue(), "image/png")


def test_what_only_the_server_can_refuse_is_said_in_place(visit: Visit, device: Device) -> None:
    visitor = visit(device)
    visitor.become(visitor.backstage.person())
    visitor.refusals = {400}
    visitor.goto("/transform")
    visitor.choose_photo(animation())
    summary = visitor.page.get_by_role("alert")
    expect(summary).to_contain_text(
        spaced("waving.png is animated. Please save a still picture of it and choose that.")
    )
    if visitor.scripts:
        expect(summary).to_be_focused()
    expect(visitor.page).to_have_title(re.compile("^Error: "))
    expect_a_good_photo_to_work(visitor)


def test_a_photo_that_does_not_arrive_is_said_so_and_can_be_chosen_again(visit: Visit) -> None:
    visitor = visit(DESKTOP)
    visitor.become(visitor.backstage.person())
    visitor.goto("/transform")
    visitor.page.route("**/transform/photo", lambda route: route.abort(), times=1)
    visitor.forgive("net::ERR_FAILED")
    visitor.choose_photo(PHOTOS / "rocket.jpg")
    lost = "rocket.jpg did not reach us. Check your connection and choose it again."
    expect(visitor.page.locator("form").get_by_text(lost)).to_be_visible()
    expect_a_good_photo_to_work(visitor)


def test_a_form_without_a_file_or_a_style_says_what_is_missing(visit: Visit) -> None:
    """Browsers hold such forms back; one that does not gets a page."""
    visitor = visit(Device("phone without scripts", scripts=False, phone=True))
    visitor.become(visitor.backstage.person())
    visitor.refusals = {400}
    visitor.goto("/transform")
    visitor.page.locator("form").evaluate_all("forms => forms.forEach(form => { form.noValidate = true })")
    visitor.button("Use this photo").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("Choose a photo first.")
    visitor.choose_photo(PHOTOS / "rocket.jpg")
    visitor.page.locator("form").evaluate_all("forms => forms.forEach(form => { form.noValidate = true })")
    visitor.button(re.compile("^Make it")).click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("Choose a style first.")
    visitor.choose_style("Linocut")
    visitor.press_make()


def test_a_photo_keeps_the_style_that_was_chosen_before_it(visit: Visit, device: Device) -> None:
    visitor = visit(device)
    visitor.become(visitor.backstage.person())
    visitor.goto("/")
    visitor.link("Cyanotype").click()
    expect(visitor.page.get_by_text("Cyanotype")).to_be_visible()
    visitor.choose_photo(PHOTOS / "rocket.jpg")
    expect(visitor.page.get_by_role("radio", name="Cyanotype")).to_be_checked()
