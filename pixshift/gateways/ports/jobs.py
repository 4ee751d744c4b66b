"""Jobs: how they stand, and the nudge that starts them."""

from typing import Protocol
from uuid import UUID

from pixshift.domain.job_facts import JobFacts
from pixshift.gateways.ports.sessions import Revoked, SessionSnapshot


class StatusMirror(Protocol):
    """In front of the rows of running jobs, for polls; never raises: a mirror that is away answers None and forgets.

    Who finds nothing takes a ticket, then reads the row, then fills: a change in between makes the ticket worthless,
    so however slow a reader is, it cannot put an old state back.
    """

    def get(self, job_id: UUID, token_hash: str) -> tuple[SessionSnapshot | Revoked | None, JobFacts | None]:
        """What the SessionCache knows of who asks, and the facts: in one trip, which is what a poll costs most."""
        ...

    def expect(self, job_id: UUID) -> str:
        """The ticket; to be taken before the row is read."""
        ...

    def fill(self, ticket: str, facts: JobFacts) -> None:
        """Keep what was read for some seconds; nothing happens when the ticket is not good any more."""
        ...

    def forget(self, job_id: UUID) -> None:
        """After the commit of any change of the job: the next poll reads the row."""
        ...


class JobQueue(Protocol):
    """A nudge, not a truth: the row in the database is the job, a lost nudge is made good by the sweeper."""

    def nudge(self, delay_seconds: float = 0) -> None:
        """Ask a worker to claim the fairest due row.

        Never raises: a queue that is away is logged and swept up later.
        """
        ...

    def tend(self) -> None:
        """Ask a worker to look after money now. Never raises; a lost one is made good within seconds."""
        ...

    def pending(self) -> int:
        """How many nudges wait; 0 when the queue is away."""
        ...

    def check(self) -> str: ...
