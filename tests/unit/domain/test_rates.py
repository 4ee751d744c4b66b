"""By what callers are counted, and how much of it is written down."""

import pytest

from pixshift.domain.rates import Rate, masked_address


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("nonsense", "unknown"),
    ],
)
def test_an_address_is_masked_to_its_network(address: str, masked: str) -> None:
    assert masked_address(address) == masked


def test_a_rate_earns_one_call_after_the_other() -> None:
    assert (Rate(60, 5).interval, Rate(1200, 1).interval) == (1, 0.05)
