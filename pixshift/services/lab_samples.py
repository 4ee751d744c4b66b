"""Photos to try prompts on: a few that come with PixShift, and those an admin brings."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from pixshift.errors import InvalidInput
from pixshift.models import Upload
from pixshift.models.base import read_all
from pixshift.services import uploads
from pixshift.services.toolbox import Toolbox
from pixshift.settings import ROOT

FOLDER = Path(ROOT) / "pixshift" / "static" / "lab"
OWN_SHOWN = 12
_LONG_ENOUGH = timedelta(hours=2)  # for a run and a look at it


@dataclass(frozen=True, slots=True)
class Sample:
    """A photo of ours; ``key`` is its file's name and that of its upload."""

    key: str
    label: str
    width: int
    height: int

    @property
    def file(self) -> str:
        return f"{self.key}.webp"


SAMPLES = (
    Sample("cup", "Cup, high contrast", 600, 400),
    Sample("cat", "Cat, fur", 451, 300),
    Sample("launch", "Launch pad, night", 640, 427),
)
_LABELS = {sample.file: sample.label for sample in SAMPLES}


def label(name: str | None) -> str:
    """What a sample's upload is called in the lab; that of an admin keeps its own name."""
    return _LABELS.get(name or "", name or "A photo")


def own(toolbox: Toolbox, user_id: UUID) -> list[Upload]:
    """The photos that this admin brought and that are still there, newest first."""
    mine = select(Upload).where(
        Upload.user_id == user_id, Upload.deleted_at.is_(None), Upload.delete_due_at > toolbox.now()
    )
    is_theirs = Upload.name.is_(None) | Upload.name.not_in(_LABELS)
    return read_all(mine.where(is_theirs).order_by(Upload.created_at.desc()).limit(OWN_SHOWN))


def photo(toolbox: Toolbox, user_id: UUID, named: str) -> Upload:
    """The upload behind a sample's key, made when there is none, or behind the id of one's own photo.

    Raises NotFound, InvalidInput, and as ``uploads.create`` does.
    """
    sample = next((sample for sample in SAMPLES if sample.key == named), None)
    if sample is None:
        return uploads.find(toolbox, user_id, _id(named))
    same = (Upload.user_id == user_id) & (Upload.name == sample.file) & Upload.deleted_at.is_(None)
    kept = select(Upload).where(same, Upload.delete_due_at > toolbox.now() + _LONG_ENOUGH)
    known = read_all(kept.order_by(Upload.created_at.desc()).limit(1))
    if known:
        return known[0]
    data = (FOLDER / sample.file).read_bytes()
    return uploads.create(toolbox, user_id, data=data, filename=sample.file)


def _id(named: str) -> UUID:
    try:
        return UUID(named)
    except ValueError:
        raise InvalidInput("There is no such sample photo.", field="photos") from None
