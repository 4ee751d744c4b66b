"""Thousands of odd and hostile files meet the real decoder, and a form the real endpoint: each gets its verdict."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import pytest

from pixshift.domain import images
from pixshift.errors import PixShiftError
from pixshift.gateways.image_decoder import PooledImageDecoder
from tests import factories, odd_files
from tests.factories import Person
from tests.odd_files.odd_file import ACCEPTED, OddFile

_URL = "/api/v1/transformations/upload"


@pytest.fixture(scope="module")
def decoder() -> Iterator[PooledImageDecoder]:
    made = PooledImageDecoder()
    made.warm()
    yield made
    made.close()


@pytest.mark.parametrize("theme", odd_files.THEMES)
def test_every_odd_file_gets_its_verdict(decoder: PooledImageDecoder, theme: str) -> None:
    def faults(file: OddFile) -> list[str]:
        return [f"{file.name}: {fault}" for fault in _faults(decoder, file)]

    with ThreadPoolExecutor(2) as threads:  # as many as there are helpers, so that nobody is asked to come back
        found = list(threads.map(faults, odd_files.THEMES[theme](odd_files.CANARY)))

    assert found
    assert [fault for each in found for fault in each] == []


def _faults(decoder: PooledImageDecoder, file: OddFile) -> Iterator[str]:
    """What is wrong with what the decoder says of a file, or makes of it."""
    name, begun = images.display_name(file.filename) or "Your photo", perf_counter()
    try:
        kept = decoder.normalise(file.data, name)
    except PixShiftError as error:
        if not file.verdict.allows(error.code):
            yield f"{error.code} instead of {file.verdict}: {error.message}"
        if error.details.get("field") != "image" or not error.message.startswith(name):
            yield f"does not say which file: {error.message}"
    else:
        if not file.verdict.allows(ACCEPTED, kept.width, kept.height):
            yield f"accepted, {kept.width} × {kept.height}, instead of {file.verdict}"
        if not odd_files.is_ours_alone(kept.data):
            yield "something of the file was kept beside its pixels"
    if perf_counter() - begun > 5:
        yield "took longer than five seconds"


def test_there_are_enough_odd_files_and_they_are_always_the_same() -> None:
    def sample() -> list[OddFile]:
        return [
            file for theme in ("cut off", "flipped", "with notes") for file in odd_files.THEMES[theme](odd_files.CANARY)
        ]

    assert len(sample()) > 1500
    assert sample() == sample()


def test_no_name_of_a_file_does_harm(who: Person) -> None:
    for file in odd_files.THEMES["named oddly"](odd_files.CANARY):
        form = {"image": (io.BytesIO(file.data), file.filename, file.content_type)}
        answer = who.client.post(_URL, data=form, headers=who.headers)
        assert answer.status_code == 201, (file.name, answer.text)
        assert (answer.json["width"], answer.json["height"]) == (160, 120)


def _part(disposition: str, body: str = "x") -> str:
    return f"--b\r\nContent-Disposition: {disposition}\r\n\r\n{body}\r\n"


# Werkzeug leaves the parts it had read to the garbage collector when it refuses a form.
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")
@pytest.mark.parametrize(
    "parts",
    [
        [_part(f'form-data; name="field{number}"') for number in range(900)],
        [_part('form-data; name="image"') for _ in range(900)],
        [_part(f'form-data; name="image"; filename="{number}.jpg"') for number in range(300)],
        [_part(f'form-data; name="f{number}"; filename="{number}.jpg"') for number in range(900)],
        [_part('form-data; name="field"', "x" * 2_000_000)],
        [_part('form-data; name="image"; filename=""', "")],
        [_part('form-data; name="image"; filename="a.jpg"', "")],
        [_part(f'form-data; name="{"n" * 60_000}"; filename="a.jpg"')],
        [_part('form-data; name="image"; filename="a.jpg"\r\n' + "X-Y: z\r\n" * 900_000 + "A: b")],
        [_part("form-data"), _part(""), _part("attachment; filename=a.jpg")],
        ["--b\r\n\r\n\r\n" * 900],
        ["\r\n" * 90_000],
    ],
    ids=["fields", "photos as fields", "photos", "files", "long field", "no name", "no bytes", "long name",
         "many headers", "no field", "no headers", "lines"],
)  # fmt: skip
def test_forms_of_hundreds_of_parts_and_crooked_ones_are_refused(who: Person, parts: list[str]) -> None:
    body = "".join(parts) + "--b--\r\n"
    answer = who.client.post(_URL, data=body, content_type="multipart/form-data; boundary=b", headers=who.headers)
    assert (answer.status_code, factories.error_of(answer)["code"]) == (400, "VALIDATION_ERROR"), answer.text


def test_a_photo_between_a_few_fields_is_found(who: Person) -> None:
    form: dict[str, Any] = {f"field{number}": "x" for number in range(9)}
    form["image"] = (io.BytesIO(factories.photo()), "a.jpg")
    assert who.client.post(_URL, data=form, headers=who.headers).status_code == 201
