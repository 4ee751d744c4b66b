"""Who may call each route of the desk, and what its calls are counted as: always an admin."""

from pixshift.blueprints.limits import Calls

READ: tuple[str, ...] = (
    "admin.today.show",
    "admin.types.index",
    "admin.lab.index",
    "admin.pictures.index",
    "admin.users.index",
    "admin.payments.index",
    "admin.actions.index",
)
WRITE: tuple[str, ...] = ()
DESK: dict[str, Calls] = dict.fromkeys(READ, Calls.READ) | dict.fromkeys(WRITE, Calls.WRITE)
