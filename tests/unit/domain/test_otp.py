"""One-time codes: made, hashed, phrased; numbers and addresses that limits count by."""

import re

import pytest

from pixshift.domain import otp
from pixshift.errors import InvalidInput

REGIONS = ("US", "CA", "GB", "DE")
SECRET = b"secret"


def test_a_code_has_its_digits_and_leading_zeros_are_kept() -> None:
    codes = {otp.make_code(6) for _ in range(2000)}
    assert all(re.fullmatch(r"\d{6}", code) for code in codes)
    assert len(codes) > 1900
    assert any(code.startswith("0") for code in codes)
    assert len(otp.make_code(8)) == 8


def test_a_digest_depends_on_everything_and_shows_nothing() -> None:
    one = otp.digest(SECRET, "login", "+12025550142", "123456")
    others = [
        otp.digest(b"other", "login", "+12025550142", "123456"),
        otp.digest(SECRET, "profile", "+12025550142", "123456"),
        otp.digest(SECRET, "login", "+12025550143", "123456"),
        otp.digest(SECRET, "login", "+12025550142", "123457"),
    ]
    assert one not in others
    assert len(one) == 64
    assert "123456" not in one


def test_a_key_is_bound_to_number_browser_and_purpose() -> None:
    keys = {
        otp.store_key(SECRET, purpose, phone, flow)
        for purpose in ("login", "profile")
        for phone in ("+12025550142", "+12025550143")
        for flow in ("a", "b")
    }
    assert len(keys) == 8
    assert not any("555" in key and "0142" in key for key in keys)


def test_a_counters_key_hides_what_it_counts() -> None:
    key = otp.counter_key(SECRET, "number-day", "+12025550142")
    assert re.fullmatch(r"number-day:[0-9a-f]{32}", key)


@pytest.mark.parametrize(
    "raw",
    ["+12025550142", "(202) 555-0142", "202-555-0142", "001 202 555 0142", "+1 202.555.0142", "２０２５５５０１４２"],
)
def test_a_number_is_one_however_it_is_written(raw: str) -> None:
    try:
        assert otp.parse_phone(raw, REGIONS) == "+12025550142"
    except InvalidInput:
        assert raw.startswith("00")  # from the US, 00 is not how one calls abroad


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("", "not a phone number"),
        ("hello", "not a phone number"),
        ("1" * 33, "too long"),
        ("+1 202 555", "does not exist"),
        ("+1 202 555 0142 ext. 7", "does not exist"),
        ("+7 916 123 45 67", "that country"),
        ("+1 876 555 0142", "country|exist"),
        ("+49 30 1234567", "not a mobile number"),
    ],
)
def test_what_cannot_get_a_code_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        otp.parse_phone(raw, REGIONS)
    assert caught.value.field == "phone"


def test_a_region_stands_for_its_islands() -> None:
    assert otp.parse_phone("+44 7911 123456", REGIONS).startswith("+44")
    with pytest.raises(InvalidInput):
        otp.parse_phone("+44 7911 123456", ("US",))


def test_a_masked_number_is_recognised_and_not_learnt() -> None:
    assert otp.mask("+12025550142") == "+1 ••• ••• 0142"
    assert otp.mask("+491701234567") == "+49 ••• ••• 4567"
    assert otp.region_of("+491701234567") == "DE"
    assert otp.number_block("+12025550142") == "+1202555"


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("unknown", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_ipv6_caller_counts_by_the_64(address: str, block: str) -> None:
    assert otp.address_block(address) == block


def test_the_message_ends_with_the_line_for_phones() -> None:
    text = otp.message("123456", 5, "pixshift.example")
    assert "Valid for 5 minutes" in text
    assert text.endswith("\n\n@pixshift.example #123456")
    assert len(text) <= 160


def test_the_regions_are_named_for_people() -> None:
    assert otp.region_sentence(("US",)).startswith("A mobile in the US. ")
    assert "the US, Canada or Germany" in otp.region_sentence(("US", "CA", "DE"))
    assert "XX" in otp.region_sentence(("XX",))
