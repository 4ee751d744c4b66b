"""Counting calls."""

from typing import Protocol

from pixshift.domain.rates import Rate


class RateLimits(Protocol):
    """Counts calls by key; never raises, whatever happens to that in which it counts."""

    def take(self, key: str, rate: Rate) -> float:
        """Count one call: 0 when it may go on, else the seconds after which it may; a refused call counts nothing."""
        ...
