"""Ways in: accounts elsewhere that sign people in, added to and taken from somebody's account."""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from pixshift.domain import otp
from pixshift.domain.roles import AuthProvider
from pixshift.errors import InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.gateways.ports import Begun, OAuthIdentity, OAuthProvider, PendingSignIn
from pixshift.models import Identity, User
from pixshift.models.base import read_all
from pixshift.services import accounts, sessions
from pixshift.services.accounts import SignedIn
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
Elsewhere = OAuthIdentity  # as routes call it, which know no gateway
Started = PendingSignIn
NAMES = {AuthProvider.GMAIL: "Google", AuthProvider.FACEBOOK: "Facebook", AuthProvider.MOBILE: "Code by SMS"}


@dataclass(frozen=True, slots=True)
class WayIn:
    """One way in as its owner sees it; ``shown`` is the e-mail or masked number, where one is known."""

    id: UUID
    provider: AuthProvider
    name: str
    shown: str | None
    since: datetime


def providers(toolbox: Toolbox) -> list[AuthProvider]:
    """Where people may sign in here, besides by a code."""
    return list(toolbox.gateways.oauth)


def begin(toolbox: Toolbox, provider: AuthProvider, redirect_uri: str) -> Begun:
    """Raises NotFound (not offered here) or ExternalServiceError."""
    return _gateway(toolbox, provider).begin(redirect_uri)


def finish(
    toolbox: Toolbox, provider: AuthProvider, pending: PendingSignIn, params: Mapping[str, str], redirect_uri: str
) -> OAuthIdentity:
    """Whom the provider sent back. Raises NotFound, AuthInvalid (``details.reason``) or ExternalServiceError."""
    return _gateway(toolbox, provider).finish(pending, params, redirect_uri)


def sign_in_with(toolbox: Toolbox, provider: AuthProvider, identity: OAuthIdentity, device: str | None) -> SignedIn:
    """Sign in whoever is behind (provider, subject), new or known. An equal e-mail makes nobody the same person."""
    user = accounts.person_with(provider, identity.subject)
    for way in user.identities:
        if (way.provider, way.subject) == (provider, identity.subject):
            way.email = identity.email
    _take_email(user, identity)
    token = sessions.start(toolbox, user.id, device)
    db.session.commit()
    log.info("signed in", extra={"user_id": str(user.id), "provider": provider.value})
    return SignedIn(user, token)


def link(toolbox: Toolbox, user_id: UUID, provider: AuthProvider, identity: OAuthIdentity) -> None:
    """Add a second way in; adding one's own again changes nothing. Raises InvalidInput when it is somebody else's."""
    known = select(Identity.user_id).where(Identity.provider == provider, Identity.subject == identity.subject)
    owner = db.session.scalar(known)
    if owner is None:
        added = Identity(user_id=user_id, provider=provider, subject=identity.subject, email=identity.email)
        try:
            with db.session.begin_nested():
                db.session.add(added)
            owner = user_id
        except IntegrityError:
            owner = db.session.scalar(known)
    if owner != user_id:
        db.session.rollback()
        raise InvalidInput(
            f"This {NAMES[provider]} account is in use already. It cannot be added here.",
            way_out="Choose another one, or sign in with it.",
        )
    if user := db.session.get(User, user_id):
        _take_email(user, identity)
    db.session.commit()
    log.info("way in added", extra={"user_id": str(user_id), "provider": provider.value})


def unlink(toolbox: Toolbox, user_id: UUID, identity_id: UUID) -> None:
    """Remove a way in. Raises NotFound, or InvalidInput when it is the last one."""
    ways = _locked_ways(user_id)
    way = next((one for one in ways if one.id == identity_id), None)
    if way is None:
        db.session.rollback()
        raise NotFound("There is no such way in.")
    if len(ways) == 1:
        db.session.rollback()
        raise InvalidInput("This is your only way in. Add another one first.")
    _remove(way)
    db.session.commit()
    log.info("way in removed", extra={"user_id": str(user_id), "provider": way.provider.value})


def ways_in(user_id: UUID) -> list[WayIn]:
    found = read_all(select(Identity).where(Identity.user_id == user_id).order_by(Identity.created_at, Identity.id))
    return [WayIn(one.id, one.provider, NAMES[one.provider], _shown(one), one.created_at) for one in found]


def forget(toolbox: Toolbox, provider: AuthProvider, signed_request: str) -> str:
    """What a provider asks for a person who left it: their way in goes, and with the last one the account.

    Answers the code of a page that says so; somebody we do not know gets one too. Raises InvalidInput when the
    request is not the provider's.
    """
    subject = _gateway(toolbox, provider).subject_of(signed_request)
    known = select(Identity).where(Identity.provider == provider, Identity.subject == subject)
    way = db.session.scalar(known)
    if way is not None:
        user_id = way.user_id
        ways = _locked_ways(user_id)
        if len(ways) > 1:
            _remove(way)
            db.session.commit()
        else:
            db.session.rollback()
            _erase(toolbox, user_id, provider)
        log.info("way in forgotten", extra={"user_id": str(user_id), "provider": provider.value})
    word = secrets.token_hex(8)
    return word + _mark(toolbox, word)


def was_forgotten(toolbox: Toolbox, code: str) -> bool:
    """Whether ``forget`` gave out this code."""
    return len(code) == 32 and hmac.compare_digest(_mark(toolbox, code[:16]).encode(), code[16:].encode())


def _erase(toolbox: Toolbox, user_id: UUID, provider: AuthProvider) -> None:
    from pixshift.services import erasure

    erasure.erase(toolbox, user_id, Actor(provider.value.lower()))


def _mark(toolbox: Toolbox, word: str) -> str:
    return hmac.new(toolbox.secret, b"forgotten|" + word.encode(), hashlib.sha256).hexdigest()[:16]


def _gateway(toolbox: Toolbox, provider: AuthProvider) -> OAuthProvider:
    gateway = toolbox.gateways.oauth.get(provider)
    if gateway is None:
        raise NotFound(f"Signing in with {NAMES[provider]} is not offered here.", way_out="Sign in by a code instead.")
    return gateway


def _locked_ways(user_id: UUID) -> list[Identity]:
    """Locked, so that of two removals at once the second sees what the first one left."""
    mine = select(Identity).where(Identity.user_id == user_id).order_by(Identity.id).with_for_update()
    return list(db.session.scalars(mine.execution_options(populate_existing=True)))


def _remove(way: Identity) -> None:
    user = way.user
    if way.email and user.email == way.email.lower():
        user.email = None
    if way.provider is AuthProvider.MOBILE and user.phone == way.subject:
        user.phone = None
    db.session.execute(delete(Identity).where(Identity.id == way.id), execution_options={"synchronize_session": False})


def _take_email(user: User, identity: OAuthIdentity) -> None:
    """A verified e-mail becomes the person's, when they have none and nobody else has it."""
    if user.email or not identity.email or not identity.email_verified:
        return
    email = identity.email.lower()
    if db.session.scalar(select(User.id).where(func.lower(User.email) == email)):
        return
    try:
        with db.session.begin_nested():
            user.email = email
    except IntegrityError:
        log.info("an e-mail was taken meanwhile")


def _shown(way: Identity) -> str | None:
    return otp.mask(way.subject) if way.provider is AuthProvider.MOBILE else way.email
