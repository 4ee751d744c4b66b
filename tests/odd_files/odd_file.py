"""What an odd file is, and what may be said of it."""

from dataclasses import dataclass

ACCEPTED, REFUSED, WRONG_TYPE, TOO_LARGE = "ACCEPTED", "VALIDATION_ERROR", "INVALID_FILE_TYPE", "FILE_TOO_LARGE"
MODEL_SIDE = 2048


@dataclass(frozen=True)
class Verdict:
    """The answers that are right; ``sides`` are those of an accepted picture, upright, before it is made smaller."""

    answers: frozenset[str]
    sides: tuple[int, int] | None = None

    def allows(self, answer: str, width: int = 0, height: int = 0) -> bool:
        """Whether an error code, or ACCEPTED with the sides of what we kept, is right."""
        if answer not in self.answers:
            return False
        if answer != ACCEPTED or self.sides is None:
            return True
        scale = min(1.0, MODEL_SIDE / max(self.sides))
        wanted = (max(1.0, side * scale) for side in self.sides)
        return all(abs(found - side) <= 1 for found, side in zip((width, height), wanted, strict=True))

    def __str__(self) -> str:
        return " or ".join(sorted(self.answers)) + (f" {self.sides[0]} × {self.sides[1]}" if self.sides else "")


def accepted(width: int, height: int) -> Verdict:
    return Verdict(frozenset({ACCEPTED}), (width, height))


IS_REFUSED = Verdict(frozenset({REFUSED}))
IS_WRONG_TYPE = Verdict(frozenset({WRONG_TYPE}))
IS_TOO_LARGE = Verdict(frozenset({TOO_LARGE}))
# Whether decoders forgive it is their affair: a clear refusal is right, and so is a picture of our own encoding.
IS_EITHER = Verdict(frozenset({ACCEPTED, REFUSED}))
IS_ANYTHING = Verdict(frozenset({ACCEPTED, REFUSED, WRONG_TYPE}))


@dataclass(frozen=True)
class OddFile:
    """A file, how it is sent, and the verdict it must get. ``name`` says what is odd about it."""

    name: str
    data: bytes
    verdict: Verdict
    filename: str = "photo.jpg"
    content_type: str = "image/jpeg"
