"""The desk: pages of those who run PixShift, for admins only, below /admin."""

from flask import Blueprint

from pixshift.blueprints.admin import actions, lab, payments, pictures, today, types, users


def build() -> Blueprint:
    admin = Blueprint("admin", __name__, url_prefix="/admin")
    for module in (today, types, lab, pictures, users, payments, actions):
        admin.register_blueprint(module.blueprint)
    return admin
