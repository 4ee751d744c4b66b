"""Twilio at the wire: the Messages endpoint and the account, strict about what it is sent.

``python -m tests.stand_ins.twilio --port 9002`` runs it by hand and prints each message.
"""

import argparse
import base64
import contextlib
import re
from typing import Any
from urllib.parse import parse_qs

from pydantic import SecretStr

from pixshift.settings_sections import Twilio
from tests.stand_ins.server import Exchange, StandIn

ACCOUNT, TOKEN, NUMBER = "AC" + "0" * 32, "stand-in-token", "+15005550006"
_ACCOUNT_PATH = re.compile(r"/2010-04-01/Accounts/(?P<account>AC\w{32})(?P<rest>/Messages)?\.json$")
_E164 = re.compile(r"\+[1-9]\d{6,14}$")
_MESSAGES = {
    20003: "Authenticate",
    20429: "Too Many Requests",
    21211: "The 'To' number is not a valid phone number.",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number.",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21610: "Attempt to send to unsubscribed recipient.",
    21612: "The 'To' phone number is not currently reachable via SMS.",
    21614: "'To' number is not a valid mobile number.",
    21617: "The concatenated message body exceeds the 1600 character limit.",
    21635: "'To' number cannot be a landline.",
    30001: "Queue overflow",
}


class TwilioStandIn(StandIn):
    """Moods: ok, hang, cut, html, empty, 500, or one of Twilio's codes (21211, 21408, 21610, 20429, …)."""

    def __init__(self, mood: str = "ok", port: int = 0, echo: bool = False) -> None:
        super().__init__(mood, port)
        self.messages: list[dict[str, str]] = []
        self.account_status = "active"
        self._echo = echo

    def settings(self, **more: Any) -> Twilio:
        """Settings that lead here; any value may be another one, even one that the configuration would refuse."""
        values: dict[str, Any] = {
            "account_sid": ACCOUNT,
            "auth_token": SecretStr(TOKEN),
            "from_number": NUMBER,
            "api_base": self.url,
            "timeout": 5000,
        }
        return Twilio.model_construct(**values | more)

    def reset(self, mood: str = "ok") -> None:
        super().reset(mood)
        self.messages.clear()

    def code_for(self, number: str) -> str:
        """The code in the latest message to this number."""
        text = next(message["Body"] for message in reversed(self.messages) if message["To"] == number)
        found = re.search(r"\b\d{6,8}\b", text)
        assert found, text
        return found[0]

    def answer(self, exchange: Exchange, mood: str) -> None:
        address = _ACCOUNT_PATH.match(exchange.path)
        if mood == "hang":
            exchange.hang()
        elif mood == "cut":
            exchange.cut()
        elif mood == "html":
            exchange.reply(502, b"<html>Bad Gateway</html>", "text/html")
        elif mood == "empty":
            exchange.reply_json(201, {})
        elif mood == "500":
            _refuse(exchange, 500, 20500, "Internal Server Error")
        elif not address or not _is_authentic(exchange, address["account"]):
            _refuse(exchange, 401, 20003)
        elif exchange.command == "GET" and not address["rest"]:
            account = {"sid": ACCOUNT, "status": self.account_status, "friendly_name": "PixShift", "type": "Full"}
            exchange.reply_json(200, account)
        else:
            self._message(exchange, mood)

    def _message(self, exchange: Exchange, mood: str) -> None:
        fields = parse_qs(exchange.body.decode(), keep_blank_values=True)
        form = {name: values[-1] for name, values in fields.items()}
        code = int(mood) if mood.isdigit() else _fault(form)
        if code:
            _refuse(exchange, 429 if code == 20429 else 403 if code == 20003 else 400, code)
            return
        self.messages.append(form)
        if self._echo:
            print(form["To"], repr(form["Body"]), flush=True)  # noqa: T201
        exchange.reply_json(201, _created(form, len(self.messages)))


def _is_authentic(exchange: Exchange, account: str) -> bool:
    expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    return account == ACCOUNT and exchange.headers.get("Authorization") == f"Basic {expected}"


def _fault(form: dict[str, str]) -> int | None:
    """The first thing wrong with a message, as Twilio's code."""
    checks = {
        21604: not form.get("To"),
        21211: not _E164.match(form.get("To", "")),
        21603: form.get("From") != NUMBER,
        21602: not form.get("Body"),
        21617: len(form.get("Body", "")) > 1600,
        20001: not 1 <= int(form.get("ValidityPeriod", "1")) <= 36000
        or form.get("RiskCheck", "enable") not in ("enable", "disable")
        or not form.keys() <= {"To", "From", "Body", "ValidityPeriod", "RiskCheck", "StatusCallback"},
    }
    return next((code for code, is_wrong in checks.items() if is_wrong), None)


def _refuse(exchange: Exchange, status: int, code: int, message: str | None = None) -> None:
    text = message or _MESSAGES.get(code, "Invalid parameter")
    more = f"https://www.twilio.com/docs/errors/{code}"
    exchange.reply_json(status, {"code": code, "message": text, "more_info": more, "status": status})


def _created(form: dict[str, str], number: int) -> dict[str, Any]:
    sid = f"SM{number:032x}"
    return {
        "sid": sid,
        "account_sid": ACCOUNT,
        "to": form["To"],
        "from": form["From"],
        "body": form["Body"],
        "status": "queued",
        "direction": "outbound-api",
        "num_segments": "1",
        "num_media": "0",
        "api_version": "2010-04-01",
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json",
        "error_code": None,
        "error_message": None,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=9002)
    options.add_argument("--mood", default="ok")
    chosen = options.parse_args()
    with TwilioStandIn(chosen.mood, chosen.port, echo=True) as stand_in:
        account = f"TWILIO_ACCOUNT_SID={ACCOUNT} TWILIO_AUTH_TOKEN={TOKEN} TWILIO_PHONE_NUMBER={NUMBER}"
        print(f"{account} TWILIO_API_BASE={stand_in.url}", flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            stand_in.stopping.wait()


if __name__ == "__main__":
    main()
