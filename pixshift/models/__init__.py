"""What we remember."""

from pixshift.models.audit import AdminAction, AuditHead
from pixshift.models.billing import (
    BillingRecord,
    GatewayCustomer,
    PaymentAttempt,
    Refund,
    WebhookEvent,
)
from pixshift.models.circuit import ModelCircuit
from pixshift.models.export import AccountExport, ExportStatus
from pixshift.models.figures import DailyCount, DailyFigures, DailyTotals
from pixshift.models.lab import LabRun, LabVote, PromptVersion
from pixshift.models.share import ShareLink
from pixshift.models.sms import SmsMessage
from pixshift.models.subscription import QuotaPeriod, Subscription
from pixshift.models.transformation import (
    Attempt,
    Transformation,
    TransformationType,
    Upload,
)
from pixshift.models.user import Identity, User, UserSession

__all__ = [
    "AccountExport",
    "AdminAction",
    "Attempt",
    "AuditHead",
    "BillingRecord",
    "DailyCount",
    "DailyFigures",
    "DailyTotals",
    "ExportStatus",
    "GatewayCustomer",
    "Identity",
    "LabRun",
    "LabVote",
    "ModelCircuit",
    "PaymentAttempt",
    "PromptVersion",
    "QuotaPeriod",
    "Refund",
    "ShareLink",
    "SmsMessage",
    "Subscription",
    "Transformation",
    "TransformationType",
    "Upload",
    "User",
    "UserSession",
    "WebhookEvent",
]
