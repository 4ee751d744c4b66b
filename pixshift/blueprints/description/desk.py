"""What admins ask for."""

from pixshift.blueprints.description.endpoint import Endpoint
from pixshift.errors import InvalidInput
from pixshift.schemas import admin_stats, admin_types, admin_users
from pixshift.schemas.accounts import DoneOut
from pixshift.schemas.admin_actions import ActionsIn, ActionsOut

_CONFLICT = InvalidInput("Somebody else changed it in the meantime.", status=409)
ENDPOINTS: dict[str, Endpoint] = {
    "api.admin.stats.index": Endpoint("See the numbers", admin_stats.StatsOut),
    "api.admin.transformation_types.index": Endpoint(
        "List all styles", admin_types.AdminTypesOut, "Those that are off offer too."
    ),
    "api.admin.transformation_types.create": Endpoint(
        "Add a style", admin_types.AdminTypeDoneOut, status=201, body=admin_types.NewTypeIn
    ),
    "api.admin.transformation_types.update": Endpoint(
        "Change a style",
        admin_types.AdminTypeDoneOut,
        "Only the keys that are sent change. With `edits` as it was read, a change of somebody else in between is told "
        "instead of lost. A new prompt becomes a new version.",
        body=admin_types.TypeChangeIn,
        errors=(_CONFLICT,),
    ),
    "api.admin.transformation_types.destroy": Endpoint(
        "Delete a style", DoneOut, "Only one that was never used; take the others off offer."
    ),
    "api.admin.users.index": Endpoint(
        "List people", admin_users.PeopleOut, "Newest first.", query=admin_users.PeopleIn
    ),
    "api.admin.users.change_role": Endpoint(
        "Change a role", admin_users.RoleOut, "It holds from their next request.", body=admin_users.RoleIn
    ),
    "api.admin.actions.index": Endpoint(
        "Read the audit log",
        ActionsOut,
        "Newest first. `before` and `after` are the fields that changed, `details` what else was said.",
        query=ActionsIn,
    ),
}
