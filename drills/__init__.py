"""Fault drills: what `docs/reliability.md` promises, tried on the running product and printed as a table.

Each module holds one drill: ``rows(ground, size)`` breaks something on purpose, on real parts, and yields what it
found. `make drills` runs them in full, the tests run each at the size ``SAMPLE``.
"""

from importlib import import_module

from drills.table import Drill

_MODULES = ("uploads", "vendor", "deaths", "outages", "deletion", "storage", "limits", "money")
DRILLS: dict[str, Drill] = {name: import_module(f"drills.{name}").rows for name in _MODULES}
