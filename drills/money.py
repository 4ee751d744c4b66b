"""A thousand ways to buy a picture, most of them interrupted: in the end the gateway's books and ours are equal."""

import random
from collections.abc import Iterator

from drills.table import Ground, Row, Size, exactly
from drills.vendor_jobs import at_least
from tests import journeys, money, payment_worlds
from tests.journeys import Journey
from tests.money import Shop

AREA = "Money"
SAMPLES = {"practice": 150, "paypal": 100, "stripe": 150}
FULL = 1000


def rows(ground: Ground, size: Size) -> Iterator[Row]:
    for gateway in sorted(payment_worlds.CAN):
        with ground.database() as name:
            folder = ground.folder / gateway
            folder.mkdir()
            with money.shop(ground.postgres.url(name), folder, gateway) as shop:
                yield from interrupted(shop, FULL if size is Size.FULL else SAMPLES[gateway])


def interrupted(shop: Shop, count: int) -> Iterator[Row]:
    """``count`` journeys with faults before and after each effect, then a day in which all ends by itself."""
    dice = random.Random(20261127)
    for _ in range(count):
        Journey(shop, dice).run()
    journeys.settle(shop)
    theirs, ours = shop.world.ledger(), shop.books()
    what = f"{count} journeys, {shop.gateway.name}: "
    for side in ("held", "captured", "refunded"):
        yield exactly(AREA, what + f"cents {side}, theirs and ours", getattr(theirs, side), getattr(ours, side))
    yield exactly(AREA, what + "cents still held", theirs.held, 0)
    yield at_least(AREA, what + "cents charged, so that the rows beside it say something", theirs.captured, 11 * 99)
    yield exactly(AREA, what + "charged without a picture, or twice", len(shop.unjust()), 0)
    yield exactly(AREA, what + "left open or lost", len(journeys.problems(shop)), 0)
    before, calls = journeys.fingerprint(shop), len(shop.gateway.calls)
    shop.tend(minutes=20)
    yield exactly(AREA, what + "records changed by another round", int(journeys.fingerprint(shop) != before), 0)
    yield exactly(AREA, what + "calls of another round", len(shop.gateway.calls) - calls, 0)
