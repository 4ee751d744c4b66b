"""The desk's numbers on a million pictures: what the page and the JSON ask of PostgreSQL."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event, text

from bench.measure import Row, ms
from pixshift.extensions import db
from pixshift.services import decisions, figures, figures_days
from tests import jobs, servers
from tests.conftest import migrate

PICTURES, DAYS, STYLES, PEOPLE, ROUNDS = 1_000_000, 90, 14, 50_000, 7

# Pictures lie evenly over the days, the last one now; one of twenty was not made, four of ten are paid for one by one.
_FILL = (
    """INSERT INTO users (id, auth_provider, role, free_tier_used, free_bonus, created_at, updated_at)
    SELECT gen_random_uuid(), (ARRAY['MOBILE', 'GMAIL', 'FACEBOOK'])[1 + n % 3], 'GUEST', 0, 0, now(), now()
    FROM generate_series(1, :people) n""",
    """CREATE TEMP TABLE who AS SELECT row_number() OVER () - 1 AS place, id FROM users;
    CREATE TEMP TABLE kinds AS SELECT row_number() OVER () - 1 AS place, id FROM transformation_types;
    CREATE INDEX ON who (place); ANALYZE who; ANALYZE kinds""",
    """INSERT INTO transformations (id, user_id, transformation_type_id, original_image_url, transformed_image_url,
        status, stage, failure_reason, pricing_tier_locked, reservation, attempts, started_at, finished_at,
        result_bytes, is_preview, deleted_at, created_at, updated_at)
    SELECT gen_random_uuid(), who.id, kinds.id, 'x', CASE WHEN n % 20 > 0 THEN 'y' END,
        CASE WHEN n % 20 > 0 THEN 'COMPLETED' ELSE 'FAILED' END, 'ready',
        CASE WHEN n % 20 = 0 THEN (ARRAY['PICTURE_BLOCKED', 'NO_IMAGE', 'CANCELLED'])[1 + (n / 20) % 3] END,
        CASE WHEN n % 10 < 4 THEN 'basic' ELSE 'free' END, 'SETTLED', 1, at, at + (6 + random() * 10) * interval '1 s',
        CASE WHEN n % 20 > 0 THEN 100000 END, false, at, at, at
    FROM (SELECT n, now() - (:pictures - n) * (:days * interval '1 day' / :pictures) AS at
          FROM generate_series(1, :pictures) n) row
    JOIN who ON who.place = row.n % :people JOIN kinds ON kinds.place = (row.n / 7) % :styles ORDER BY at""",
    """INSERT INTO transformation_attempts
        (id, transformation_id, number, model, started_at, finished_at, outcome, cost)
    SELECT gen_random_uuid(), id, 1, 'm', started_at, finished_at, 'COMPLETED', 0.0336 FROM transformations
    ORDER BY started_at""",
    """INSERT INTO billing_records (id, user_id, transformation_id, amount, status, captured, gateway, authorized_at,
        captured_at, created_at)
    SELECT gen_random_uuid(), user_id, id, 0.99, 'COMPLETED', 0.99, 'stripe', created_at, finished_at, created_at
    FROM transformations WHERE pricing_tier_locked = 'basic' AND status = 'COMPLETED' ORDER BY finished_at""",
    """INSERT INTO refunds (id, billing_record_id, cause, amount, status, created_at, finished_at)
    SELECT gen_random_uuid(), id, 'not_good', 0.99, 'SUCCEEDED', captured_at, captured_at FROM billing_records
    WHERE random() < 0.02""",
    """INSERT INTO user_sessions (id, user_id, token_hash, created_at, last_seen_at, expires_at)
    SELECT gen_random_uuid(), who.id, md5(n::text), at, least(now(), at + random() * interval '1 day'), at
    FROM (SELECT n, now() - random() * interval '60 days' AS at FROM generate_series(1, 2 * :people) n) row
    JOIN who ON who.place = row.n % :people""",
    """INSERT INTO sms_messages (id, message_id, code_key, region, status, created_at, verified_at)
    SELECT gen_random_uuid(), n::text, n::text, (ARRAY['US', 'DE', 'GB', 'FR'])[1 + n % 4], 'delivered', at,
        CASE WHEN n % 5 > 0 THEN at END
    FROM (SELECT n, now() - random() * interval '30 days' AS at FROM generate_series(1, :people) n) row""",
    """INSERT INTO webhook_events (id, gateway, event_id, type, kind, is_live, outcome, next_try_at, received_at,
        processed_at)
    SELECT gen_random_uuid(), 'stripe', n::text, 'x', 'PAYMENT', true, 'applied', at, at, at
    FROM (SELECT n, now() - random() * interval '90 days' AS at FROM generate_series(1, 4 * :people) n) row""",
)


def rows(folder: Path, postgres: servers.Postgres) -> list[Row]:
    with postgres.database() as name:
        migrate(postgres.url(name), folder)
        with jobs.application(postgres.url(name), folder) as app:
            for number in range(STYLES):
                jobs.add_type(app, f"style-{number}")
            with app.app_context():
                _fill()
                return _measure(app)


def _fill() -> None:
    """Indexes come afterwards and nobody checks what a row refers to: otherwise it takes ten minutes."""
    sizes = {"people": PEOPLE, "pictures": PICTURES, "days": DAYS, "styles": STYLES}
    with db.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        indexes = connection.execute(text(_INDEXES)).all()
        for name, _ in indexes:
            connection.execute(text(f"DROP INDEX {name}"))
        for statement in _FILL:
            for part in statement.split(";"):
                known = {name: value for name, value in sizes.items() if f":{name}" in part}
                connection.execute(text(part), known)
        for _, definition in indexes:
            connection.execute(text(definition))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


# Those that are no constraint.
_INDEXES = """SELECT indexname, indexdef FROM pg_indexes JOIN pg_class ON relname = indexname
    WHERE schemaname = 'public' AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = pg_class.oid)"""


def _measure(app: Flask) -> list[Row]:
    tools = app.extensions["toolbox"]
    begun = time.perf_counter()
    kept = figures_days.keep_closed(tools)
    filled = time.perf_counter() - begun
    begun = time.perf_counter()
    figures_days.keep_closed(tools)
    again = time.perf_counter() - begun

    def page() -> None:
        decisions.pending(tools, figures.read(tools, 90))

    name = f"{PICTURES:,} pictures: "
    return [
        _asked(f"{name}/admin, 90 days", page),
        _asked(f"{name}/api/v1/admin/stats", lambda: figures.totals(tools)),
        Row(f"{name}count {kept} closed days at first", f"{filled:.1f} s"),
        Row(f"{name}count the last two again", ms(again)),
    ]


def _asked(name: str, call: Callable[[], Any]) -> Row:
    """Seconds in the database, all statements of one call together: the median of some, after one for warming up."""
    call()
    spent, statements = [], []
    for _ in range(ROUNDS):
        with _counting() as times:
            call()
        spent.append(sum(times))
        statements.append(len(times))
    found = f"{ms(statistics.median(spent))} in {statements[-1]} statements"
    return Row(name, found, reach="≤ 100 ms in the database")


@contextmanager
def _counting() -> Iterator[list[float]]:
    """Seconds of each statement, from its sending to its answer."""
    times: list[float] = []
    begun: list[float] = []

    def before(*_: object) -> None:
        begun.append(time.perf_counter())

    def after(*_: object) -> None:
        times.append(time.perf_counter() - begun.pop())

    event.listen(db.engine, "before_cursor_execute", before)
    event.listen(db.engine, "after_cursor_execute", after)
    try:
        yield times
    finally:
        event.remove(db.engine, "before_cursor_execute", before)
        event.remove(db.engine, "after_cursor_execute", after)
