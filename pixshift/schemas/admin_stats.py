"""The numbers of the desk on the wire. Amounts are JSON numbers."""

from decimal import Decimal
from typing import Any, Literal, Self

from pixshift.schemas.base import In, Out


class DaysIn(In):
    """How far back the charts reach, today counted."""

    days: Literal["7", "30", "90"] = "30"


class StatsOut(Out):
    """Of all time, erased people and deleted pictures included; of pictures, those of the lab are apart.

    ``active_users`` are those seen in the last 30 days. ``total_revenue`` is what was charged less what was given back,
    in ``currency``; other currencies are in ``revenue``. ``model_cost`` and ``lab_cost`` are US dollars.
    ``not_made_share`` is of those that were tried, null when none was.
    """

    total_users: int
    total_transformations: int
    total_revenue: float
    active_users: int
    erased_users: int
    completed_transformations: int
    failed_transformations: int
    blocked_transformations: int
    cancelled_transformations: int
    unfinished_transformations: int
    lab_transformations: int
    not_made_share: float | None
    currency: str
    revenue: dict[str, float]
    model_cost: float
    lab_cost: float

    @classmethod
    def of(cls, totals: Any, currency: str) -> Self:
        """Of services.figures.Totals."""
        pictures = totals.pictures
        share = pictures.failed_share
        return cls(
            total_users=totals.users,
            total_transformations=totals.transformations,
            total_revenue=float(totals.revenue.get(currency, Decimal(0))),
            active_users=totals.active_users,
            erased_users=totals.erased_users,
            completed_transformations=pictures.made,
            failed_transformations=pictures.failed,
            blocked_transformations=pictures.blocked,
            cancelled_transformations=pictures.cancelled,
            unfinished_transformations=totals.unfinished,
            lab_transformations=pictures.lab,
            not_made_share=None if share is None else round(share, 4),
            currency=currency,
            revenue={code: float(amount) for code, amount in sorted(totals.revenue.items())},
            model_cost=float(pictures.cost),
            lab_cost=float(pictures.lab_cost),
        )
