"""Fixtures that every kind of test may use. A server that cannot be had is an error, never a skip."""

import itertools
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests import once, servers

ORDER = ("unit", "", "integration", "e2e")  # quick ones first; Playwright occupies the event loop once it has started


def pytest_configure(config: pytest.Config) -> None:
    # SIGTERM ends the tests like Ctrl-C does: fixtures stop their servers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    once.compile_once()
    if memory := servers.fast_root():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent

    def kind(item: pytest.Item) -> str:
        folder = item.path.relative_to(tests).parts[0]
        return folder if folder in ORDER else ""

    for item in items:
        if kind(item) in ("integration", "e2e"):
            item.add_marker(kind(item))
    items.sort(key=lambda item: ORDER.index(kind(item)))


def migrate(database_url: str, instance: Path) -> None:
    """Bring an empty database to the newest migration, as `flask up` does."""
    import flask_migrate

    from pixshift import create_app
    from pixshift.extensions import db
    from pixshift.settings import load_settings

    environ = {"PIXSHIFT_ENV": "test", "PIXSHIFT_INSTANCE": str(instance), "DATABASE_URL": database_url}
    app = create_app(load_settings(environ))
    with app.app_context():
        flask_migrate.upgrade()
        db.session.remove()
        db.engine.dispose()  # PostgreSQL copies no template that somebody is connected to


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """The server itself, for tests that need more than one database of it."""
    with servers.postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: servers.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres.database() as name:
        migrate(postgres.url(name), tmp_path_factory.mktemp("template"))
        yield name


@pytest.fixture
def empty_postgres_url(postgres: servers.Postgres) -> Iterator[str]:
    """A database without any table."""
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture
def postgres_url(postgres: servers.Postgres, postgres_template: str) -> Iterator[str]:
    """A migrated database of this test alone."""
    with postgres.database(postgres_template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    file = folder / "template.sqlite3"
    migrate(f"sqlite:///{file}", folder)
    return file


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A database without any table."""
    return f"sqlite:///{tmp_path / 'empty.sqlite3'}"


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated database of this test alone."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'pixshift.sqlite3')}"


@pytest.fixture(params=["postgresql", "sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Runs the test twice: migrated PostgreSQL, migrated SQLite."""
    name = "postgres_url" if request.param == "postgresql" else "sqlite_url"
    return str(request.getfixturevalue(name))


@pytest.fixture(params=["postgresql", "sqlite"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """Runs the test twice: PostgreSQL and SQLite without any table."""
    name = "empty_postgres_url" if request.param == "postgresql" else "empty_sqlite_url"
    return str(request.getfixturevalue(name))


@pytest.fixture(scope="session")
def redis_databases() -> Iterator[Iterator[str]]:
    """URLs to take in turn. Of TEST_REDIS_URL only the very database that it names is used, and emptied."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield itertools.repeat(url)
        return
    with servers.redis_server() as url:
        yield itertools.cycle([f"{url}/{number}" for number in range(16)])


@pytest.fixture
def redis_url(redis_databases: Iterator[str]) -> str:
    """An empty Redis database; the next test gets another one, so a straggler of this one does not disturb it."""
    url = next(redis_databases)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url
