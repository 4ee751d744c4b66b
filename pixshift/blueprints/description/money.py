"""What is free, what is owed and what was paid."""

from pixshift.blueprints.description.endpoint import Endpoint
from pixshift.errors import ExternalServiceError, NotFound, PaymentFailed, PaymentRequired
from pixshift.schemas import billing as shapes
from pixshift.schemas.accounts import DoneOut, FreeTierOut
from pixshift.schemas.transformations import ListIn

ENDPOINTS: dict[str, Endpoint] = {
    "api.billing.free_tier": Endpoint("See what is free", FreeTierOut),
    "api.billing.tiers": Endpoint("List the prices", shapes.TiersOut),
    "api.billing.choose_tier": Endpoint(
        "Choose how to pay",
        shapes.TierChosenOut,
        "Once the free pictures are used.",
        body=shapes.TierIn,
        errors=(PaymentRequired,),
    ),
    "api.billing.payment": Endpoint(
        "Pay for a picture",
        shapes.PaymentOut,
        "The price is held now and charged when the picture is ready; if it fails, nothing is charged. `amount` and "
        "`currency` are compared with the price. Sending it twice pays once.",
        body=shapes.PaymentIn,
        errors=(NotFound, PaymentFailed, ExternalServiceError),
    ),
    "api.billing.history": Endpoint("List your payments", shapes.RecordsOut, "Newest first.", query=ListIn),
    "api.billing.subscription": Endpoint("See your plan", shapes.SubscriptionOut),
    "api.billing.start_subscription": Endpoint(
        "Start Premium",
        shapes.PlanUrlOut,
        "Answers the address where the payer goes on.",
        body=shapes.PlanIn,
        errors=(NotFound, PaymentFailed, ExternalServiceError),
    ),
    "api.billing.cancel_subscription": Endpoint(
        "End Premium",
        DoneOut,
        "At the end of the month that is paid.",
        errors=(NotFound, PaymentFailed, ExternalServiceError),
    ),
}
