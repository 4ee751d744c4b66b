"""How each image model is doing, known to all workers."""

from datetime import datetime

from sqlalchemy import String, text
from sqlalchemy.orm import Mapped, mapped_column

from pixshift.models.base import Base, UtcDateTime


class ModelCircuit(Base):
    """One row for each model that was ever asked.

    ``faults`` counts the vendor's own in a row. ``opened_at`` is set while the circuit is open. No job of this model is
    claimed before ``wait_until``: then one may try (open), or the minute has room for calls again (closed).
    """

    __tablename__ = "model_circuits"

    model: Mapped[str] = mapped_column(String(80), primary_key=True)
    faults: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    last_fault_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    wait_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
