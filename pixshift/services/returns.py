"""A payer comes back from a gateway's page: what it was about is found by the page's name, among their own alone."""

import logging
from uuid import UUID

from pixshift.errors import ExternalServiceError, NotFound
from pixshift.extensions import db
from pixshift.services import payment_rows, plans, subscriptions, transformations
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)


def picture_paid(toolbox: Toolbox, user_id: UUID, gateway_name: str, session_id: str) -> UUID | None:
    """The picture that was to be paid for, its payment looked up; None: the page was not one for a picture.

    A gateway that is away is no error here: the picture's page says that it waits, and a worker looks again.
    """
    try:
        record_id = payment_rows.record_of_session(user_id, gateway_name, session_id)
    except NotFound:
        return None
    try:
        transformations.payment_changed(toolbox, record_id)
    except ExternalServiceError as error:
        db.session.rollback()
        log.warning("payment is looked up later", extra={"record": str(record_id), "error": error.message})
    return payment_rows.find(record_id).transformation_id


def plan_paid(toolbox: Toolbox, user_id: UUID, gateway_name: str, session_id: str) -> None:
    """The same for a plan. Raises NotFound when it is nobody's, or somebody else's."""
    subscription_id = plans.session_owner(user_id, gateway_name, session_id)
    try:
        subscriptions.look(toolbox, subscription_id)
    except ExternalServiceError as error:
        db.session.rollback()
        log.warning("plan is looked up later", extra={"plan": str(subscription_id), "error": error.message})
