"""Redis goes and comes back while people are at work: nobody is signed out, and nobody who signed out comes back."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import redis
from flask import Flask

from pixshift.domain.roles import AuthProvider
from pixshift.extensions import db
from pixshift.models import User
from pixshift.services import sessions
from tests import servers
from tests.integration.conftest import MakeApp

PEOPLE = 20
AWAY_SECONDS = 3.0
GRACE_SECONDS = 2.0  # of errors when Redis goes
PATIENCE = 20.0  # seconds for one answer


@dataclass
class Caller:
    """Somebody who asks all the time who they are; each answer with when it was asked for, status 0 when none came."""

    url: str
    token: str
    answers: list[tuple[float, int]] = field(default_factory=list)

    def ask(self, method: str = "GET", path: str = "/api/v1/auth/session") -> tuple[int, str]:
        """Status and the code of the error, if it is one."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        begun, status, body = time.monotonic(), 0, b"{}"
        with suppress(OSError, http.client.HTTPException):
            connection.request(method, path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        connection.close()
        self.answers.append((begun, status))
        return status, json.loads(body).get("error", {}).get("code", "")

    def ask_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.ask()


def signed_in(app: Flask, url: str) -> Caller:
    with app.app_context():
        person = User(id=uuid4(), auth_provider=AuthProvider.MOBILE)
        db.session.add(person)
        db.session.flush()
        token = sessions.start(app.extensions["toolbox"], person.id, None)
        db.session.commit()
    return Caller(url, token)


@contextmanager
def at_work(people: list[Caller]) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=person.ask_until, args=[stop], daemon=True) for person in people]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE * 2)


def everybody_was_answered_since(people: list[Caller], moment: float) -> None:
    def is_so() -> bool:
        return all(person.answers and person.answers[-1][0] >= moment for person in people)

    servers.wait_until(is_so, 30, "an answer for everybody")


def remembered(url: str) -> int:
    """How many sign-ins the cache knows."""
    with redis.Redis.from_url(url) as client:
        return len(client.keys("pixshift:session:*"))


def test_redis_goes_and_comes_back_under_load(make_app: MakeApp, postgres_url: str, tmp_path: Path) -> None:
    with servers.own_redis() as cache:
        env = {"PIXSHIFT_ENV": "development", "DATABASE_URL": postgres_url, "REDIS_URL": f"{cache.url}/0"}
        with servers.product(tmp_path / "product", env) as product:
            app = make_app(DATABASE_URL=postgres_url)
            people = [signed_in(app, product.url) for _ in range(PEOPLE)]
            leaver = signed_in(app, product.url)
            assert leaver.ask() == (200, "")
            with at_work(people):
                servers.wait_until(lambda: remembered(cache.url) == PEOPLE + 1, 30, "everybody in the cache")
                gone = time.monotonic()
                cache.stop()
                assert leaver.ask("POST", "/api/v1/auth/logout")[0] == 200
                assert leaver.ask() == (401, "AUTH_EXPIRED")
                everybody_was_answered_since(people, gone + AWAY_SECONDS)
                cache.start()
                back = time.monotonic()
                assert leaver.ask() == (401, "AUTH_EXPIRED")
                servers.wait_until(lambda: remembered(cache.url) >= PEOPLE, 30, "everybody in the cache again")
                everybody_was_answered_since(people, back)
                assert leaver.ask() == (401, "AUTH_EXPIRED")
            answers = [answer for person in people for answer in person.answers]
    assert [status for _, status in answers if status == 401] == []
    assert {status for begun, status in answers if not gone <= begun < gone + GRACE_SECONDS} == {200}
    meanwhile = [status for begun, status in answers if gone + GRACE_SECONDS <= begun < back]
    assert len(meanwhile) >= PEOPLE
