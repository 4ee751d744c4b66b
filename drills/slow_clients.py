"""Slow clients: hundreds who send or read as slowly as they can, and how long everybody else waits meanwhile."""

import http.client
import json
import math
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from drills.table import Row, at_most, exactly
from pixshift.blueprints import places, stalled
from pixshift.extensions import db
from pixshift.services import sessions
from tests import factories, jobs
from tests.sites import Site

AREA = "slow clients"
SLOWEST_SECONDS = 1.0  # of 99 in 100 answers to the others
DRIP_SECONDS = 1.0
LARGE = 24 * 1024 * 1024  # more than the system's buffers take
JOBS = "/api/v1/transformations"
FORM = "Content-Type: application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Kind:
    """What a slow client sends at once, what it sends a byte or line at a time, and whether it ends its own half."""

    name: str
    begins: Callable[[int], bytes]
    drips: bytes = b""
    is_half_closed: bool = False


@dataclass
class Others:
    """Somebody new comes, brings a photo, asks for a picture, looks how it stands; and looks at the pages."""

    site: Site
    port: int
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def come(self) -> None:
        token = sign_in(self.site)[1]
        self.call("GET", "/healthz")
        self.call("GET", "/login")
        body, media_type = factories.multipart(factories.photo(), "photo.jpg", {})
        photo = self.call("POST", f"{JOBS}/upload", token, body, media_type)
        asked = {"transformationTypeId": str(self.site.type_id), "imageId": photo.get("imageId")}
        made = self.call("POST", JOBS, token, json.dumps(asked).encode(), "application/json")
        self.call("GET", f"{JOBS}/{made.get('transformation', {}).get('id')}", token)

    def call(
        self, method: str, path: str, token: str = "", body: bytes | None = None, media_type: str = ""
    ) -> dict[str, dict[str, str]]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type} if token else {}
        begun, connection = time.monotonic(), http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            status, text = 0, b""
        finally:
            connection.close()
        self.seconds.append(time.monotonic() - begun)
        if status not in (200, 201):
            self.wrong.append(f"{method} {path}: {status}")
        return json.loads(text) if text.startswith(b"{") else {}

    @property
    def slowest(self) -> float:
        """Of 99 in 100 answers, seconds."""
        return sorted(self.seconds)[math.ceil(len(self.seconds) * 0.99) - 1]


def rows(site: Site, port: int, count: int, is_full: bool) -> Iterator[Row]:
    wrong = []
    for kind in _kinds(site):
        others = Others(site, port)
        with crowd(port, kind, count):
            for _ in range(20 if is_full else 2):
                others.come()
        wrong += others.wrong
        what = f"{count} {kind.name}: 99 in 100 of {len(others.seconds)} answers to others"
        yield at_most(AREA, what, others.slowest, SLOWEST_SECONDS, "s")
    yield exactly(AREA, "answers to others that were not as they should be", len(wrong), 0)
    if is_full:
        yield _stalled(site, port)


def _kinds(site: Site) -> list[Kind]:
    token = sign_in(site)[1]
    pictures = [_large_picture(site) for _ in range(8)]
    post = f"POST /login HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: 60000\r\n\r\na=".encode()
    photo = (
        f"POST {JOBS}/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 9000000\r\n"
        'Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name="image"; '
        'filename="a.jpg"\r\n\r\n'
    ).encode()
    return [
        Kind("whose headers never end", lambda _: b"GET / HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n"),
        Kind("who send a form a byte at a time", lambda _: post, b"a"),
        Kind("who send a photo a byte at a time", lambda _: photo, b"\xff"),
        Kind("who do not read the picture they asked for", lambda number: pictures[number % 8]),
        Kind("who say nothing more", lambda _: b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
        Kind("who say nothing at all", lambda _: b""),
        Kind("who end their half of the connection", lambda _: post, is_half_closed=True),
    ]


def _large_picture(site: Site) -> bytes:
    """Somebody's request for a photo of theirs that no buffer holds."""
    person, token = sign_in(site)
    toolbox, now = site.app.extensions["toolbox"], datetime.now(UTC)
    photo = jobs.add_photo(site.app, person, now)
    toolbox.gateways.storage.put(photo.storage_key, random.randbytes(LARGE), "image/jpeg")
    path = toolbox.gateways.links.path("photo", photo.id, now)
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


@contextmanager
def crowd(port: int, kind: Kind, count: int) -> Iterator[list[socket.socket]]:
    """So many clients of one kind, who drip as long as the block lasts."""
    done = threading.Event()
    with ExitStack() as stack:
        clients = [stack.enter_context(_client(port, kind, number)) for number in range(count)]
        dripping = threading.Thread(target=_drip, args=(clients, kind.drips, done), daemon=True)
        dripping.start()
        try:
            yield clients
        finally:
            done.set()
            dripping.join(10)


def _client(port: int, kind: Kind, number: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    client.sendall(kind.begins(number))
    if kind.is_half_closed:
        client.shutdown(socket.SHUT_WR)
    return client


def _drip(clients: list[socket.socket], drops: bytes, done: threading.Event) -> None:
    while drops and not done.wait(DRIP_SECONDS):
        for client in clients:
            with suppress(OSError):
                client.sendall(drops)


def _stalled(site: Site, port: int) -> Row:
    """More forms sent by the byte than may hold a thread: after how long a form of somebody else's is taken again."""
    kind = next(kind for kind in _kinds(site) if "form" in kind.name)
    limit = stalled.PATIENCE_SECONDS + 2 * stalled.LOOK_SECONDS
    with crowd(port, kind, places.ALL + 20):
        begun = time.monotonic()
        while time.monotonic() - begun < limit + 10:
            others = Others(site, port)
            others.come()
            if not others.wrong:
                break
            threading.Event().wait(1)
        waited = time.monotonic() - begun
    return at_most(AREA, f"{places.ALL + 20} forms that never end: until forms are taken again", waited, limit, "s")


def sign_in(site: Site) -> tuple[UUID, str]:
    """Somebody new and their token."""
    person = jobs.add_person(site.app)
    with site.app.app_context():
        token = sessions.start(site.app.extensions["toolbox"], person, None)
        db.session.commit()
    return person, token
