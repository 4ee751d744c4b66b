"""Gemini's stand-in as the witness of a drill: which worker asked for which job, when, and when it was answered."""

import base64
import json
import random
import time
from collections.abc import Container
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.stand_ins.gemini import GeminiStandIn, picture
from tests.stand_ins.server import Exchange

LATELY_SECONDS = 0.1


@dataclass
class Call:
    """One call of the model. ``answered`` is None as long as nobody got its answer."""

    worker: str
    job: UUID
    began: float
    answered: float | None = None


class Witness(GeminiStandIn):
    """Answers after a while drawn from ``seconds``. A worker's key is its name; a photo's bytes are its job's id."""

    def __init__(self, seconds: tuple[float, float]) -> None:
        super().__init__(keep=1)
        self.result = picture("1:1", 128), "image/png"
        self.seconds = seconds
        self.all_calls: list[Call] = []
        self._chance = random.Random(7)

    def answer(self, exchange: Exchange, mood: str) -> None:
        if not self.counts(exchange):
            super().answer(exchange, mood)
            return
        call = Call(exchange.headers["x-goog-api-key"], _job(json.loads(exchange.body)), time.monotonic())
        self.all_calls.append(call)
        self.stopping.wait(self._chance.uniform(*self.seconds))
        super().answer(exchange, mood)
        call.answered = time.monotonic()

    def calls_of(self, job: UUID) -> list[Call]:
        return [call for call in self.all_calls if call.job == job]

    def asking(self) -> set[str]:
        """The workers that wait for an answer (also those that died meanwhile)."""
        return {call.worker for call in list(self.all_calls) if call.answered is None}

    def answered_lately(self, among: Container[str], seconds: float = LATELY_SECONDS) -> str | None:
        """A worker that has just got an answer, and so is about to check it, store it and claim the next job."""
        since = time.monotonic() - seconds
        answered = (call for call in reversed(self.all_calls) if call.answered is not None and call.answered >= since)
        return next((call.worker for call in answered if call.worker in among), None)


def _job(request: Any) -> UUID:
    (photo,) = (part["inlineData"]["data"] for part in request["contents"][0]["parts"] if "inlineData" in part)
    return UUID(bytes=base64.urlsafe_b64decode(photo))
