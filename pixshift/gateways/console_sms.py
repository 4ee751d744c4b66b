"""The SMS twin of the embedded default: nothing is sent, the text goes back to the page that asked."""

import logging
import secrets

from pixshift.gateways.ports import SentSms

logger = logging.getLogger(__name__)


class ConsoleSms:
    """The SmsSender port without a telephone network; development only."""

    is_twin = True

    def send(self, to: str, text: str) -> SentSms:
        """Hand the text back as ``shown_text``; the log learns neither the number nor the code."""
        message_id = f"SHOWN{secrets.token_hex(8)}"
        logger.info("sms shown in the page instead of sent: %s", message_id)
        return SentSms(message_id=message_id, shown_text=text)

    def is_from_vendor(self, url: str, params: dict[str, str], signature: str) -> bool:
        """Nobody reports on what was not sent."""
        return False

    def check(self) -> str:
        return "codes are shown in the page (development only)"
