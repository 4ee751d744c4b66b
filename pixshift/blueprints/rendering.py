"""Pages and their fragments. The only place that knows how HTMX asks and is answered."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

from flask import Flask, Response, g, make_response, redirect, render_template, request
from jinja2_fragments.flask import render_block

from pixshift.blueprints import access
from pixshift.blueprints.helpers import toolbox
from pixshift.errors import PixShiftError

Retry = Callable[[PixShiftError], Response]
Route = TypeVar("Route", bound=Callable[..., Response])


def is_fragment() -> bool:
    """Whether HTMX asked for a part of a page: not when it restores history or follows a boosted link."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-History-Restore-Request") != "true"
        and headers.get("HX-Boosted") != "true"
    )


def render(template: str, block: str | None = None, **context: Any) -> Response:
    """The page, or its named ``block`` alone when HTMX asked for a part; both contain the same text."""
    if block is not None and is_fragment():
        body = render_block(template, block, **context)
    else:
        body = render_template(template, **context)
    response = make_response(body)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def see(url: str) -> Response:
    """After a POST: go and look there."""
    response = redirect(url, 303)
    return make_response(response)


def leave_for(url: str) -> Response:
    """Send the whole page elsewhere, also when HTMX asked for a part of it."""
    if not is_fragment():
        return see(url)
    response = make_response("", 200)
    response.headers["HX-Redirect"] = url
    return response


def on_error(again: Retry) -> None:
    """Should this request fail for a reason the person can mend, answer with ``again(error)``.

    The form, filled and marked.
    """
    g.on_error = again


def when_refused(again: Retry) -> Callable[[Route], Route]:
    """For a route's form that the guard may refuse before the route runs, such as a photo that is too large."""

    def mark(route: Route) -> Route:
        vars(route)["again_when_refused"] = again
        return route

    return mark


def init_app(app: Flask) -> None:
    # No template has globals of its own; for them Jinja would compare chains of dicts at each import of a macro.
    app.jinja_env.make_globals = lambda _: app.jinja_env.globals  # type: ignore[assignment, method-assign]
    app.add_template_filter(filesize)
    app.add_template_filter(number)
    app.add_template_filter(clock)
    app.add_template_filter(day)
    app.add_template_filter(minutes)
    app.context_processor(lambda: {"site": access.context()})


def filesize(size: int | None) -> str:
    if size is None:
        return ""
    if size < 1024 * 1024:
        return f"{max(1, round(size / 1024))} kB"
    return f"{size / 1024 / 1024:.1f} MB".replace(".0 MB", " MB")


def number(value: int) -> str:
    return f"{value:,}"


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def day(value: date) -> str:
    if isinstance(value, datetime):
        value = value.date()
    today = toolbox().now().date()
    near = {0: "Today, ", 1: "Yesterday, "}.get((today - value).days, "")
    year = "" if value.year == today.year else f" {value.year}"
    return f"{near}{value.day} {value:%B}{year}"


def minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02d}"
