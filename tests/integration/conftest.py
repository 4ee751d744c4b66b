"""The application as other programs meet it: real database, real Redis, twins for the vendors."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pixshift import create_app
from pixshift.extensions import db
from pixshift.settings import load_settings
from tests import factories, money
from tests.factories import Person
from tests.money import Shop

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[MakeApp]:
    """Builds the application: ``make_app(DATABASE_URL=…, REDIS_URL=…)``, any name of the environment."""
    made: list[Flask] = []

    def make(**environ: str) -> Flask:
        base = {"PIXSHIFT_ENV": "test", "PIXSHIFT_INSTANCE": str(tmp_path / "instance")}
        made.append(create_app(load_settings(base | environ)))
        return made[-1]

    yield make
    for app in made:
        app.extensions["toolbox"].gateways.close()
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Flask:
    """The application without Redis, once on PostgreSQL and once on SQLite."""
    return make_app(DATABASE_URL=database_url)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def quick(make_app: MakeApp, sqlite_url: str) -> Flask:
    """The application on SQLite alone, for what no database decides."""
    return make_app(DATABASE_URL=sqlite_url)


@pytest.fixture
def who(quick: Flask) -> Person:
    """Somebody signed in there."""
    return factories.person(quick)


@pytest.fixture
def shop(sqlite_url: str, tmp_path: Path) -> Iterator[Shop]:
    """A shop whose gateway is practice."""
    with money.shop(sqlite_url, tmp_path) as made:
        yield made


@pytest.fixture
def both(database_url: str, tmp_path: Path) -> Iterator[Shop]:
    """The same on each database."""
    with money.shop(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def stripe(sqlite_url: str, tmp_path: Path) -> Iterator[Shop]:
    with money.shop(sqlite_url, tmp_path, "stripe") as made:
        yield made


@pytest.fixture
def paypal(sqlite_url: str, tmp_path: Path) -> Iterator[Shop]:
    with money.shop(sqlite_url, tmp_path, "paypal") as made:
        yield made
