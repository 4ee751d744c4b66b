import re
from typing import Any

import pytest

from pixshift.domain.failures import FailureReason

EVERY = list(FailureReason)
JARGON = re.compile(r"\b(API|HTTP|JSON|server|vendor|timeout|worker|error|retry|null)\b", re.IGNORECASE)
ONCE_MORE = {
    FailureReason.NO_IMAGE,
    FailureReason.TEXT_ONLY,
    FailureReason.BAD_ANSWER,
    FailureReason.RESULT_BROKEN,
}
THREE_TIMES = {
    FailureReason.RATE_LIMITED,
    FailureReason.VENDOR_DOWN,
    FailureReason.TIMEOUT,
    FailureReason.STORAGE_DOWN,
    FailureReason.DECODER_DOWN,
    FailureReason.WORKER_LOST,
}


@pytest.mark.parametrize("reason", EVERY)
def test_each_reason_has_its_number_of_attempts(reason: FailureReason) -> None:
    expected = 3 if reason in THREE_TIMES else 2 if reason in ONCE_MORE else 1

    assert reason.max_attempts == expected
    assert reason.retryable is (expected > 1)


@pytest.mark.parametrize("reason", EVERY)
def test_each_reason_speaks_in_two_short_plain_sentences(reason: FailureReason) -> None:
    for sentence in (reason.sentence, reason.way_out):
        assert re.fullmatch(r"[A-Z][^<>{}_\n]{8,70}\.", sentence)
        assert not JARGON.search(sentence)


@pytest.mark.parametrize("reason", [FailureReason.PROMPT_BLOCKED, FailureReason.PICTURE_BLOCKED])
def test_a_safety_block_is_never_tried_again_nor_held_against_the_vendor(reason: FailureReason) -> None:
    assert not reason.retryable
    assert not reason.allows_another(1)
    assert not reason.is_vendor_fault


def test_the_configured_limit_and_the_reason_both_bound_the_attempts() -> None:
    assert FailureReason.TIMEOUT.allows_another(2)
    assert not FailureReason.TIMEOUT.allows_another(3)
    assert not FailureReason.TIMEOUT.allows_another(1, limit=1)
    assert not FailureReason.TIMEOUT.allows_another(3, limit=9)
    assert FailureReason.NO_IMAGE.allows_another(1)
    assert not FailureReason.NO_IMAGE.allows_another(2)


def test_only_the_vendors_own_trouble_counts_against_it() -> None:
    faults = {reason for reason in EVERY if reason.is_vendor_fault}

    assert faults == {
        FailureReason.RATE_LIMITED,
        FailureReason.VENDOR_DOWN,
        FailureReason.TIMEOUT,
        FailureReason.BAD_ANSWER,
        FailureReason.RESULT_BROKEN,
    }


@pytest.mark.parametrize("word", ["SOMETHING_NEW", "", None])
def test_a_word_that_is_not_known_reads_as_unknown(word: Any) -> None:
    assert FailureReason(word) is FailureReason.UNKNOWN
