"""What somebody types to find a person: an id, a phone number in any spelling, or the beginning of an e-mail."""

import re
import unicodedata
from dataclasses import dataclass
from uuid import UUID

import phonenumbers

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[\d\s()./\-\u2010-\u2015]+")
_FEWEST_DIGITS, _LONGEST_NUMBER = 6, 32


@dataclass(frozen=True, slots=True)
class Sought:
    """One of three: ``user_id``; ``phones``, each in E.164, as a number without its country may be several; or
    ``email``, in small letters, whose beginning is enough."""

    user_id: UUID | None = None
    phones: tuple[str, ...] = ()
    email: str | None = None


def sought(text: str, regions: tuple[str, ...]) -> Sought:
    """``regions`` are the countries tried for a number that names none."""
    text = unicodedata.normalize("NFKC", text).replace("\0", "").strip()
    if _ID.fullmatch(text):
        return Sought(user_id=UUID(text))
    if phones := _phones(text, regions):
        return Sought(phones=phones)
    return Sought(email=text.lower())


def _phones(text: str, regions: tuple[str, ...]) -> tuple[str, ...]:
    digits = "".join(letter for letter in text if letter.isdecimal())
    if len(text) > _LONGEST_NUMBER or len(digits) < _FEWEST_DIGITS or not _NUMBER.fullmatch(text):
        return ()
    spellings = [(text, region) for region in regions] + [(f"+{digits}", None)]
    found = (_e164(spelling, region) for spelling, region in spellings)
    return tuple(dict.fromkeys(number for number in found if number))


def _e164(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
