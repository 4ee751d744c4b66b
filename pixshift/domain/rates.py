"""How often somebody may call, and by what they are counted."""

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` calls at once, and from then on ``per_minute``. One process may fetch up to ``lot`` calls ahead."""

    per_minute: int
    burst: int
    lot: int = 1

    @property
    def interval(self) -> float:
        """Seconds until one more call is earned."""
        return 60 / self.per_minute


def masked_address(address: str) -> str:
    """Enough of an address to find a network that misbehaves, too little to find a person: its /24 or /48."""
    try:
        parsed = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))
