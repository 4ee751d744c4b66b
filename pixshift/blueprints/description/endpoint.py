"""What is said of one endpoint that its route, its rule and its models do not say by themselves."""

from dataclasses import dataclass, field
from typing import Any

from pixshift.errors import PixShiftError
from pixshift.schemas.base import In, Out

Failure = PixShiftError | type[PixShiftError]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint.

    ``query`` and ``body`` are what it reads, ``out`` what it answers with ``status``; without ``out`` it answers with
    ``media`` (types and what they are), or with a redirect. ``errors`` are those that not every endpoint has;
    ``sent`` replaces values of the example that is made of ``body``, and None takes one out.
    """

    summary: str
    out: type[Out] | None = None
    text: str = ""
    status: int = 200
    query: type[In] | None = None
    body: type[In] | None = None
    upload: bool = False
    media: tuple[str, ...] = ()
    errors: tuple[Failure, ...] = ()
    sent: dict[str, Any] = field(default_factory=dict)
    paths: dict[str, list[str]] = field(default_factory=dict)
    not_modified: bool = False

    def failures(self) -> list[PixShiftError]:
        """An instance of each of its own errors."""
        return [error() if isinstance(error, type) else error for error in self.errors]
