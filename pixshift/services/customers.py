"""People as a gateway knows them, and the card they let it keep."""

from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from pixshift.extensions import db
from pixshift.gateways.ports import PaymentGateway, PaymentState
from pixshift.models import GatewayCustomer, User
from pixshift.models.base import change, read_one, read_rows


def known(user_id: UUID, gateway_name: str) -> GatewayCustomer | None:
    mine = (GatewayCustomer.user_id == user_id) & (GatewayCustomer.gateway == gateway_name)
    return read_one(select(GatewayCustomer).where(mine))


def saved_method(user_id: UUID, gateway_name: str) -> GatewayCustomer | None:
    """The customer with ``method_id`` and ``method_label`` set, None when no card is kept."""
    customer = known(user_id, gateway_name)
    return customer if customer and customer.method_id else None


def customer_id(user_id: UUID, gateway: PaymentGateway) -> str | None:
    """Made at the first call, which asks the gateway: not for the middle of a transaction. None: it has no such thing.

    Raises ExternalServiceError.
    """
    if customer := known(user_id, gateway.name):
        return customer.customer_id
    email = read_rows(select(User.email).where(User.id == user_id))[0].email
    made = gateway.customer(user_id, email)
    if made is not None:
        try:
            change(insert(GatewayCustomer).values(user_id=user_id, gateway=gateway.name, customer_id=made))
            db.session.commit()
        except IntegrityError:  # made twice at once: the gateway answered both with the same one
            db.session.rollback()
    return made


def keep_method(user_id: UUID, gateway_name: str, state: PaymentState) -> None:
    """Remember the card of a payment whose payer let it be kept; in the current transaction."""
    if state.method_id:
        change(
            update(GatewayCustomer)
            .where(GatewayCustomer.user_id == user_id, GatewayCustomer.gateway == gateway_name)
            .values(method_id=state.method_id, method_label=state.method_label)
        )


def forget_method(user_id: UUID, gateway_name: str, method_id: str) -> None:
    """The gateway does not know this method (any more); in the current transaction."""
    mine = (GatewayCustomer.user_id == user_id) & (GatewayCustomer.gateway == gateway_name)
    gone = update(GatewayCustomer).where(mine, GatewayCustomer.method_id == method_id)
    change(gone.values(method_id=None, method_label=None))
