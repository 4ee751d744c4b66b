"""Who may call each route, and what its calls are counted as. A route that is not here is refused."""

from enum import Enum
from typing import NamedTuple

from pixshift.blueprints.admin_rules import DESK
from pixshift.blueprints.limits import Calls


class Who(Enum):
    EVERYBODY = "everybody"
    SIGNED_IN = "signed in"
    ADMIN = "admin"


class Rule(NamedTuple):
    """Who may call a route, and what its calls are counted as."""

    who: Who
    calls: Calls


# Endpoints as Flask names them; those of the API stand here once and hold under both of its prefixes.
RULES: dict[str, Rule] = {
    "assets.file": Rule(Who.EVERYBODY, Calls.NONE),
    "operations.healthz": Rule(Who.EVERYBODY, Calls.NONE),
    "operations.readyz": Rule(Who.EVERYBODY, Calls.NONE),
    "pages.home": Rule(Who.EVERYBODY, Calls.READ),
    "pages.privacy": Rule(Who.EVERYBODY, Calls.READ),
    "pages.dashboard": Rule(Who.SIGNED_IN, Calls.READ),
    "auth.login": Rule(Who.EVERYBODY, Calls.READ),
    "auth.send": Rule(Who.EVERYBODY, Calls.AUTH),
    "auth.code": Rule(Who.EVERYBODY, Calls.READ),
    "auth.verify": Rule(Who.EVERYBODY, Calls.AUTH),
    "auth.resend": Rule(Who.EVERYBODY, Calls.AUTH),
    "auth.logout": Rule(Who.SIGNED_IN, Calls.WRITE),
    "identities.link": Rule(Who.SIGNED_IN, Calls.AUTH),
    "identities.renew": Rule(Who.SIGNED_IN, Calls.WRITE),
    "identities.remove": Rule(Who.SIGNED_IN, Calls.WRITE),
    "identities.delete_facebook": Rule(Who.EVERYBODY, Calls.AUTH),
    "identities.deleted": Rule(Who.EVERYBODY, Calls.READ),
    "pictures.show": Rule(Who.SIGNED_IN, Calls.READ),
    "account_data.export": Rule(Who.SIGNED_IN, Calls.WRITE),
    "account_data.download": Rule(Who.SIGNED_IN, Calls.READ),
    "account_data.confirm": Rule(Who.SIGNED_IN, Calls.READ),
    "account_data.erase": Rule(Who.SIGNED_IN, Calls.WRITE),
    "account_data.renew": Rule(Who.SIGNED_IN, Calls.WRITE),
    "account_data.goodbye": Rule(Who.EVERYBODY, Calls.READ),
    "billing.show": Rule(Who.SIGNED_IN, Calls.READ),
    "billing.receipt": Rule(Who.SIGNED_IN, Calls.READ),
    "billing.start_plan": Rule(Who.SIGNED_IN, Calls.AUTH),
    "billing.confirm_cancel": Rule(Who.SIGNED_IN, Calls.READ),
    "billing.cancel_plan": Rule(Who.SIGNED_IN, Calls.WRITE),
    "billing.resume_plan": Rule(Who.SIGNED_IN, Calls.WRITE),
    "billing.portal": Rule(Who.SIGNED_IN, Calls.WRITE),
    "billing.returned": Rule(Who.SIGNED_IN, Calls.WRITE),  # another site sends the browser there, and it asks a gateway
    "practice.show": Rule(Who.SIGNED_IN, Calls.READ),
    "practice.decide": Rule(Who.SIGNED_IN, Calls.WRITE),
    "profile.show": Rule(Who.SIGNED_IN, Calls.READ),
    "profile.phone": Rule(Who.SIGNED_IN, Calls.READ),
    "profile.send_phone": Rule(Who.SIGNED_IN, Calls.AUTH),
    "profile.phone_code": Rule(Who.SIGNED_IN, Calls.READ),
    "profile.verify_phone": Rule(Who.SIGNED_IN, Calls.AUTH),
    "profile.end_device": Rule(Who.SIGNED_IN, Calls.WRITE),
    "profile.end_all": Rule(Who.SIGNED_IN, Calls.WRITE),
    "share.show": Rule(Who.EVERYBODY, Calls.READ),
    "share.picture": Rule(Who.EVERYBODY, Calls.READ),
    "share.report": Rule(Who.EVERYBODY, Calls.WRITE),
    "share.make": Rule(Who.SIGNED_IN, Calls.WRITE),
    "share.end": Rule(Who.SIGNED_IN, Calls.WRITE),
    "styles.thumbnail": Rule(Who.EVERYBODY, Calls.READ),
    "transformations.new": Rule(Who.SIGNED_IN, Calls.READ),
    "transformations.upload": Rule(Who.SIGNED_IN, Calls.UPLOAD),
    "transformations.create": Rule(Who.SIGNED_IN, Calls.CREATE),
    "transformations.index": Rule(Who.SIGNED_IN, Calls.READ),
    "transformations.show": Rule(Who.SIGNED_IN, Calls.READ),
    "transformations.status": Rule(Who.SIGNED_IN, Calls.POLL),
    "transformations.cancel": Rule(Who.SIGNED_IN, Calls.WRITE),
    "transformations.again": Rule(Who.SIGNED_IN, Calls.CREATE),
    "transformations.pay": Rule(Who.SIGNED_IN, Calls.AUTH),  # as api.billing.payment
    "transformations.check": Rule(Who.SIGNED_IN, Calls.WRITE),
    "transformations.not_good": Rule(Who.SIGNED_IN, Calls.WRITE),
    "transformations.delete": Rule(Who.SIGNED_IN, Calls.WRITE),
    "transformations.download": Rule(Who.SIGNED_IN, Calls.READ),
    "webhooks.twilio": Rule(Who.EVERYBODY, Calls.WRITE),
    "webhooks.payments": Rule(Who.EVERYBODY, Calls.VENDOR),
    "webhooks.csp_report": Rule(Who.EVERYBODY, Calls.REPORT),
    "api.auth.csrf": Rule(Who.EVERYBODY, Calls.READ),
    "api.auth.request_otp": Rule(Who.EVERYBODY, Calls.AUTH),
    "api.auth.verify_otp": Rule(Who.EVERYBODY, Calls.AUTH),
    "api.auth.logout": Rule(Who.SIGNED_IN, Calls.WRITE),
    "api.auth.session": Rule(Who.SIGNED_IN, Calls.READ),
    "api.auth.oauth": Rule(Who.EVERYBODY, Calls.AUTH),
    "api.auth.callback": Rule(Who.EVERYBODY, Calls.AUTH),
    "api.billing.free_tier": Rule(Who.SIGNED_IN, Calls.READ),
    "api.billing.tiers": Rule(Who.SIGNED_IN, Calls.READ),
    "api.billing.choose_tier": Rule(Who.SIGNED_IN, Calls.WRITE),
    # Counted like tries at a code, by address too: whoever tests stolen cards makes new people for it.
    "api.billing.payment": Rule(Who.SIGNED_IN, Calls.AUTH),
    "api.billing.history": Rule(Who.SIGNED_IN, Calls.READ),
    "api.billing.subscription": Rule(Who.SIGNED_IN, Calls.READ),
    "api.billing.start_subscription": Rule(Who.SIGNED_IN, Calls.AUTH),
    "api.billing.cancel_subscription": Rule(Who.SIGNED_IN, Calls.WRITE),
    "api.description.document": Rule(Who.EVERYBODY, Calls.READ),
    "api.description.page": Rule(Who.EVERYBODY, Calls.READ),
    "api.profile.show": Rule(Who.SIGNED_IN, Calls.READ),
    "api.profile.update": Rule(Who.SIGNED_IN, Calls.AUTH),
    "api.transformation_types.index": Rule(Who.SIGNED_IN, Calls.READ),
    "api.transformations.upload": Rule(Who.SIGNED_IN, Calls.UPLOAD),
    "api.transformations.create": Rule(Who.SIGNED_IN, Calls.CREATE),
    "api.transformations.index": Rule(Who.SIGNED_IN, Calls.READ),
    "api.transformations.show": Rule(Who.SIGNED_IN, Calls.POLL),
    "api.transformations.update": Rule(Who.SIGNED_IN, Calls.WRITE),
    "api.transformations.download": Rule(Who.SIGNED_IN, Calls.READ),
    "api.transformations.share_picture": Rule(Who.SIGNED_IN, Calls.WRITE),
    **{endpoint: Rule(Who.ADMIN, calls) for endpoint, calls in DESK.items()},
}
# Called by other companies' machines, and by browsers of themselves, which know no CSRF token: each route checks its
# sender's signature itself, or changes nothing.
SELF_VERIFIED: frozenset[str] = frozenset(
    {"identities.delete_facebook", "webhooks.twilio", "webhooks.payments", "webhooks.csp_report"}
)
