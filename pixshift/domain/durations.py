"""How long something took or lasts, as people say it."""

from datetime import timedelta


def span(length: timedelta) -> str:
    """In the unit that says enough: 40 s, 26 min, 1 h 52 min, 3 days."""
    seconds = max(1, int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // 1440} days"
