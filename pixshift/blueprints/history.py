"""The list of one's own pictures, with its filters and pages."""

from flask import Response, url_for

from pixshift.blueprints.helpers import asset_url, page_link, toolbox, user_id
from pixshift.blueprints.rendering import render
from pixshift.schemas.views import JobView, by_day
from pixshift.services import history as listing
from pixshift.services import ledger

FILTERS = {"all": "All", "ready": "Ready", "working": "In work", "failed": "Not made", "deleted": "Deleted"}


def page(found: listing.Page, shown: str) -> Response:
    now = toolbox().now()
    counts = listing.counts(user_id())
    prices = ledger.prices([job.id for job in found.jobs])
    jobs = [JobView.of(job, page_link, asset_url, now, price=prices.get(job.id)) for job in found.jobs]

    def url(status: str, page: int = 1) -> str:
        return url_for(
            "transformations.index", status=None if status == "all" else status, page=page if page > 1 else None
        )

    last = max(1, -(-found.total // found.limit))
    return render(
        "transformations/index.html",
        days=by_day(jobs),
        filters=[
            {"key": key, "label": label, "count": counts[key], "url": url(key), "is_current": key == shown}
            for key, label in FILTERS.items()
        ],
        pagination={
            "page": found.page,
            "pages": last,
            "total": found.total,
            "first": (found.page - 1) * found.limit + 1 if found.jobs else 0,
            "last": (found.page - 1) * found.limit + len(found.jobs),
            "newer_url": url(shown, found.page - 1) if found.page > 1 else None,
            "older_url": url(shown, found.page + 1) if found.page < last else None,
        },
    )
