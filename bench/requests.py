"""Requests in process: the status poll and the session check, beside a Flask that says hello."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from flask import Flask

from bench import wsgi
from bench.measure import Row, cpu, side_by_side, us
from pixshift.domain.lifecycle import Status
from pixshift.extensions import db
from pixshift.services import sessions
from tests import jobs, servers
from tests.conftest import migrate

TIMES = 150


def rows(folder: Path, postgres: servers.Postgres, redis_url: str) -> list[Row]:
    found = []
    with postgres.database() as name:
        migrate(postgres.url(name), folder)
        with site(folder / "big", postgres.url(name), redis_url) as (app, token, job):
            found += [*_polls(app, token, job, "PostgreSQL, Redis"), _session(app, token)]
    file = f"sqlite:///{folder / 'bench.sqlite3'}"
    migrate(file, folder)
    with site(folder / "small", file, "") as (app, token, job):
        found += _polls(app, token, job, "SQLite")
    return found


@contextmanager
def site(folder: Path, database_url: str, redis_url: str) -> Iterator[tuple[Flask, str, UUID]]:
    """The application with one person's session and one job that is being made."""
    with jobs.application(database_url, folder, REDIS_URL=redis_url) as app:
        logging.getLogger().setLevel(logging.WARNING)
        wsgi.unlimited(app)
        now = datetime.now(UTC)
        person = jobs.add_person(app)
        photo = jobs.add_photo(app, person, now)
        values = {"status": Status.PROCESSING, "stage": "making", "lease_token": jobs.uuid4(), "started_at": now}
        job = jobs.add_job(app, person, photo, jobs.add_type(app), now, **values)
        with app.app_context():
            token = sessions.start(app.extensions["toolbox"], person, "bench")
            db.session.commit()
        yield app, token, job


def _polls(app: Flask, token: str, job: UUID, where: str) -> list[Row]:
    hello = wsgi.hello()

    def page() -> object:
        path = f"/transformations/{job}/status"
        return wsgi.request(app, path, Cookie=f"session={token}", HX_Request="true")

    def program() -> object:
        return wsgi.request(app, f"/api/v1/transformations/{job}", Authorization=f"Bearer {token}")

    found = []
    for name, poll in (("status poll, page fragment", page), ("status poll, JSON", program)):
        status, _, body = poll()  # type: ignore[misc]
        if status != "200 OK" or not body:
            raise RuntimeError(f"{name}: {status} {body[:300]!r}")
        pair = side_by_side(
            lambda poll=poll: cpu(poll, TIMES), lambda: cpu(lambda: wsgi.request(hello, "/"), TIMES * 3)
        )
        found.append(
            Row(f"{name} ({where}), CPU", us(pair.ours), f"Flask hello {us(pair.reference)}", pair.ratio, "≤ 4")
        )
    return found


def _session(app: Flask, token: str) -> Row:
    """Proving the cookie, on top of the same request without it."""
    hello = wsgi.hello()
    toolbox = app.extensions["toolbox"]

    def check() -> None:
        with app.app_context():
            sessions.resolve(toolbox, token, is_poll=True)

    def nothing() -> None:
        with app.app_context():
            pass

    check()
    pair = side_by_side(
        lambda: cpu(check, TIMES) - cpu(nothing, TIMES), lambda: cpu(lambda: wsgi.request(hello, "/"), TIMES * 3)
    )
    return Row("session check (Redis), CPU", us(pair.ours), f"Flask hello {us(pair.reference)}", pair.ratio, "≤ 0.3")
