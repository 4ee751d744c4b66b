"""What all lists of the desk share: the page that is asked for, and the links to its neighbours."""

from typing import Any

from flask import request, url_for

from pixshift.blueprints.helpers import user_id
from pixshift.services.audit import Actor

LIMIT = 50


def query() -> dict[str, str]:
    """The filters in the address, less those left empty by a form."""
    return {name: value.strip() for name, value in request.args.items() if value.strip()}


def pagination(
    endpoint: str, *, page: int, total: int, shown: int, limit: int = LIMIT, **filters: Any
) -> dict[str, Any]:
    """Figures and links for the macro ``pager``; a page past the end has a link back."""
    last = max(1, -(-total // limit))

    def url(number: int) -> str:
        return url_for(endpoint, **filters, page=number if number > 1 else None)

    return {
        "page": page,
        "pages": max(last, min(page, 2)),
        "total": total,
        "first": (page - 1) * limit + 1 if shown else 0,
        "last": (page - 1) * limit + shown if shown else 0,
        "newer_url": url(min(page - 1, last)) if page > 1 else None,
        "older_url": url(page + 1) if page < last else None,
    }


def admin() -> Actor:
    """Who acts, for the audit log."""
    return Actor("admin", user_id())
