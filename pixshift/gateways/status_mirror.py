"""The mirror in front of running jobs' rows: it may forget anything at any time, and it never raises."""

import logging
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from pixshift.domain.job_facts import JobFacts
from pixshift.gateways import session_cache
from pixshift.gateways.ports import Revoked, SessionSnapshot
from pixshift.gateways.redis_client import BestEffort

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

_PREFIX = "pixshift:job:2:"  # another number when JobFacts changes: releases that overlap do not read each other
_FACTS_SECONDS = 30  # how long a change can stay unseen whose worker was killed, or lost Redis, between commit and word
_TICKET_SECONDS = 5
_FACTS = TypeAdapter(JobFacts)

_FILL = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
"""


class RedisStatusMirror:
    """The StatusMirror port on Redis. Under a job's key stands the ticket of who reads its row now, or the facts."""

    def __init__(self, client: "Redis", clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._fill = client.register_script(_FILL)
        self._redis = BestEffort("status mirror", logger, clock)

    def get(self, job_id: UUID, token_hash: str) -> tuple[SessionSnapshot | Revoked | None, JobFacts | None]:
        keys = session_cache.key_of(token_hash), _key(job_id)
        session, facts = self._redis.read(lambda: self._client.mget(keys)) or (None, None)
        return session_cache.unpack(session), _unpack(facts)

    def expect(self, job_id: UUID) -> str:
        ticket = f"ticket {secrets.token_hex(8)}"
        self._redis.read(lambda: self._client.set(_key(job_id), ticket, nx=True, ex=_TICKET_SECONDS))
        return ticket

    def fill(self, ticket: str, facts: JobFacts) -> None:
        packed = _FACTS.dump_json(facts)
        self._redis.read(lambda: self._fill(keys=[_key(facts.id)], args=[ticket, packed, _FACTS_SECONDS]))

    def forget(self, job_id: UUID) -> None:
        self._redis.attempt(lambda: self._client.delete(_key(job_id)))


class NoStatusMirror:
    """The StatusMirror port without Redis: every poll reads the row."""

    def get(self, job_id: UUID, token_hash: str) -> tuple[SessionSnapshot | Revoked | None, JobFacts | None]:
        return None, None

    def expect(self, job_id: UUID) -> str:
        return ""

    def fill(self, ticket: str, facts: JobFacts) -> None:
        pass

    def forget(self, job_id: UUID) -> None:
        pass


def _key(job_id: UUID) -> str:
    return f"{_PREFIX}{job_id}"


def _unpack(value: object) -> JobFacts | None:
    """None for a ticket, and for what another version may have written."""
    if value is None:
        return None
    try:
        return _FACTS.validate_json(str(value))
    except ValidationError:
        return None
