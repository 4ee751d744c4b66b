"""The token of a share link: ours alone, and one spelling of each."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from pixshift.domain import sharing
from pixshift.domain.sharing import Platform

SECRET = b"s" * 32
PAGE = "https://pixshift.example/s/abc?d=1&e=ü"


def test_a_token_names_its_link_and_is_safe_in_an_address() -> None:
    link_id = uuid4()
    token = sharing.token(SECRET, link_id)
    assert len(token) == 43
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert sharing.link_in(SECRET, token) == link_id


def test_a_token_with_any_letter_changed_is_none_of_ours() -> None:
    token = sharing.token(SECRET, UUID("8d4bb2c8-6f2e-4a7e-9a55-0c6f5a7d1e01"))
    for place, letter in enumerate(token):
        for other in {"A", "B", "_", "9"} - {letter}:
            assert sharing.link_in(SECRET, token[:place] + other + token[place + 1 :]) is None, place


def test_a_second_spelling_of_the_same_bytes_is_refused() -> None:
    token = sharing.token(SECRET, uuid4())
    raw = base64.urlsafe_b64decode(token + "=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twins = [token[:-1] + letter for letter in letters if letter != token[-1]]
    same = [twin for twin in twins if base64.urlsafe_b64decode(twin + "=") == raw]
    assert len(same) == 3
    assert [sharing.link_in(SECRET, twin) for twin in same] == [None] * 3


@pytest.mark.parametrize("text", ["", "x", "A" * 43, "A" * 44, "ä" * 43, "A" * 42 + "=", "A" * 43 + "\n", "\0" * 43])
def test_what_is_no_token_is_none(text: str) -> None:
    assert sharing.link_in(SECRET, text) is None


def test_a_token_of_another_installation_is_none_of_ours() -> None:
    assert sharing.link_in(b"t" * 32, sharing.token(SECRET, uuid4())) is None


def test_a_link_lives_for_a_day() -> None:
    assert timedelta(hours=24) == sharing.LIFE


def test_the_page_is_handed_over_whole_to_those_who_take_links() -> None:
    page = "https%3A%2F%2Fpixshift.example%2Fs%2Fabc%3Fd%3D1%26e%3D%C3%BC"
    assert sharing.intent_url(Platform.FACEBOOK, PAGE) == f"https://www.facebook.com/sharer/sharer.php?u={page}"
    assert sharing.intent_url(Platform.TWITTER, PAGE) == f"https://x.com/intent/post?url={page}"
    assert sharing.intent_url(Platform.INSTAGRAM, PAGE) is None


def test_every_reason_fits_its_column() -> None:
    assert all(0 < len(reason) <= 40 for reason in sharing.REASONS)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(1440, "about 24 hours"), (100, "about 2 hours"), (60, "about an hour"), (20, "less than an hour")],
)
def test_the_time_a_link_has_left_is_said_in_words(minutes: int, words: str) -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert sharing.time_left(now + timedelta(minutes=minutes), now) == words
