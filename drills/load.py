"""People at work over HTTP: they bring photos, ask for pictures and look how they stand, whatever is broken."""

import http.client
import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from pixshift.domain.roles import AuthProvider
from pixshift.extensions import db
from pixshift.models import User
from pixshift.services import sessions
from tests import factories
from tests.sites import Site

PEOPLE = 3  # at a time
PICTURES = 5  # of one person, the free ones
LOOKS = 3  # at each of them
PAUSE_SECONDS = 0.2
PATIENCE = 20.0  # seconds for one answer


@dataclass(frozen=True)
class Answer:
    """How one call ended; ``status`` is 0 when nothing came. ``code`` is that of an error in our own form."""

    what: str
    begun: float
    seconds: float
    status: int
    code: str | None = None

    @property
    def is_bad(self) -> bool:
        return self.status == 0 or self.status >= 500


@dataclass
class Load:
    """A few people at a time, who ask for all their free pictures and are followed by the next ones."""

    site: Site
    url: str
    answers: list[Answer] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(PEOPLE)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Nobody asks for more from now on."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE * 2)

    def since(self, begun: float, what: str = "") -> list[Answer]:
        """The calls that were begun since then and have ended."""
        return [one for one in list(self.answers) if one.begun >= begun and one.what.startswith(what)]

    def _serve(self) -> None:
        while not self._stop.is_set():
            with suppress(Exception):  # the database may be away just now
                person, token = self._sign_in()
                self._visit(person, token)
            self._stop.wait(PAUSE_SECONDS)

    def _sign_in(self) -> tuple[UUID, str]:
        person = uuid4()
        with self.site.app.app_context():
            db.session.add(User(id=person, auth_provider=AuthProvider.MOBILE))
            db.session.flush()
            token = sessions.start(self.site.app.extensions["toolbox"], person, None)
            db.session.commit()
        return person, token

    def _visit(self, person: UUID, token: str) -> None:
        body, media_type = factories.multipart(factories.photo(), "photo.jpg", {})
        for _ in range(PICTURES):
            photo = self._until_accepted("upload", token, body, media_type)
            asked = {"transformationTypeId": str(self.site.type_id), "imageId": photo.get("imageId")}
            made = self._until_accepted("create", token, json.dumps(asked).encode(), "application/json")
            if self._stop.is_set() or not made:
                return
            job = UUID(made["transformation"]["id"])
            self.site.people[job] = person
            self._watch(token, job)

    def _until_accepted(self, what: str, token: str, body: bytes, media_type: str) -> dict[str, Any]:
        """Try until it works, as people do; nothing when the free pictures are used up or the drill ends."""
        path = "/api/v1/transformations" + ("/upload" if what == "upload" else "")
        while not self._stop.is_set():
            status, answer = self.call(what, "POST", path, token, body, media_type)
            if status == 201:
                return answer
            if status == 402:  # an answer was lost whose picture was accepted
                return {}
            self._stop.wait(PAUSE_SECONDS)
        return {}

    def _watch(self, token: str, job: UUID) -> None:
        """For a moment: who waited for the picture would ask for nothing more while no worker hears of it."""
        for _ in range(LOOKS):
            if not self._stop.wait(PAUSE_SECONDS):
                self.call("poll", "GET", f"/api/v1/transformations/{job}", token)

    def call(
        self, what: str, method: str, path: str, token: str, body: bytes | None = None, media_type: str = ""
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"} | ({"Content-Type": media_type} if body else {})
        begun = time.monotonic()
        status, answer = _fetched(self.url, method, path, headers, body)
        code = _code(answer) if status >= 400 else None
        self.answers.append(Answer(what, begun, time.monotonic() - begun, status, code))
        return status, answer


def _fetched(
    url: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, dict[str, Any]]:
    """Status and JSON; 0 and nothing when no answer came."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return answer.status, found if isinstance(found, dict) else {}


def _code(answer: dict[str, Any]) -> str | None:
    """The code of an error that has all its parts."""
    error = answer.get("error")
    if not isinstance(error, dict) or not {"code", "message", "category", "requestId"} <= set(error):
        return None
    return str(error["code"])
