"""What every ImageEditor keeps: the twin of the embedded default and Gemini answer the same questions."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from pixshift.gateways.gemini import GeminiImageEditor
from pixshift.gateways.ports import EditRequest, ImageEditor, Usage
from pixshift.gateways.preview_editor import PreviewEditor
from tests.stand_ins.gemini import GeminiStandIn, picture

MEDIA_TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
SHAPES = [(900, 600, "3:2"), (600, 900, "2:3"), (500, 500, "1:1")]


@pytest.fixture(scope="module")
def stand_in() -> Iterator[GeminiStandIn]:
    with GeminiStandIn() as server:
        yield server


@pytest.fixture(params=["preview", "gemini"])
def editor(request: pytest.FixtureRequest, stand_in: GeminiStandIn) -> Iterator[ImageEditor]:
    made: ImageEditor = PreviewEditor() if request.param == "preview" else GeminiImageEditor(stand_in.settings())
    yield made
    made.close()


def request_of(width: int, height: int, ratio: str) -> EditRequest:
    photo = picture(ratio, max(width, height), "JPEG")
    return EditRequest(photo=photo, prompt="Give this person a crown.", style="crown", width=width, height=height)


@pytest.mark.parametrize(("width", "height", "ratio"), SHAPES)
def test_a_picture_of_its_declared_type_comes_back_in_the_photos_shape(
    editor: ImageEditor, width: int, height: int, ratio: str
) -> None:
    request = request_of(width, height, ratio)

    made = editor.edit(request)

    with Image.open(io.BytesIO(made.data)) as image:
        image.load()
        assert image.format == MEDIA_TYPES[made.media_type]
        assert image.width / image.height == pytest.approx(width / height, rel=0.02)
    assert made.data != request.photo
    assert isinstance(made.usage, Usage)


def test_the_same_photo_may_be_edited_at_once_by_many(editor: ImageEditor) -> None:
    request = request_of(*SHAPES[0])
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: editor.edit(request), range(16)))

    assert len(made) == 16
    assert all(one.data for one in made)


def test_the_check_is_one_line_for_the_doctor(editor: ImageEditor) -> None:
    line = editor.check()

    assert line
    assert "\n" not in line


def test_it_says_whether_it_is_the_twin(editor: ImageEditor) -> None:
    assert editor.is_twin is isinstance(editor, PreviewEditor)


def test_it_may_be_closed_twice(editor: ImageEditor) -> None:
    editor.edit(request_of(*SHAPES[0]))

    editor.close()
    editor.close()
