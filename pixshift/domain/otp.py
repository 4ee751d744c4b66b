"""One-time codes: making, hashing and phrasing them, and how often one may be asked for."""

import hashlib
import hmac
import ipaddress
import secrets

import phonenumbers

from pixshift.errors import InvalidInput

MINUTE, HOUR, DAY = 60, 3600, 86400
_REGION_FAMILY = {"GB": {"GB", "GG", "JE", "IM"}}
_MOBILE = {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
_LONGEST_INPUT = 32


def make_code(length: int) -> str:
    return f"{secrets.randbelow(10**length):0{length}d}"


def digest(secret: bytes, purpose: str, phone: str, code: str) -> str:
    """What is stored in place of the code: HMAC-SHA256 in hex."""
    return hmac.new(secret, f"{purpose}|{phone}|{code}".encode(), hashlib.sha256).hexdigest()


def store_key(secret: bytes, purpose: str, phone: str, flow: str) -> str:
    """Where a code lives: bound to the number and to the browser (``flow``) that asked, and readable to nobody."""
    return hmac.new(secret, f"key|{purpose}|{phone}|{flow}".encode(), hashlib.sha256).hexdigest()


def counter_key(secret: bytes, name: str, value: str) -> str:
    """A rate counter's key that does not show the number or address it counts."""
    return f"{name}:{hmac.new(secret, f'{name}|{value}'.encode(), hashlib.sha256).hexdigest()[:32]}"


def parse_phone(raw: str, regions: tuple[str, ...]) -> str:
    """The number in E.164. Raises InvalidInput (field ``phone``) unless it is a mobile number of an allowed region."""
    if len(raw) > _LONGEST_INPUT:
        raise InvalidInput("That number is too long. Write it like +1 202 555 0142.", field="phone")
    try:
        number = phonenumbers.parse(raw, regions[0])
    except phonenumbers.NumberParseException:
        raise InvalidInput("That is not a phone number. Write it like +1 202 555 0142.", field="phone") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise InvalidInput(
            "That number does not exist. Write it with its country, like +1 202 555 0142.", field="phone"
        )
    if phonenumbers.region_code_for_number(number) not in _allowed(regions):
        raise InvalidInput("We cannot send codes to that country yet.", field="phone")
    if phonenumbers.number_type(number) not in _MOBILE:
        raise InvalidInput("That is not a mobile number. A code can only go to a mobile.", field="phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _allowed(regions: tuple[str, ...]) -> set[str]:
    return set().union(*(_REGION_FAMILY.get(region, {region}) for region in regions))


def region_of(phone: str) -> str:
    return phonenumbers.region_code_for_number(phonenumbers.parse(phone)) or "ZZ"


def mask(phone: str) -> str:
    """``+1 ••• ••• 0142``: enough to recognise one's own number, not enough to learn it."""
    number = phonenumbers.parse(phone)
    return f"+{number.country_code} ••• ••• {phone[-4:]}"


def address_block(address: str) -> str:
    """The address that limits count by: an IPv6 caller is its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        return str(ipaddress.ip_network(f"{address.split('%', 1)[0]}/64", strict=False).network_address)
    return address


def number_block(phone: str) -> str:
    """The 10,000 neighbours of a number."""
    return phone[:-4]


def message(code: str, minutes: int, host: str) -> str:
    """The text of the SMS: plain words, then the line that lets phones fill in the code (WebOTP)."""
    return f"PixShift code: {code}. Valid for {minutes} minutes. Tell it to nobody.\n\n@{host} #{code}"


_COUNTRIES = {
    "AT": "Austria",
    "AU": "Australia",
    "CA": "Canada",
    "CH": "Switzerland",
    "DE": "Germany",
    "FR": "France",
    "GB": "the UK",
    "IE": "Ireland",
    "NL": "the Netherlands",
    "NZ": "New Zealand",
    "US": "the US",
}


def region_sentence(regions: tuple[str, ...]) -> str:
    """Where codes can go, and why not elsewhere, for people."""
    names = [_COUNTRIES.get(region, region) for region in regions]
    listed = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"A mobile in {listed}. Codes do not reach other countries reliably yet."
