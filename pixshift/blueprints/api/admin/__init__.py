"""What admins ask for over the API, below /api/v1/admin."""

from types import ModuleType

from flask import Blueprint

from pixshift.blueprints.api.admin import actions, stats, transformation_types, users

MODULES: tuple[ModuleType, ...] = (actions, stats, transformation_types, users)


def build() -> Blueprint:
    admin = Blueprint("admin", __name__, url_prefix="/admin")
    for module in MODULES:
        admin.register_blueprint(module.blueprint)
    return admin
