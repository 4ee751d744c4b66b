"""People and how they get in by a code."""

import hmac
import logging
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from pixshift.domain import lookups, otp
from pixshift.domain.lifecycle import Status
from pixshift.domain.roles import AuthProvider, UserRole
from pixshift.errors import AuthInvalid, InvalidInput, NotFound, PixShiftError, RateLimitExceeded
from pixshift.extensions import db
from pixshift.gateways.ports import OtpVerdict, Window
from pixshift.models import BillingRecord, Identity, Transformation, User
from pixshift.models.base import read_all, read_rows
from pixshift.services import audit, sessions, sms
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
LOGIN = "login"


@dataclass(frozen=True, slots=True)
class CodeSent:
    """``shown_text`` is the SMS itself where it is shown in the page (development only); ``resend_in`` is seconds."""

    phone: str
    shown_text: str | None
    resend_in: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    user: User
    token: str


def request_code(
    toolbox: Toolbox, *, phone: str, flow: str, address: str, purpose: str = LOGIN, mark: str = ""
) -> CodeSent:
    """Send a code to a number, bound to the browser ``flow``; no person is looked up, known or unknown is the same.

    ``mark`` is what a browser kept that signed in with this number before. Raises InvalidInput (field ``phone``),
    RateLimitExceeded (``retry_after``) or ExternalServiceError; a code that could not be sent is not usable.
    """
    settings = toolbox.settings.sms
    number = otp.parse_phone(phone, settings.regions)
    _count(toolbox, number, flow, address, mark)
    sms.require_budget(toolbox, otp.region_of(number))
    code = otp.make_code(settings.otp.length)
    key = otp.store_key(toolbox.secret, purpose, number, flow)
    digest = otp.digest(toolbox.secret, purpose, number, code)
    toolbox.gateways.otp.put(key, digest, settings.otp.expiration_minutes * otp.MINUTE)
    host = urlsplit(toolbox.settings.app_url).hostname or "pixshift"
    try:
        sent = toolbox.gateways.sms.send(number, otp.message(code, settings.otp.expiration_minutes, host))
    except PixShiftError as error:
        toolbox.gateways.otp.discard(key)
        error.way_out = error.way_out or f"Ask again in {settings.otp.resend_seconds} seconds, or try another number."
        raise
    sms.sent(toolbox, sent.message_id, key, otp.region_of(number))
    log.info("code sent", extra={"region": otp.region_of(number)})
    return CodeSent(number, sent.shown_text, settings.otp.resend_seconds)


def verify_code(toolbox: Toolbox, *, phone: str, code: str, flow: str, device: str | None) -> SignedIn:
    """Judge one try and, when right, sign the person in. Raises InvalidInput or AuthInvalid (``details.reason``)."""
    number = prove_code(toolbox, phone=phone, code=code, flow=flow)
    user = person_with(AuthProvider.MOBILE, number, phone=number)
    token = sessions.start(toolbox, user.id, device)
    db.session.commit()
    log.info("signed in", extra={"user_id": str(user.id), "provider": AuthProvider.MOBILE.value})
    return SignedIn(user, token)


def prove_code(toolbox: Toolbox, *, phone: str, code: str, flow: str, purpose: str = LOGIN) -> str:
    """Judge one try and answer the number it proves; a right code is used up. Raises like ``verify_code``."""
    settings = toolbox.settings.sms
    number = otp.parse_phone(phone, settings.regions)
    digits = "".join(code.split())
    if len(digits) != settings.otp.length or not (digits.isascii() and digits.isdecimal()):
        raise InvalidInput(f"The code has {settings.otp.length} digits.", field="otp")
    key = otp.store_key(toolbox.secret, purpose, number, flow)
    digest = otp.digest(toolbox.secret, purpose, number, digits)
    judged = toolbox.gateways.otp.attempt(key, digest, settings.otp.max_attempts)
    if judged.verdict is not OtpVerdict.OK:
        log.info("sign-in refused", extra={"reason": judged.verdict.value})
        raise _refusal(judged.verdict, judged.tries_left)
    sms.verified(toolbox, key)
    return number


def mark_of(toolbox: Toolbox, number: str) -> str:
    """What a browser keeps that signed in with this number; it shows no number."""
    return otp.counter_key(toolbox.secret, "known", number)


def _count(toolbox: Toolbox, number: str, flow: str, address: str, mark: str) -> None:
    limits, settings = toolbox.settings.sms.limits, toolbox.settings.sms.otp
    # A browser that was in counts apart, so that strangers cannot use up the codes of a number and lock its owner out.
    is_known = hmac.compare_digest(mark.encode(), mark_of(toolbox, number).encode())
    whose = "known-number" if is_known else "number"

    def window(name: str, value: str, limit: int, seconds: int) -> Window:
        return Window(otp.counter_key(toolbox.secret, name, value), limit, seconds)

    wait = toolbox.gateways.otp.take(
        [
            window("browser", flow, 1, max(1, settings.resend_seconds)),
            window(f"{whose}-15m", number, limits.per_number_15_minutes, 15 * otp.MINUTE),
            window(f"{whose}-day", number, limits.per_number_day, otp.DAY),
            window("address", otp.address_block(address), limits.per_address_hour, otp.HOUR),
            window("block", otp.number_block(number), limits.per_block_hour, otp.HOUR),
            window("country", otp.region_of(number), limits.per_country_day, otp.DAY),
            window("all", "", limits.all_day, otp.DAY),
        ]
    )
    if wait > 0:
        log.warning("code refused by a limit", extra={"region": otp.region_of(number), "retry_after": round(wait)})
        raise RateLimitExceeded(
            f"Too many codes were asked for. Please wait {_span(wait)} and ask again.", field="phone", retry_after=wait
        )


