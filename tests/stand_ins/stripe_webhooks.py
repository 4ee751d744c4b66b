"""Stripe's events: signed, and sent as reliably or badly as a test wants."""

import json
import queue
import threading
import time
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import stripe

Thing = dict[str, Any]


class Webhooks:
    """``deliver_to`` is the address that hears of everything, from a thread of its own.

    ``way`` is ok, drop (nothing arrives), double, reorder (each two the wrong way round) or delay (until ``flush``).
    """

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.deliver_to: str | None = None
        self.way = "ok"
        self.events: list[Thing] = []
        self.answers: list[int] = []  # HTTP statuses, 0 where nobody answered
        self._held: list[Thing] = []
        self._lock = threading.Lock()
        self._outbox: queue.Queue[Thing] = queue.Queue()
        self._sender: threading.Thread | None = None

    def emit(self, kind: str, about: Thing) -> None:
        event = self.make(kind, about)
        self.events.append(event)
        if self.deliver_to is None or self.way == "drop":
            return
        with self._lock:
            if self.way in ("reorder", "delay"):
                self._held.append(event)
            if self.way == "reorder" and len(self._held) == 2:
                self._send(self._held[::-1])
                self._held.clear()
            elif self.way in ("ok", "double"):
                self._send([event] * (2 if self.way == "double" else 1))

    def flush(self) -> None:
        """Send what was held back, and wait until all of it is answered."""
        with self._lock:
            self._send(self._held)
            self._held = []
        self._outbox.join()

    def make(self, kind: str, about: Thing, **more: Any) -> Thing:
        """An event about this thing as it is now."""
        shown = {name: value for name, value in about.items() if not name.startswith("_")}
        event = {
            "id": f"evt_{uuid4().hex[:24]}",
            "object": "event",
            "api_version": stripe.api_version,
            "created": int(time.time()),
            "data": {"object": json.loads(json.dumps(shown))},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        return event | more

    def signed(self, event: Thing, secret: str | None = None, at: int | None = None) -> tuple[bytes, dict[str, str]]:
        """Body and headers as they are sent."""
        body = json.dumps(event)
        header = stripe.WebhookSignature.generate_signature_header(body, secret or self.secret, at)
        return body.encode(), {"Stripe-Signature": header, "Content-Type": "application/json; charset=utf-8"}

    def _send(self, events: list[Thing]) -> None:
        for event in events:
            self._outbox.put(event)
        if events and self._sender is None:
            self._sender = threading.Thread(target=self._run, daemon=True)
            self._sender.start()

    def _run(self) -> None:
        while True:
            event = self._outbox.get()
            body, headers = self.signed(event)
            try:
                with urlopen(Request(str(self.deliver_to), body, headers), timeout=10) as answer:
                    self.answers.append(answer.status)
            except OSError as error:  # a refusal too: its status is what a test looks at
                self.answers.append(getattr(error, "code", 0))
            finally:
                self._outbox.task_done()
