"""What we remember."""

from pixshift.models.audit import AdminAction
from pixshift.models.billing import BillingRecord
from pixshift.models.circuit import ModelCircuit
from pixshift.models.transformation import Attempt, Transformation, TransformationType, Upload
from pixshift.models.user import Identity, User, UserSession

__all__ = [
    "AdminAction",
    "Attempt",
    "BillingRecord",
    "Identity",
    "ModelCircuit",
    "Transformation",
    "TransformationType",
    "Upload",
    "User",
    "UserSession",
]
