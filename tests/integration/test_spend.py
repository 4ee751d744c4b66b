"""The fuse: what the model may cost in a day, for one person and for all."""

import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import redis

from pixshift.errors import RateLimitExceeded
from pixshift.gateways.otp_store import RedisOtpStore
from pixshift.gateways.ports import Usage
from pixshift.services import spend
from pixshift.settings_sections import ModelPrices
from tests import money
from tests.money import Shop

PRICES = ModelPrices(
    per_million_prompt_tokens=Decimal("0.30"), per_million_output_tokens=Decimal(30), per_call=Decimal("0.04")
)


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[Shop]:
    with money.shop(database_url, tmp_path) as made:
        yield made


def cap(shop: Shop, **caps: str) -> None:
    """Set the caps of the day."""
    settings = shop.toolbox.settings
    changed = settings.billing.spend_caps.model_copy(update={name: Decimal(value) for name, value in caps.items()})
    billing = settings.billing.model_copy(update={"spend_caps": changed})
    shop.jobs.app.extensions["toolbox"] = money.dataclasses.replace(
        shop.toolbox, settings=settings.model_copy(update={"billing": billing})
    )


@pytest.mark.parametrize(
    ("prompt", "output", "dollars"),
    [
        (1_000_000, 0, "0.30"),
        (0, 1_000_000, "30"),
        (1130, 1120, "0.033939"),
        (None, None, "0.04"),
        (None, 100, "0.003"),
    ],
)
def test_a_call_costs_what_its_tokens_cost(prompt: int | None, output: int | None, dollars: str) -> None:
    assert PRICES.cost(prompt, output) == Decimal(dollars)


def test_what_a_call_cost_is_kept_with_it_also_when_it_was_in_vain(shop: Shop) -> None:
    made, refused = shop.held(shop.person()), shop.held(shop.person())
    shop.jobs.make_next()
    shop.jobs.editor.fail("PROMPT_BLOCKED")
    shop.jobs.make_next()
    costs = [shop.jobs.attempts(job)[0].cost for job in (made, refused)]
    assert costs == [Decimal("0.067765")] * 2
    with shop.jobs.app.app_context():
        assert spend.today(shop.toolbox).amount == Decimal("0.13553")


def test_a_person_who_reached_the_cap_waits_until_midnight_and_others_do_not(shop: Shop) -> None:
    cap(shop, per_person="0.07")
    person = shop.person()
    shop.held(person)  # waits: it counts already
    with pytest.raises(RateLimitExceeded) as refused:
        shop.job(person)
    assert refused.value.details == {"scope": "person"}
    assert 0 < (refused.value.retry_after or 0) <= 86400
    shop.job(shop.person())
    shop.jobs.make_next()
    shop.jobs.clock.forward(days=1)
    shop.job(person)


def test_all_together_reach_their_cap_and_operators_are_told(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    cap(shop, all="0.08")
    shop.held(shop.person())
    with caplog.at_level(logging.WARNING):
        job = shop.job(shop.person())
    assert "spend alert" in caplog.text
    shop.pay(shop.jobs.read(job).user_id, job)
    other = shop.person()
    with pytest.raises(RateLimitExceeded) as refused:
        shop.job(other)
    assert refused.value.details == {"scope": "all"}
    assert shop.world.ledger().held == 198  # nothing more was held


def alerts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.message == "spend alert"]


def test_operators_are_told_once_a_day_that_the_cap_is_near_and_once_that_it_is_reached(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    cap(shop, all="0.08")
    shop.held(shop.person())
    jobs = [shop.job(shop.person()) for _ in range(3)]
    assert alerts(caplog) == ["WARNING"]
    shop.pay(shop.jobs.read(jobs[0]).user_id, jobs[0])
    for _ in range(3):
        with pytest.raises(RateLimitExceeded):
            shop.job(shop.person())
    assert alerts(caplog) == ["WARNING", "ERROR"]
    shop.jobs.clock.forward(days=1)
    with pytest.raises(RateLimitExceeded):  # both still wait
        shop.job(shop.person())
    assert alerts(caplog) == ["WARNING", "ERROR", "ERROR"]


def test_operators_are_told_also_when_nothing_counts_how_often(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    cap(shop, all="0.08")
    shop.held(shop.person())
    away = RedisOtpStore(redis.Redis.from_url("redis://127.0.0.1:1/0"))
    gateways = money.dataclasses.replace(shop.toolbox.gateways, otp=away)
    shop.jobs.app.extensions["toolbox"] = money.dataclasses.replace(shop.toolbox, gateways=gateways)
    job = shop.job(shop.person())  # an alert that cannot be counted stops nobody
    assert alerts(caplog) == ["WARNING"]
    assert shop.record(job).amount == Decimal("0.99")


def test_the_preview_editor_costs_nothing(shop: Shop) -> None:
    shop.jobs.editor.is_twin = True
    with shop.jobs.app.app_context():
        assert spend.cost(shop.toolbox, Usage(output_tokens=1120)) == 0
    cap(shop, per_person="0.000001")
    person = shop.person()
    shop.held(person)
    shop.job(person)
