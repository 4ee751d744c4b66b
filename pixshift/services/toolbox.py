"""What every use case is given: the settings, the gateways, and the clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pixshift.gateways import Gateways
from pixshift.models.base import utcnow
from pixshift.settings import Settings


@dataclass(frozen=True, slots=True)
class Toolbox:
    settings: Settings
    gateways: Gateways
    now: Callable[[], datetime] = utcnow
    patience_seconds: float = 60.0  # how long a worker with a picture in hand waits for a part that is away

    @property
    def secret(self) -> bytes:
        return self.settings.secret_key.get_secret_value().encode()