def _span(seconds: float) -> str:
    whole = int(seconds) + 1
    if whole < 120:
        return f"{whole} seconds"
    return f"{whole // 60 + 1} minutes" if whole < 7200 else f"{whole // 3600 + 1} hours"


def _refusal(verdict: OtpVerdict, tries_left: int) -> AuthInvalid:
    if verdict is OtpVerdict.WRONG:
        tries = "1 try left" if tries_left == 1 else f"{tries_left} tries left"
        text = f"That code is not right. {tries}."
    elif verdict is OtpVerdict.LOCKED:
        text = "That was one try too many. Ask for a new code."
    else:
        text = "That code no longer works. Ask for a new one."
    return AuthInvalid(text, field="otp", details={"reason": verdict.value, "triesLeft": tries_left})


def person_with(provider: AuthProvider, subject: str, *, phone: str | None = None) -> User:
    """The person behind (provider, subject); a new one when there is none, also when two requests find none at once."""
    known = select(User).join(Identity).where(Identity.provider == provider, Identity.subject == subject)
    if user := db.session.scalar(known):
        return user
    user = User(auth_provider=provider, phone=phone)
    user.identities.append(Identity(provider=provider, subject=subject))
    try:
        with db.session.begin_nested():
            db.session.add(user)
    except IntegrityError:
        return db.session.scalars(known).one()
    return user


def person(user_id: UUID) -> User:
    """Somebody who is signed in, to look at."""
    return read_all(select(User).where(User.id == user_id))[0]


@dataclass(frozen=True, slots=True)
class Profile:
    user: User
    total_transformations: int
    total_spent: Decimal


def profile(user_id: UUID) -> Profile:
    """Somebody with what they made; ``total_spent`` is what was kept of theirs, in US dollars."""
    own = (Transformation.user_id == user_id) & Transformation.lab_run_id.is_(None)
    made = select(func.count()).where(own, Transformation.status == Status.COMPLETED)
    kept = func.coalesce(func.sum(BillingRecord.captured - BillingRecord.refunded), 0)
    spent = select(kept).where(BillingRecord.user_id == user_id, BillingRecord.currency == "USD")
    totals = read_rows(select(made.scalar_subquery().label("made"), spent.scalar_subquery().label("spent")))[0]
    return Profile(person(user_id), totals.made, Decimal(totals.spent))


def find(who: str) -> User:
    """By e-mail, phone number with its country, or id, for operators. Raises NotFound."""
    wanted = lookups.sought(who, ())
    if wanted.user_id is not None:
        which = User.id == wanted.user_id
    elif wanted.phones:
        which = User.phone.in_(wanted.phones)
    else:
        which = func.lower(User.email) == wanted.email
    user = db.session.scalar(select(User).where(which))
    if user is None:
        raise NotFound("Nobody has that e-mail or phone number. `flask users list` shows who there is.")
    return user


def change_role(toolbox: Toolbox, user_id: UUID, role: UserRole, actor: Actor) -> User:
    """Holds from their next request. Raises NotFound, or InvalidInput when it would leave nobody to administer."""
    if role is not UserRole.ADMIN:
        require_another_admin(user_id, "role")
    user = hold(user_id)
    if user.role is role:
        db.session.rollback()
        return user
    before, user.role = user.role, role
    db.session.flush()
    audit.record(actor, "ROLE_CHANGE", "USER", user_id, before={"role": before.value}, after={"role": role.value})
    db.session.commit()
    sessions.role_changed(toolbox, user_id)
    return user


def hold(user_id: UUID) -> User:
    """Somebody's row, as it is now and until the commit. Raises NotFound, or InvalidInput for who was erased."""
    row = select(User).where(User.id == user_id).with_for_update(key_share=True)
    user = db.session.scalar(row, execution_options={"populate_existing": True})
    if user is not None and user.erased_at is None:
        return user
    db.session.rollback()
    if user is None:
        raise NotFound("There is nobody with this id.")
    raise InvalidInput("This person was erased. There is nothing to change any more.")


def require_another_admin(user_id: UUID, field: str) -> None:
    """Raises InvalidInput when nobody else could administer; of two who leave at once the second waits, and sees it.

    Acts of other admins, whose records refer to their rows, go on meanwhile: hence the key share.
    """
    able = (User.role == UserRole.ADMIN) & User.erased_at.is_(None) & User.suspended_at.is_(None)
    admins = select(User.id).where(able).order_by(User.id).with_for_update(key_share=True)
    if list(db.session.scalars(admins)) == [user_id]:
        db.session.rollback()
        raise InvalidInput("This is the last admin. Promote somebody else first.", field=field)
