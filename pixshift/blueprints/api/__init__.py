"""The JSON API: one blueprint, mounted at /api/v1 and, the same, at /api."""

from flask import Blueprint

from pixshift.blueprints.api import admin, auth, billing, description, profile, transformation_types, transformations


def build() -> Blueprint:
    api = Blueprint("api", __name__)
    for module in (auth, billing, description, profile, transformation_types, transformations):
        api.register_blueprint(module.blueprint)
    api.register_blueprint(admin.build())
    return api
