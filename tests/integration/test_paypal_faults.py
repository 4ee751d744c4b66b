"""When PayPal does not answer as it should: nothing is done twice, nothing is guessed, nobody waits for long."""

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from pixshift.domain.lifecycle import PaymentStatus
from pixshift.errors import ExternalServiceError
from pixshift.gateways import paypal_client
from pixshift.gateways.paypal import PayPalGateway
from pixshift.gateways.ports import PaymentRef
from tests.paypal_steps import AFTER, ENDS, Desk, order
from tests.stand_ins.paypal import CLIENT_SECRET, PayPalStandIn
from tests.stand_ins.server import Exchange

STEPS = tuple(ENDS)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(paypal_client, "_PAUSE_SECONDS", 0.01)
    with PayPalStandIn(contracts=False) as stand_in:
        gateway = PayPalGateway(stand_in.settings())
        yield Desk(gateway, stand_in)
        gateway.close()


# --- repeated at once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", ["lost", "truncated", "cut", "500", "502", "html", "409", "busy"])
@pytest.mark.parametrize("step", STEPS)
def test_a_call_that_fails_is_made_again_under_the_same_id_and_works_once(desk: Desk, step: str, mood: str) -> None:
    asked, call = desk.before(step)
    desk.spoil(step, mood)
    call()
    posts = desk.posts(step)
    assert [sent.mood for sent in posts] == [mood, "ok"]
    assert len({(sent.headers["paypal-request-id"], sent.body) for sent in posts}) == 1
    assert str(asked.attempt_id) in posts[0].headers["paypal-request-id"]
    assert desk.books() == AFTER[step]


@pytest.mark.parametrize("step", STEPS)
def test_each_step_has_an_id_of_its_own_for_each_try(desk: Desk, step: str) -> None:
    ids = set()
    for _ in range(2):
        _, call = desk.before(step)
        call()
        ids |= {sent.headers["paypal-request-id"] for sent in desk.stand_in.requests if sent.method == "POST"}
    sent = [one for one in desk.stand_in.requests if one.method == "POST"]
    assert len(ids) == len(sent)


# --- unknown ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", ["lost", "500", "cut"])
@pytest.mark.parametrize("step", STEPS)
def test_what_goes_on_failing_is_unknown_and_the_same_call_later_works_once(desk: Desk, step: str, mood: str) -> None:
    _, call = desk.before(step)
    desk.spoil(step, mood, mood, mood)
    with pytest.raises(ExternalServiceError) as unknown:
        call()
    assert unknown.value.retryable
    assert len(desk.posts(step)) == 3
    call()
    assert len({sent.headers["paypal-request-id"] for sent in desk.posts(step)}) == 1
    assert desk.books() == AFTER[step]


@pytest.mark.parametrize("mood", ["garbage", "list"])
@pytest.mark.parametrize("step", STEPS)
def test_an_answer_nobody_can_read_leaves_it_unknown_too(desk: Desk, step: str, mood: str) -> None:
    _, call = desk.before(step)
    desk.spoil(step, mood)
    with pytest.raises(ExternalServiceError) as unknown:
        call()
    assert unknown.value.retryable
    call()
    assert desk.books() == AFTER[step]


@pytest.mark.parametrize("step", STEPS)
def test_an_answer_that_says_nothing_is_no_answer(desk: Desk, step: str) -> None:
    _, call = desk.before(step)
    desk.spoil(step, "empty")
    if step in ("create", "refund"):  # of the others the payment is looked up in any case
        with pytest.raises(ExternalServiceError) as unknown:
            call()
        assert unknown.value.retryable
    call()
    assert desk.books() == AFTER[step]


@pytest.mark.parametrize("mood", ["empty", "list", "garbage"])
def test_a_payment_that_is_told_in_nonsense_is_not_looked_up(desk: Desk, mood: str) -> None:
    _, ref = desk.held()
    desk.stand_in.push(mood)
    with pytest.raises(ExternalServiceError) as unknown:
        desk.gateway.look(ref)
    assert unknown.value.retryable
    assert desk.look(ref).status is PaymentStatus.HELD


def test_a_plan_that_is_told_in_nonsense_is_not_looked_up(desk: Desk) -> None:
    _, ref = desk.subscribed()
    desk.stand_in.push("empty")
    with pytest.raises(ExternalServiceError) as unknown:
        desk.gateway.look_subscription(ref)
    assert unknown.value.retryable


# --- not repeated -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mood", "wait"), [("429", None), ("429:7", 7.0), ("429:soon", None), ("429:99999999", None), ("429:-1", None)]
)
@pytest.mark.parametrize("step", STEPS)
def test_a_limit_is_told_as_trouble_that_passes(desk: Desk, step: str, mood: str, wait: float | None) -> None:
    _, call = desk.before(step)
    desk.spoil(step, mood)
    with pytest.raises(ExternalServiceError) as busy:
        call()
    assert (busy.value.retryable, busy.value.retry_after) == (True, wait)
    assert len(desk.posts(step)) == 1
    call()
    assert desk.books() == AFTER[step]


