"""Waiting for a part that is away, while a picture is in hand that the model was paid for."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pixshift.errors import ExternalServiceError
from pixshift.extensions import db
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
T = TypeVar("T")
AGAIN_SECONDS = 1.0
# InternalError: what a process hears that was frozen in mid-transaction and lost it.
_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout)


def outlast(toolbox: Toolbox, step: Callable[[], T]) -> T:
    """Do ``step`` and answer what it answers; while database or picture store are away, do it again every second.

    It must change nothing when it is done twice: a commit whose answer was lost may have happened. What it raises after
    ``toolbox.patience_seconds`` is raised. The heartbeat keeps the job's lease meanwhile, if the database is there.
    """
    give_up = time.monotonic() + toolbox.patience_seconds
    while True:
        try:
            return step()
        except (*_AWAY, ExternalServiceError) as error:
            db.session.rollback()
            if time.monotonic() >= give_up:
                raise
            log.warning("waiting for a part that is away", extra={"error": type(error).__name__})
        time.sleep(AGAIN_SECONDS)
