"""Our commands with a worker that is told to stop in a hurry: ``python tests/hasty.py SECONDS worker``."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from flask.cli import main  # noqa: E402 - only now

from pixshift.tasks import worker  # noqa: E402

worker.STOP_SECONDS = float(sys.argv.pop(1))  # type: ignore[assignment]
main()
