"""People with sessions who send files to the running product over HTTP, and what it answers them."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pixshift.extensions import db
from pixshift.services import sessions
from tests import factories, jobs
from tests.odd_files.odd_file import ACCEPTED, OddFile

URL = "/api/v1/transformations/upload"
_TRIES = 60
_PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """What a file got in the end: ``seconds`` are those of the last try, ``kept_url`` leads to what was kept."""

    file: OddFile
    status: int  # 0 when the connection broke
    code: str
    seconds: float
    token: str
    asked_to_wait: int = 0  # how often
    width: int = 0
    height: int = 0
    kept_url: str = ""

    @property
    def is_right(self) -> bool:
        is_clear = self.status in (201, 400) and (self.status == 201) == (self.code == ACCEPTED)
        return is_clear and self.file.verdict.allows(self.code, self.width, self.height)


@dataclass
class Postbox:
    """Sends files for many people in turn, so that no single one of them is too fast."""

    url: str
    tokens: list[str]
    _turns: Iterator[str] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._turns = itertools.cycle(self.tokens)

    def send(self, file: OddFile) -> Answer:
        """Again and again as long as it is asked to wait; how long for must be said."""
        with self._lock:
            token = next(self._turns)
        body, media_type = form(file)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
        for tries in range(_TRIES):
            begun = time.monotonic()
            status, answered, content = self._request("POST", URL, body, headers)
            seconds = time.monotonic() - begun
            wait = float(answered.get("Retry-After", 0))
            if status != 429 or wait <= 0:
                return Answer(file, status, _code(status, content), seconds, token, tries, **_kept(status, content))
            threading.Event().wait(wait)
        return Answer(file, 429, "RATE_LIMIT_EXCEEDED", 0, token, _TRIES)

    def fetch(self, answer: Answer) -> tuple[int, bytes]:
        """What was kept of an accepted file, as its owner sees it."""
        parts = urlsplit(answer.kept_url)
        path = f"{parts.path}?{parts.query}"
        status, _, content = self._request("GET", path, b"", {"Authorization": f"Bearer {answer.token}"})
        return status, content

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, {}, b""
        finally:
            connection.close()


def form(file: OddFile) -> tuple[bytes, str]:
    """The file as a browser sends it; a name's quotes and line ends are written as it writes them."""
    name = file.filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = f'--odd-files\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
    kind = f"Content-Type: {file.content_type}\r\n\r\n"
    return (head + kind).encode() + file.data + b"\r\n--odd-files--\r\n", "multipart/form-data; boundary=odd-files"


def _code(status: int, content: bytes) -> str:
    if status == 201:
        return ACCEPTED
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(content)["error"]["code"])
    return "no error that programs can read"


def _kept(status: int, content: bytes) -> dict[str, Any]:
    if status != 201:
        return {}
    kept = json.loads(content)
    return {"width": kept["width"], "height": kept["height"], "kept_url": kept["imageUrl"]}


def people(database_url: str, folder: Path, count: int) -> list[str]:
    """The tokens of so many people who have just signed in."""
    with jobs.application(database_url, folder) as app:
        ids = [jobs.add_person(app) for _ in range(count)]
        with app.app_context():
            tokens = [sessions.start(app.extensions["toolbox"], person, "a drill") for person in ids]
            db.session.commit()
    return tokens


def sound(kind: str = "JPEG") -> bytes:
    """An ordinary photo."""
    return factories.photo(640, 480, kind)
