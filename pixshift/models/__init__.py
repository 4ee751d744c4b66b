"""What we remember."""

from pixshift.models.audit import AdminAction
from pixshift.models.billing import BillingRecord
from pixshift.models.circuit import ModelCircuit
from pixshift.models.export import AccountExport, ExportStatus
from pixshift.models.share import ShareLink
from pixshift.models.sms import SmsMessage
from pixshift.models.transformation import Attempt, Transformation, TransformationType, Upload
from pixshift.models.user import Identity, User, UserSession

__all__ = [
    "AccountExport",
    "AdminAction",
    "Attempt",
    "BillingRecord",
    "ExportStatus",
    "Identity",
    "ModelCircuit",
    "ShareLink",
    "SmsMessage",
    "Transformation",
    "TransformationType",
    "Upload",
    "User",
    "UserSession",
]
