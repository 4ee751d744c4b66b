"""Signing in with an account that somebody has elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what it must bring back; ``verifier`` and ``nonce`` are told to nobody else."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """What was kept of ``Begun`` in the browser that began."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class OAuthIdentity:
    """Whom the provider says this is; ``subject`` alone is the identity, everything else may change."""

    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None


class OAuthProvider(Protocol):
    """One provider. Tokens live as long as a call takes: none is kept, none is logged."""

    def begin(self, redirect_uri: str) -> Begun:
        """Raises ExternalServiceError (NETWORK) when the provider is away."""
        ...

    def finish(self, pending: PendingSignIn, params: Mapping[str, str], redirect_uri: str) -> OAuthIdentity:
        """Judge what the browser brought back.

        Raises AuthInvalid (``details.reason``: denied, state or forged) or ExternalServiceError.
        """
        ...

    def subject_of(self, signed_request: str) -> str:
        """The person a provider names in a request it signed itself. Raises InvalidInput when it did not."""
        ...

    def check(self) -> str: ...
