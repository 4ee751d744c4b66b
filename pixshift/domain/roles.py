"""Who a person is to us: how they signed in and what they may do."""

from enum import StrEnum


class AuthProvider(StrEnum):
    GMAIL = "GMAIL"
    FACEBOOK = "FACEBOOK"
    MOBILE = "MOBILE"


class UserRole(StrEnum):
    ADMIN = "ADMIN"
    GUEST = "GUEST"