@pytest.mark.parametrize("step", STEPS)
def test_the_wait_is_ours_and_is_waited_once(desk: Desk, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paypal_client._TIMEOUT_SECONDS <= 10
    monkeypatch.setattr(paypal_client, "_TIMEOUT_SECONDS", 0.2)
    desk.gateway.close()  # the SDK's client keeps the timeout that it was made with
    _, call = desk.before(step)
    desk.spoil(step, "hang")
    begun = time.monotonic()
    with pytest.raises(ExternalServiceError) as away:
        call()
    assert time.monotonic() - begun < 2
    assert (away.value.retryable, away.value.category) == (True, "NETWORK")
    assert len(desk.posts(step)) == 1
    call()
    assert desk.books() == AFTER[step]


@pytest.mark.parametrize("mood", ["400:INVALID_PARAMETER", "403:PERMISSION_DENIED", "404:INVALID_RESOURCE_ID"])
def test_what_is_refused_is_not_sent_again(desk: Desk, mood: str) -> None:
    _, call = desk.before("create")
    desk.spoil("create", mood)
    with pytest.raises(ExternalServiceError) as refused:
        call()
    assert not refused.value.retryable
    assert len(desk.posts("create")) == 1


def test_nobody_is_there(desk: Desk) -> None:
    desk.stand_in.stop()
    with pytest.raises(ExternalServiceError) as away:
        desk.gateway.open_checkout(order())
    assert (away.value.retryable, away.value.status) == (True, 502)


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"details": []}', b'{"details": ["x"], "debug_id": 7}'])
def test_an_error_in_any_words_is_an_error(desk: Desk, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(exchange: Exchange, mood: str) -> None:
        if exchange.path == "/v1/oauth2/token":
            desk.stand_in._token(exchange)
        else:
            exchange.reply(400, body)

    monkeypatch.setattr(desk.stand_in, "answer", refuse)
    with pytest.raises(ExternalServiceError) as refused:
        desk.gateway.look(PaymentRef(order().attempt_id, session_id="5O1"))
    assert isinstance(refused.value, paypal_client.RequestRefused)
    assert (refused.value.http_status, refused.value.issue) == (400, "UNREADABLE")


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_one_token_serves_many_calls(desk: Desk) -> None:
    desk.captured()
    assert desk.stand_in.token_calls == 1


@pytest.mark.parametrize("step", STEPS)
def test_a_token_that_is_refused_is_renewed_and_the_call_works_once(desk: Desk, step: str) -> None:
    _, call = desk.before(step)
    desk.gateway.check()
    desk.stand_in.change_token()
    call()
    assert desk.stand_in.token_calls == 1002
    assert desk.books() == AFTER[step]


def test_a_new_token_that_is_refused_as_well_is_not_renewed_without_end(desk: Desk) -> None:
    desk.stand_in.push("401:INVALID_TOKEN", "401:INVALID_TOKEN")
    with pytest.raises(ExternalServiceError) as refused:
        desk.gateway.open_checkout(order())
    assert not refused.value.retryable
    assert desk.stand_in.token_calls == 2


def test_a_token_is_renewed_before_its_end(desk: Desk) -> None:
    """It lives for as long as the calls of a second take, besides the minute that is left to clocks that differ."""
    desk.stand_in.token_life = 61
    _, ref = desk.opened()
    give_up = time.monotonic() + 10
    while desk.stand_in.token_calls < 2 and time.monotonic() < give_up:
        with suppress(ExternalServiceError):
            desk.look(ref)
    assert desk.stand_in.token_calls >= 2
    assert {sent.mood for sent in desk.stand_in.requests} == {"ok"}


def test_a_token_that_has_ended_when_it_comes_is_none(desk: Desk) -> None:
    desk.stand_in.token_life = 30  # clocks may differ by more
    for ask in (desk.gateway.check, lambda: desk.gateway.open_checkout(order())):
        with pytest.raises(ExternalServiceError):
            ask()
    assert desk.books() == (0, (0, 0, 0))


def test_an_outage_where_tokens_are_made_passes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paypal_client, "_TIMEOUT_SECONDS", 0.2)
    for mood in ("down", "hang"):
        desk.stand_in.token_mood = mood
        with pytest.raises(ExternalServiceError) as away:
            desk.gateway.open_checkout(order())
        assert away.value.retryable
    desk.stand_in.token_mood = "ok"
    desk.opened()


def test_wrong_keys_are_our_fault_and_are_not_told(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    desk.stand_in.token_mood = "refused"
    with pytest.raises(ExternalServiceError) as refused:
        desk.gateway.open_checkout(order())
    assert not refused.value.retryable
    assert CLIENT_SECRET not in caplog.text + refused.value.message
    assert [record.levelname for record in caplog.records if "refused our keys" in record.message] == ["ERROR"]
