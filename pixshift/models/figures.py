"""What each closed day (UTC) came to, so that a dashboard does not count a million rows."""

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Integer, Numeric, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.functions import FunctionElement

from pixshift.models.base import Base, UtcDateTime


class DailyTotals(Base):
    """One row for each day that was counted, also for one on which nothing happened: a missing row is a gap.

    Milliseconds from an attempt's start to its picture, of all styles together; NULL when none was made.
    """

    __tablename__ = "daily_totals"

    day: Mapped[date] = mapped_column(primary_key=True)
    p50_ms: Mapped[int | None]
    p90_ms: Mapped[int | None]
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DailyFigures(Base):
    """Pictures of one style that ended on one day, and its money.

    ``failed`` counts those ``blocked`` too, but not those ``cancelled`` or never paid for. The lab's are apart. No
    foreign key: a style that is deleted was made all the same.
    """

    __tablename__ = "daily_figures"

    day: Mapped[date] = mapped_column(primary_key=True)
    transformation_type_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    made: Mapped[int]
    failed: Mapped[int]
    blocked: Mapped[int]
    cancelled: Mapped[int]
    lab: Mapped[int]
    cost: Mapped[Decimal] = mapped_column(Numeric(14, 6))  # US dollars of calls begun on this day
    lab_cost: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    captured: Mapped[Decimal] = mapped_column(Numeric(14, 2))  # for single pictures, in the currency of prices
    refunded: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    p50_ms: Mapped[int | None]
    p90_ms: Mapped[int | None]


class DailyCount(Base):
    """What is counted by a key: sign-ins by provider, codes by country, money by currency."""

    __tablename__ = "daily_counts"

    day: Mapped[date] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[Decimal] = mapped_column(Numeric(14, 2))


class Tenths(FunctionElement[int]):
    """Tenths of seconds from a first moment to a second one, rounded."""

    type = Integer()
    inherit_cache = True


@compiles(Tenths)
def _of_seconds(element: Tenths, compiler: Any, **options: Any) -> str:
    begun, ended = (compiler.process(part, **options) for part in element.clauses)
    return f"CAST(round(date_part('epoch', {ended} - {begun}) * 10) AS INTEGER)"


@compiles(Tenths, "sqlite")
def _of_days(element: Tenths, compiler: Any, **options: Any) -> str:
    begun, ended = (compiler.process(part, **options) for part in element.clauses)
    return f"CAST(round((julianday({ended}) - julianday({begun})) * 864000) AS INTEGER)"
