"""What is asked before something is decided about a person: what happens, and what does not."""

from typing import NamedTuple


class Question(NamedTuple):
    """``text`` and ``lines`` may hold ``{name}``; ``lines`` say what happens and what does not."""

    text: str
    lines: tuple[str, ...]
    deed: str
    keep: str = "Leave it"
    asks_reason: bool = False


QUESTIONS = {
    "ADMIN": Question(
        "Make {name} an admin?",
        (
            "They may do everything on these pages from their next click: see numbers and money, suspend people.",
            "They still see nobody's pictures.",
        ),
        "Make an admin",
    ),
    "GUEST": Question(
        "Take the desk away from {name}?",
        (
            "These pages close to them from their next click.",
            "Their own account, pictures and money stay as they are.",
        ),
        "Make a guest",
    ),
    "suspend": Question(
        "Suspend {name}?",
        (
            "They are signed out everywhere at once and cannot sign in until you lift it.",
            "Links they made to their pictures show nothing meanwhile.",
            "What is being made is finished. Free pictures and payments stay as they are.",
            "A premium plan goes on and renews, until you stop it on their page.",
        ),
        "Suspend",
        asks_reason=True,
    ),
    "lift": Question(
        "Let {name} in again?",
        ("They can sign in as before. Nothing they had is lost.",),
        "Lift the suspension",
        keep="Leave it suspended",
        asks_reason=True,
    ),
    "sign_out": Question(
        "Sign {name} out everywhere?",
        (
            "Every device and program of theirs is signed out at once. They can sign in again.",
            "What is being made is finished.",
        ),
        "Sign out",
    ),
    "stop_plan": Question(
        "Stop the plan of {name}?",
        (
            "It is not renewed. The month that is paid stays theirs until it ends.",
            "Nothing is given back by this. They can begin it again.",
        ),
        "Stop the plan",
        asks_reason=True,
    ),
}
DONE = {
    "ADMIN": "They are an admin now.",
    "GUEST": "They are a guest now.",
    "suspend": "Suspended. They are signed out everywhere.",
    "lift": "They can sign in again.",
    "sign_out": "They are signed out everywhere.",
    "give": "The pictures are given.",
    "stop_plan": "The plan is not renewed any more.",
}
