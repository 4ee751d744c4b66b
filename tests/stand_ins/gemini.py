"""Gemini at the wire: ``models.generateContent`` and ``models.list`` with a mood for every way an answer can look.

``python -m tests.stand_ins.gemini --port 9001 --mood slow --delay 3`` runs it by hand.
"""

import argparse
import contextlib
import json
import threading
from typing import Any

from pydantic import SecretStr

from pixshift.settings_sections import Gemini, Retry
from tests.stand_ins.gemini_moods import MODELS, MOODS, answer_of, blocked, error_of, finished, part, picture
from tests.stand_ins.server import Exchange, StandIn

__all__ = ["GeminiStandIn", "picture"]


class GeminiStandIn(StandIn):
    """Moods: those of ``MOODS``, ``block:<REASON>[:bare|:with_picture]`` and ``finish:<REASON>[:with_picture]``."""

    def __init__(self, mood: str = "ok", port: int = 0, delay: float = 0.0, keep: int = 500) -> None:
        self.keep = keep
        super().__init__(mood, port)
        self.delay = delay  # seconds before each answer; mood "slow" waits at least 1
        self.models: tuple[str, ...] = MODELS
        self.gate: threading.Event | None = None  # when there is one, answers wait for it
        self.result: tuple[bytes, str] | None = None  # what "ok" and "slow" give back instead of a drawn picture

    def settings(self, **more: Any) -> Gemini:
        """Settings that lead here; any value may be another one, even one that the configuration would refuse."""
        values: dict[str, Any] = {
            "api_key": SecretStr("key-of-the-tests"),
            "endpoint": self.url,
            "api_version": "v1beta",
            "model": MODELS[0],
            "timeout": 20_000,
            "image_size": "2K",
            "calls_per_minute": 1000,
            "retry": Retry(max_attempts=3, backoff_multiplier=2, initial_delay=1000),
        }
        return Gemini.model_construct(**values | more)

    def counts(self, exchange: Exchange) -> bool:
        return exchange.path.split("?")[0].endswith(":generateContent")

    def calls_of(self, model: str = MODELS[0]) -> list[float]:
        """When this model was called, in seconds of ``time.monotonic``."""
        return [call.at for call in self.timeline if f"/models/{model}:" in call.path]

    def answer(self, exchange: Exchange, mood: str) -> None:
        if not exchange.headers.get("x-goog-api-key"):
            exchange.reply_json(403, error_of(403, "PERMISSION_DENIED", "The request is missing a valid API key."))
        elif self.counts(exchange):
            self._wait(1.0 if mood == "slow" else 0.0)
            self._generate(exchange, mood)
        elif exchange.path.split("?")[0].endswith("/models"):
            self._list(exchange, mood)
        else:
            exchange.reply_json(404, error_of(404, "NOT_FOUND", "No such method."))

    def _wait(self, least: float) -> None:
        if self.gate is not None:
            self.gate.wait(30)
        if seconds := max(self.delay, least):
            self.stopping.wait(seconds)

    def _list(self, exchange: Exchange, mood: str) -> None:
        if mood in ("400", "500", "503", "hang", "cut"):
            MOODS[mood](exchange, {})
        else:
            exchange.reply_json(200, {"models": [{"name": f"models/{name}"} for name in self.models]})

    def _generate(self, exchange: Exchange, mood: str) -> None:
        kind, _, word = mood.partition(":")
        if kind == "block":
            exchange.reply_json(200, blocked(word))
        elif kind == "finish":
            exchange.reply_json(200, finished(word))
        elif self.result is not None and mood in ("ok", "slow"):
            exchange.reply_json(200, answer_of(part(*self.result)))
        else:
            MOODS[mood](exchange, _parsed(exchange.body))


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=9001)
    options.add_argument("--mood", default="ok", help=f"one of {', '.join(MOODS)}, block:…, finish:…")
    options.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    chosen = options.parse_args()
    with GeminiStandIn(chosen.mood, chosen.port, chosen.delay, keep=1) as stand_in:
        print(f"GEMINI_ENDPOINT={stand_in.url}", flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            stand_in.stopping.wait()


if __name__ == "__main__":
    main()
