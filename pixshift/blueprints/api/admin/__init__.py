"""What admins ask for over the API, below /api/v1/admin."""

from types import ModuleType

from flask import Blueprint

MODULES: tuple[ModuleType, ...] = ()


def build() -> Blueprint:
    admin = Blueprint("admin", __name__, url_prefix="/admin")
    for module in MODULES:
        admin.register_blueprint(module.blueprint)
    return admin
