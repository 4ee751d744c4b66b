"""What PixShift needs from the world outside, as Protocols and small frozen result types.

A gateway speaks one vendor's dialect, returns these types and raises the errors of ``pixshift.errors``; no SDK type or
SDK error passes it. The twin (embedded default) and the real gateway answer the same contract tests.
"""

from pixshift.gateways.ports.codes import OtpStore, OtpTry, OtpVerdict, SentSms, SmsSender, Window
from pixshift.gateways.ports.decoding import ImageDecoder, ImageFacts, NormalisedImage, VerifiedImage
from pixshift.gateways.ports.editing import EditedImage, EditRequest, ImageEditor, Usage
from pixshift.gateways.ports.jobs import JobQueue, StatusMirror
from pixshift.gateways.ports.limits import RateLimits
from pixshift.gateways.ports.oauth import Begun, OAuthIdentity, OAuthProvider, PendingSignIn
from pixshift.gateways.ports.payments import (
    Decline,
    Event,
    EventKind,
    Order,
    PaymentGateway,
    PaymentRef,
    PaymentState,
    RefundState,
)
from pixshift.gateways.ports.sessions import Revoked, SessionCache, SessionSnapshot
from pixshift.gateways.ports.storage import ImageStorage, ObjectEntry, StoredObject
from pixshift.gateways.ports.subscriptions import (
    Hosted,
    InvoiceState,
    SubscriptionOrder,
    SubscriptionRef,
    SubscriptionState,
)

__all__ = [
    "Begun",
    "Decline",
    "EditRequest",
    "EditedImage",
    "Event",
    "EventKind",
    "Hosted",
    "ImageDecoder",
    "ImageEditor",
    "ImageFacts",
    "ImageStorage",
    "InvoiceState",
    "JobQueue",
    "NormalisedImage",
    "OAuthIdentity",
    "OAuthProvider",
    "ObjectEntry",
    "Order",
    "OtpStore",
    "OtpTry",
    "OtpVerdict",
    "PaymentGateway",
    "PaymentRef",
    "PaymentState",
    "PendingSignIn",
    "RateLimits",
    "RefundState",
    "Revoked",
    "SentSms",
    "SessionCache",
    "SessionSnapshot",
    "SmsSender",
    "StatusMirror",
    "StoredObject",
    "SubscriptionOrder",
    "SubscriptionRef",
    "SubscriptionState",
    "Usage",
    "VerifiedImage",
    "Window",
]
