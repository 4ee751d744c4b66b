"""Another number for somebody who is signed in: the new one proves itself by a code before anything changes."""

import logging
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from pixshift.domain import otp
from pixshift.domain.roles import AuthProvider
from pixshift.errors import InvalidInput
from pixshift.extensions import db
from pixshift.models import Identity, User
from pixshift.services import accounts
from pixshift.services.accounts import CodeSent
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
PURPOSE = "change_phone"


def request(toolbox: Toolbox, user_id: UUID, *, phone: str, flow: str, address: str) -> CodeSent:
    """Send a code to the new number and change nothing. Raises like ``accounts.request_code``.

    Whether the number is somebody else's is not looked up: only who holds it may learn that.
    """
    number = otp.parse_phone(phone, toolbox.settings.sms.regions)
    if accounts.person(user_id).phone == number:
        raise InvalidInput("That is your number already. Enter another one.", field="phone")
    return accounts.request_code(toolbox, phone=number, flow=_bound(user_id, flow), address=address, purpose=PURPOSE)


def confirm(toolbox: Toolbox, user_id: UUID, *, phone: str, code: str, flow: str) -> User:
    """Judge one try and, when right, make the number this person's. Raises InvalidInput or AuthInvalid."""
    number = accounts.prove_code(toolbox, phone=phone, code=code, flow=_bound(user_id, flow), purpose=PURPOSE)
    user = db.session.scalars(select(User).where(User.id == user_id).with_for_update()).one()
    if _is_somebody_elses(number, user_id):
        db.session.rollback()
        raise _unusable()
    _way_in(user).subject = number
    user.phone = number
    try:
        db.session.commit()
    except IntegrityError:  # somebody signed in with it just now
        db.session.rollback()
        raise _unusable() from None
    log.info("phone changed", extra={"user_id": str(user_id)})
    return user


def _bound(user_id: UUID, flow: str) -> str:
    """A code that one person asked for is of no use to another in the same browser."""
    return f"{user_id}|{flow}"


def _is_somebody_elses(number: str, user_id: UUID) -> bool:
    has_way_in = select(Identity.id).where(
        Identity.user_id == User.id, Identity.provider == AuthProvider.MOBILE, Identity.subject == number
    )
    holder = select(User.id).where(User.id != user_id, or_(User.phone == number, has_way_in.exists())).limit(1)
    return db.session.scalar(holder) is not None


def _way_in(user: User) -> Identity:
    """The number they sign in with now, else a new way in."""
    mobile = [identity for identity in user.identities if identity.provider is AuthProvider.MOBILE]
    current = next((identity for identity in mobile if identity.subject == user.phone), None)
    if current or mobile:
        return current or mobile[0]
    added = Identity(provider=AuthProvider.MOBILE)
    user.identities.append(added)
    return added


def _unusable() -> InvalidInput:
    return InvalidInput("This number cannot be used here. Please take another one.", field="phone")
