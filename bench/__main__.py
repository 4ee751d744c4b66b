"""`python -m bench [part …]`: measure and print one table. Loopback only; everything it starts it stops."""

import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path

from bench import figures, measure, nudges, photos, requests, served, starts
from tests import servers

PARTS = ("requests", "served", "photos", "nudges", "starts", "figures")


def main() -> None:
    wanted = sys.argv[1:] or PARTS
    if unknown := set(wanted) - set(PARTS):
        sys.exit(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    begun = time.monotonic()
    rows: list[measure.Row] = []
    with tempfile.TemporaryDirectory() as name, servers.postgres_server() as postgres, servers.redis_server() as redis:
        for part in wanted:
            print(f"measuring {part} …", file=sys.stderr, flush=True)
            folder = Path(name) / part
            folder.mkdir()
            rows += measure_part(part, folder, postgres, f"{redis}/{PARTS.index(part)}")
    print(measure.table(rows))
    print(f"{time.monotonic() - begun:.0f} s in all", file=sys.stderr)


def measure_part(part: str, folder: Path, postgres: servers.Postgres, redis_url: str) -> list[measure.Row]:
    match part:
        case "requests":
            return requests.rows(folder, postgres, redis_url)
        case "served":
            return served.rows(folder, postgres, redis_url)
        case "photos":
            return photos.rows(folder)
        case "nudges":
            return nudges.rows(folder, postgres, redis_url)
        case "figures":
            return figures.rows(folder, postgres)
        case _:
            return starts.rows(folder)


if __name__ == "__main__":
    main()
