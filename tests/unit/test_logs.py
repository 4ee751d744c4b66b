"""What the log says, and what it must not cost or show."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pixshift import logs
from pixshift.settings import load_settings


@pytest.fixture(params=["development", "test"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[io.StringIO]:
    """What the product's log writes, in its readable form and as JSON."""
    root = logging.getLogger()
    before = root.handlers, root.level
    logs.configure(load_settings({"PIXSHIFT_ENV": request.param, "PIXSHIFT_INSTANCE": str(tmp_path)}))
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(text := io.StringIO())
    yield text
    root.handlers, root.level = before
    logging.getLogger("huey").setLevel(logging.NOTSET)


def test_a_traceback_says_where_it_happened_but_shows_no_values(written: io.StringIO) -> None:
    """While the database is away every request writes one: a drawing of all local values took a second for each."""
    password = uuid4().hex
    try:
        raise OSError(f"no answer after {len(password)} tries")
    except OSError as error:
        logging.getLogger("somewhere").error("it failed", exc_info=error)
    assert "no answer after 32 tries" in written.getvalue()
    assert "test_logs.py" in written.getvalue()
    assert password not in written.getvalue()
