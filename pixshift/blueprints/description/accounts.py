"""Signing in and one's own account."""

from pixshift.blueprints.description.endpoint import Endpoint
from pixshift.errors import AuthForbidden, AuthInvalid, ExternalServiceError, NotFound
from pixshift.schemas import accounts as shapes

_PROVIDERS = {"provider": ["gmail", "facebook"]}
ENDPOINTS: dict[str, Endpoint] = {
    "api.auth.csrf": Endpoint(
        "Get a token for changes",
        shapes.CsrfOut,
        "Whoever is signed in by cookie, or not at all, sends it as `X-CSRFToken` with each change.",
    ),
    "api.auth.request_otp": Endpoint(
        "Send a code by SMS",
        shapes.CodeSentOut,
        "The code works once, in the browser that asked: keep the cookies until it is verified. `shownText` stands "
        "there only where nothing is sent, in development.",
        body=shapes.RequestCodeIn,
        errors=(ExternalServiceError,),
    ),
    "api.auth.verify_otp": Endpoint(
        "Sign in with a code",
        shapes.SignedInOut,
        "Sets the cookie `session`; programs keep `session` of the answer and send it as `Authorization: Bearer`.",
        body=shapes.VerifyCodeIn,
        errors=(AuthInvalid, AuthForbidden, ExternalServiceError),
    ),
    "api.auth.oauth": Endpoint(
        "Sign in with Google or Facebook",
        text="Leads the browser there; it comes back to the callback.",
        status=303,
        paths=_PROVIDERS,
        errors=(NotFound, ExternalServiceError),
    ),
    "api.auth.callback": Endpoint(
        "Come back from Google or Facebook",
        text="Called by the browser alone, with what the provider adds to the address. Signs in and leads on.",
        status=303,
        paths=_PROVIDERS,
        errors=(AuthInvalid(status=400), AuthInvalid, AuthForbidden, NotFound, ExternalServiceError),
    ),
    "api.auth.logout": Endpoint("Sign out", shapes.DoneOut, "Ends this sign-in, wherever its token is kept."),
    "api.auth.session": Endpoint("See who is signed in", shapes.SessionOut),
    "api.profile.show": Endpoint("See your account", shapes.ProfileOut),
    "api.profile.update": Endpoint(
        "Change your number",
        shapes.ProfileChangedOut,
        "Without `otp` a code goes to the new number and nothing changes yet; the same call with `otp` changes it.",
        body=shapes.ChangePhoneIn,
        errors=(AuthInvalid, ExternalServiceError),
    ),
}
