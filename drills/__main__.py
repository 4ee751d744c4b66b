"""`python -m drills [--sample] [drill …]`: break things on purpose and print one table.

Exit status 1 when a row is short. Loopback only; everything it starts it stops.
"""

import argparse
import logging
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from drills import DRILLS
from drills.table import Ground, Row, Size, shown
from tests import servers
from tests.conftest import migrate


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sample", action="store_true", help="small and quick, as the tests run them")
    options.add_argument("drills", nargs="*", metavar="drill", help=f"of {', '.join(DRILLS)}; default all")
    chosen = options.parse_args()
    if unknown := set(chosen.drills) - set(DRILLS):
        sys.exit(f"There is no drill {', '.join(sorted(unknown))}; there are {', '.join(DRILLS)}.")
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    rows = run(chosen.drills or list(DRILLS), Size.SAMPLE if chosen.sample else Size.FULL)
    print(shown(rows))
    sys.exit(0 if rows and all(row.is_met for row in rows) else 1)


def run(names: list[str], size: Size) -> list[Row]:
    """The rows of these drills, one drill after the other."""
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.postgres_server() as postgres,
        postgres.database() as template,
    ):
        migrate(postgres.url(template), Path(folder))
        for name in names:
            begun = time.monotonic()
            print(f"{name} …", file=sys.stderr, flush=True)
            own = Path(folder) / name
            own.mkdir()
            with servers.redis_server() as redis_url:
                rows += found(name, Ground(own, postgres, template, f"{redis_url}/0"), size)
            print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return rows


def found(name: str, ground: Ground, size: Size) -> Iterator[Row]:
    """The rows of one drill; one that breaks off is a row that is short, and the others go on."""
    try:
        yield from DRILLS[name](ground, size)
    except Exception as error:  # whatever it was: the table must not be lost with it
        traceback.print_exc()
        yield Row(name, "the drill broke off", f"{type(error).__name__}: {error}"[:200], "", False)


if __name__ == "__main__":
    main()
