"""The rules of pictures, without a picture."""

from datetime import date
from uuid import UUID

import pytest

from pixshift.domain import image_formats, images
from pixshift.errors import FileTooLarge, InvalidFileType, InvalidInput

USER, OTHER, THIRD = (UUID(int=number, version=4) for number in (1, 2, 3))


def test_limits_on_bytes_are_inclusive() -> None:
    images.require_bytes(1, "a.jpg")
    images.require_bytes(images.MAX_BYTES, "a.jpg")


@pytest.mark.parametrize(
    ("size", "figure"), [(images.MAX_BYTES + 1, "10.1 MB"), (14 * 1024 * 1024, "14 MB"), (14_000_000, "13.4 MB")]
)
def test_a_file_too_large_is_told_its_size_the_limit_and_the_way_out(size: int, figure: str) -> None:
    with pytest.raises(FileTooLarge) as refused:
        images.require_bytes(size, "IMG_2041.png")

    assert refused.value.message == (
        f"IMG_2041.png is {figure}. The limit is 10 MB: choose a smaller size when you export it."
    )
    assert refused.value.details == {"field": "image", "limit": images.MAX_BYTES, "actual": size}


def test_an_empty_file_is_said_to_be_empty() -> None:
    with pytest.raises(InvalidInput, match="is empty"):
        images.require_bytes(0, "a.jpg")


@pytest.mark.parametrize("sides", [(100, 100), (5000, 5000), (100, 5000), (5000, 100)])
def test_limits_on_sides_are_inclusive(sides: tuple[int, int]) -> None:
    images.require_sides(*sides, "a.jpg")


@pytest.mark.parametrize(
    ("sides", "limit", "actual"),
    [((99, 100), 100, 99), ((100, 99), 100, 99), ((5001, 100), 5000, 5001), ((1, 6000), 100, 1)],
)
def test_sides_outside_are_refused_with_figures(sides: tuple[int, int], limit: int, actual: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        images.require_sides(*sides, "a.jpg")

    assert f"a.jpg is {sides[0]} × {sides[1]} pixels." in refused.value.message
    assert refused.value.details == {"field": "image", "limit": limit, "actual": actual}


def test_results_may_have_fifty_megapixels_and_no_more() -> None:
    images.require_result(1, 10_000, 5000)
    with pytest.raises(InvalidInput):
        images.require_result(1, 10_001, 5000)
    with pytest.raises(InvalidInput):
        images.require_result(images.RESULT_MAX_BYTES + 1, 10, 10)


def test_keys_are_made_of_ids() -> None:
    assert images.upload_key(USER, OTHER) == f"uploads/{USER}/{OTHER}.jpg"
    assert images.result_key(USER, OTHER, THIRD, "image/png") == f"transformations/{USER}/{OTHER}/{THIRD}.png"
    assert images.result_key(USER, OTHER, THIRD, "image/webp").endswith(".webp")


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ("engraving", "pixshift-engraving-2026-11-22.png"),
        ("1970s-print", "pixshift-1970s-print-2026-11-22.png"),
        ('../"x"\r\n', "pixshift-x-2026-11-22.png"),
        ("übung", "pixshift-bung-2026-11-22.png"),
        ("", "pixshift-picture-2026-11-22.png"),
    ],
)
def test_download_names_are_plain(style: str, name: str) -> None:
    assert images.download_name(style, date(2026, 11, 22), "image/png") == name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("IMG_2041.png", "IMG_2041.png"),
        ("C:\\Users\\me\\Straße 1.jpg", "Straße 1.jpg"),
        ("/etc/passwd", "passwd"),
        ("../../x.png", "x.png"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("a\u200bb\x00c\r\nd.jpg", "abc d.jpg"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("cafe\u0301.jpg", "café.jpg"),
        ("猫.webp", "猫.webp"),
    ],
)
def test_names_are_cleaned_for_showing(raw: str, shown: str) -> None:
    assert images.display_name(raw) == shown


@pytest.mark.parametrize("raw", [None, "", " ", ".", "..", "folder/", "\x00\u202e", "...."])
def test_a_name_without_anything_to_show_is_none(raw: str | None) -> None:
    assert images.display_name(raw) is None


def test_a_long_name_keeps_its_extension() -> None:
    shown = images.display_name("holiday " * 500 + ".jpeg")

    assert shown is not None
    assert len(shown) == images.NAME_LENGTH
    assert shown.endswith(".jpeg")
    assert "…" in shown


HEADS = {
    b"\xff\xd8\xff\xe0": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"RIFF\x10\x00\x00\x00WEBPVP8 ": "WEBP",
    b"RIFF\x10\x00\x00\x00AVI LIST": "VIDEO",
    b"RIFF\x10\x00\x00\x00WAVEfmt ": "OTHER",
    b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic": "HEIC",
    b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic": "HEIC",
    b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif": "AVIF",
    b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1": "AVIF",
    b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2": "VIDEO",
    b"GIF89a": "GIF",
    b"II*\x00": "TIFF",
    b"BM": "BMP",
    b"8BPS": "PSD",
    b"%PDF-1.7": "PDF",
    b"PK\x03\x04": "ZIP",
    b"\xef\xbb\xbf <?xml version='1.0'?><svg xmlns='x'>": "SVG",
    b"<!DOCTYPE html><title>x</title>": "HTML",
    b"hello": "OTHER",
    b"": "OTHER",
}


@pytest.mark.parametrize(("head", "kind"), HEADS.items(), ids=[f"{n}-{kind}" for n, kind in enumerate(HEADS.values())])
def test_the_first_bytes_tell_the_kind(head: bytes, kind: str) -> None:
    assert image_formats.sniff(head + b"\x00" * (32 if head else 0)) == kind


@pytest.mark.parametrize("kind", sorted(set(HEADS.values()) - {"JPEG", "PNG", "WEBP"}))
def test_every_other_kind_is_refused_with_a_way_out(kind: str) -> None:
    head = next(head for head, name in HEADS.items() if name == kind)

    with pytest.raises(InvalidFileType) as refused:
        image_formats.require_supported(head, "IMG_1.HEIC")

    assert refused.value.message.startswith("IMG_1.HEIC is ")
    assert refused.value.details["field"] == "image"
    assert refused.value.details["actual"] == kind


def test_a_phone_in_its_own_format_is_told_how_to_export_a_jpg_there_and_elsewhere() -> None:
    with pytest.raises(InvalidFileType) as refused:
        image_formats.require_supported(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "IMG_1.HEIC")

    for words in (
        "IMG_1.HEIC is a HEIC picture",
        "export it as JPG",
        "On an iPhone: Share › Options › Most Compatible",
        "Elsewhere",
    ):
        assert words in refused.value.message


def test_a_canons_raw_file_is_no_video() -> None:
    with pytest.raises(InvalidFileType, match="a camera's raw file"):
        image_formats.require_supported(b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", "IMG_1.CR3")
