"""PayPal's webhooks: every one is signed, and the books know which bytes went out under which transmission."""

import hashlib
import itertools
import json
import random
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

Sent = tuple[bytes, dict[str, str]]


class Events:
    """``deliver_to`` is an address; without one, and while ``delay``, events wait for ``flush``."""

    def __init__(self, webhook_ids: list[str]) -> None:
        self.webhook_ids = webhook_ids
        self.deliver_to: str | None = None
        self.drop = self.double = self.reorder = self.delay = False
        self.pending: list[Sent] = []
        self.statuses: list[int] = []
        self._sent: dict[str, tuple[str, str, str]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def sign(self, type_: str, resource: Any, webhook_id: str | None = None) -> Sent:
        number = next(self._numbers)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "id": f"WH-{number:017d}",
            "create_time": now,
            "event_type": type_,
            "event_version": "1.0",
            "summary": "Something happened",
            "resource": resource,
            "links": [],
        }
        body = json.dumps(event, indent=1).encode()  # spaced as nobody who writes it anew would
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            "PAYPAL-TRANSMISSION-ID": f"t{number:08d}-stand-in",
            "PAYPAL-TRANSMISSION-TIME": now,
            "PAYPAL-TRANSMISSION-SIG": f"s{digest}",
            "PAYPAL-CERT-URL": "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-stand-in",
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        }
        self._sent[headers["PAYPAL-TRANSMISSION-ID"]] = (webhook_id or self.webhook_ids[0], now, digest)
        return body, headers

    def is_authentic(self, asked: dict[str, Any], raw: bytes) -> bool:
        """``raw`` is the event as it stood in the request, byte for byte."""
        digest = hashlib.sha256(raw).hexdigest()
        expected = (asked["webhook_id"], asked["transmission_time"], digest)
        return (
            self._sent.get(asked["transmission_id"]) == expected
            and asked["transmission_sig"] == f"s{digest}"
            and asked["webhook_id"] in self.webhook_ids
        )

    def verify(self, body: dict[str, Any]) -> dict[str, str]:
        is_authentic = self.is_authentic(body, body["_raw"])
        return {"verification_status": "SUCCESS" if is_authentic else "FAILURE"}

    def webhooks(self) -> dict[str, Any]:
        known = self.webhook_ids
        return {"webhooks": [{"id": each, "url": "https://pixshift.example/hook", "event_types": []} for each in known]}

    def emit(self, type_: str, resource: Any) -> None:
        if self.drop:
            return
        with self._lock:
            self.pending += [self.sign(type_, resource)] * (2 if self.double else 1)
        if self.deliver_to and not self.delay:
            threading.Thread(target=self.flush, daemon=True).start()

    def flush(self) -> None:
        """Deliver what waits; what the answers were is in ``statuses``."""
        with self._lock:
            waiting, self.pending = self.pending, []
        if self.reorder:
            random.Random(len(waiting)).shuffle(waiting)
        for body, headers in waiting:
            if self.deliver_to:
                self.statuses.append(_post(self.deliver_to, body, headers))


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
