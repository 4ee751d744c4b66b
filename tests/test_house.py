"""The rules of the house: which line of code lives in which room, and how big the rooms may get."""

import ast
import importlib
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Flask
from jinja2 import nodes

from pixshift import MIGRATIONS, create_app
from pixshift.blueprints.access import RULES, Who, canonical
from pixshift.blueprints.limits import Calls
from pixshift.errors import PixShiftError
from pixshift.settings import ROOT, load_settings

PACKAGE = ROOT / "pixshift"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TEMPLATES = sorted((PACKAGE / "templates").rglob("*.html"))
SCRIPTS = [file for file in sorted((PACKAGE / "static").rglob("*.js")) if file.parent.name != "vendor"]

# Appendix B of the design document.
CODES = {
    "AUTH_REQUIRED": ("AUTHENTICATION", 401),
    "AUTH_INVALID": ("AUTHENTICATION", 401),
    "AUTH_EXPIRED": ("AUTHENTICATION", 401),
    "AUTH_FORBIDDEN": ("AUTHENTICATION", 403),
    "VALIDATION_ERROR": ("VALIDATION", 400),
    "FILE_TOO_LARGE": ("VALIDATION", 400),
    "INVALID_FILE_TYPE": ("VALIDATION", 400),
    "FREE_TIER_EXHAUSTED": ("BILLING", 402),
    "PAYMENT_REQUIRED": ("BILLING", 402),
    "PAYMENT_FAILED": ("BILLING", 402),
    "TRANSFORMATION_FAILED": ("API", 500),
    "API_ERROR": ("API", 502),
    "RATE_LIMIT_EXCEEDED": ("API", 429),
    "NOT_FOUND": ("VALIDATION", 404),
    "INTERNAL_ERROR": ("API", 500),
}
# Public without a sign-in: who adds to RULES adds here, and has thought about it.
PUBLIC = {
    "assets.file", "operations.healthz", "operations.readyz", "pages.home", "pages.privacy", "account_data.goodbye",
    "auth.login", "auth.send", "auth.code", "auth.verify", "auth.resend",
    "api.auth.csrf", "api.auth.request_otp", "api.auth.verify_otp",
    "share.show", "share.picture", "share.report", "styles.thumbnail", "webhooks.twilio", "webhooks.payments",
    "webhooks.csp_report",
    "api.auth.callback",
    "api.auth.oauth",
    "api.description.document",
    "api.description.page",
    "identities.delete_facebook",
    "identities.deleted",
}  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def functions(file: Path) -> Iterator[Function]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def places(pattern: str, files: list[Path]) -> list[str]:
    """Where a pattern stands, as ``file:line``."""
    found = []
    for file in files:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{name_of(file)}:{number}: {line.strip()}")
    return found


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    instance = str(tmp_path_factory.mktemp("house"))
    return create_app(load_settings({"PIXSHIFT_ENV": "test", "PIXSHIFT_INSTANCE": instance}))


# --- rooms ----------------------------------------------------------------------------------------------------------


def test_only_settings_read_the_environment() -> None:
    elsewhere = [file for file in SOURCES if file.name != "settings.py"]
    assert places(r"os\.environ|os\.getenv|getenv\(|from os import .*environ", elsewhere) == []


def test_only_rendering_spells_the_headers_of_htmx() -> None:
    elsewhere = [file for file in SOURCES if name_of(file) != "pixshift/blueprints/rendering.py"]
    assert places(r"\bHX-", elsewhere) == []


def test_only_move_to_writes_a_status() -> None:
    """No ``.status =`` of a row anywhere, and ``values(status=…)`` in services/lifecycle.py alone."""
    writers = []
    for file in SOURCES:
        for node in ast.walk(tree(file)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if _sets(node) else []
            if any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets):
                writers.append(f"{name_of(file)}:{node.lineno}")
            if isinstance(node, ast.Call) and _is_values(node) and any(key.arg == "status" for key in node.keywords):
                writers.append(f"{name_of(file)}:{node.lineno}")
    # An HTTP status, or one in a vendor's books: gateways know no rows.
    others = [place for place in writers if place.startswith(("pixshift/errors.py", "pixshift/gateways/"))]
    assert len([place for place in others if place.startswith("pixshift/errors.py")]) == 1
    assert [place.partition(":")[0] for place in writers if place not in others] == [
        "pixshift/services/lifecycle.py",
        "pixshift/services/payments.py",  # a try's, whose page was opened
        "pixshift/services/sms.py",  # a message's, as its sender reports it
        "pixshift/services/subscription_states.py",  # a plan's and its records', as the gateway reports them
        "pixshift/services/subscription_states.py",
    ]


def _sets(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign | ast.AugAssign)


def _is_values(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "values"


def test_only_the_models_and_services_know_the_database_session() -> None:
    above = [file for file in SOURCES if file.relative_to(PACKAGE).parts[0] in ("blueprints", "schemas", "gateways")]
    assert places(r"db\.session", above) == []


def test_the_domain_never_asks_the_clock() -> None:
    domain = [file for file in SOURCES if file.relative_to(PACKAGE).parts[0] == "domain"]
    assert domain
    assert places(r"\.now\(|\.utcnow\(|\.today\(|time\.time|monotonic", domain) == []


def test_routes_do_not_catch() -> None:
    """Services raise, ``errors.py`` answers; what a helper below a route tries is its own business."""
    for file in SOURCES:
        for function in functions(file):
            if _is_route(function):
                assert not any(isinstance(node, ast.Try) for node in ast.walk(function)), (
                    f"{name_of(file)}: {function.name}"
                )


def _is_route(function: Function) -> bool:
    calls = (item.func for item in function.decorator_list if isinstance(item, ast.Call))
    return any(
        isinstance(call, ast.Attribute) and call.attr in ("get", "post", "put", "patch", "delete", "route")
        and isinstance(call.value, ast.Name) and call.value.id == "blueprint"
        for call in calls
    )  # fmt: skip


# --- access and errors ----------------------------------------------------------------------------------------------


def test_every_route_has_a_rule_and_every_rule_a_route(app: Flask) -> None:
    endpoints = {canonical(rule.endpoint) for rule in app.url_map.iter_rules()}
    assert endpoints == set(RULES)


def test_what_is_public_is_on_a_short_list() -> None:
    assert {endpoint for endpoint, rule in RULES.items() if rule.who is Who.EVERYBODY} == PUBLIC


def test_every_route_is_counted_but_what_watches_and_what_pages_are_made_of() -> None:
    uncounted = {endpoint for endpoint, rule in RULES.items() if rule.calls is Calls.NONE}
    assert uncounted == {"operations.healthz", "operations.readyz", "assets.file"}


def test_what_changes_something_is_not_counted_as_looking(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        signs_in = canonical(rule.endpoint) in ("api.auth.callback", "billing.returned")  # another site sends us there
        changes = signs_in or not {"GET", "HEAD", "OPTIONS"} >= (rule.methods or set())
        looks = RULES[canonical(rule.endpoint)].calls in (Calls.READ, Calls.POLL, Calls.NONE)
        assert changes is not looks, rule


def test_every_admin_route_is_below_admin(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        parts = rule.rule.removeprefix("/api/v1").removeprefix("/api").split("/")
        assert (RULES[canonical(rule.endpoint)].who is Who.ADMIN) == (parts[1] == "admin"), rule


def test_no_route_changes_something_with_get(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        verb = rule.endpoint.rpartition(".")[2]
        if verb in ("create", "update", "destroy", "delete", "cancel", "again", "upload", "logout", "verify", "send"):
            assert "GET" not in (rule.methods or ()), rule


def test_every_code_of_appendix_b_has_exactly_one_class() -> None:
    errors = importlib.import_module("pixshift.errors")  # the package's own attribute of that name is the blueprints'
    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, PixShiftError)]
    classes.remove(PixShiftError)
    assert {item.code: (item.category, item.status) for item in classes} == CODES
    assert len(classes) == len(CODES)
    assert all(item.default_message for item in classes)


# --- pages ----------------------------------------------------------------------------------------------------------


def rendered_blocks() -> list[tuple[str, str]]:
    """Every ``render("page.html", "block", …)``; where the block is a function's argument, what its callers pass."""
    found = []
    for file in SOURCES:
        for function in functions(file):
            for call in calls_of("render", function):
                template, block = [*call.args, None, None][:2]
                if not isinstance(template, ast.Constant) or block is None:
                    continue
                callers = calls_of(function.name, tree(file)) if isinstance(block, ast.Name) else [call]
                blocks = [arg.value for caller in callers for arg in caller.args[1:] if isinstance(arg, ast.Constant)]
                found += [(str(template.value), block) for block in blocks if isinstance(block, str)]
    return found


def calls_of(name: str, where: ast.AST) -> list[ast.Call]:
    calls = (node for node in ast.walk(where) if isinstance(node, ast.Call))
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]


def test_every_rendered_template_exists() -> None:
    names = {file.relative_to(PACKAGE / "templates").as_posix() for file in TEMPLATES}
    used = {
        match
        for file in SOURCES
        for match in re.findall(r"\"([a-z_/]+\.html)\"", file.read_text("utf-8"))
    }  # fmt: skip
    assert used
    assert used <= names


def test_every_rendered_block_is_part_of_its_page(app: Flask) -> None:
    blocks = rendered_blocks()
    assert ("transformations/show.html", "status_card") in blocks
    for template, block in blocks:
        source = (PACKAGE / "templates" / template).read_text("utf-8")
        page = app.jinja_env.parse(source)
        assert block in {node.name for node in page.find_all(nodes.Block)}, f"{template}: {block}"
        content = next(node for node in page.find_all(nodes.Block) if node.name == "content")
        assert block in {node.name for node in content.find_all(nodes.Block)}, f"{template}: {block} is not in its page"


def test_every_template_can_be_read(app: Flask) -> None:
    for file in TEMPLATES:
        app.jinja_env.get_template(file.relative_to(PACKAGE / "templates").as_posix())


HTMX_2 = {
    r"\b286\b": "status 286 ends no polling",
    r"htmx:[a-z]+[A-Z]": "events are written htmx:after:swap",
    r"hx-on(?![a-z-]*:)\b": "scripts stand in app.js",
    r"hx-on[:-]": "scripts stand in app.js",
    r"hx-ext\b": "extensions load by themselves",
    r"hx-disabled-elt\b": "is called hx-disable",
    r"hx-trigger=[\"'][^\"']*\[": "filters of triggers are evaluated as script",
    r"hx-(vars|params|prompt|request|history)\b": "is gone",
    r"\bjs:|javascript:": "no script in attributes",
}


@pytest.mark.parametrize("pattern", HTMX_2)
def test_templates_hold_no_idiom_of_htmx_2(pattern: str) -> None:
    assert places(pattern, [*TEMPLATES, *SCRIPTS]) == [], HTMX_2[pattern]


def test_pages_need_neither_inline_style_nor_inline_script() -> None:
    """The content security policy allows none."""
    assert places(r"\sstyle=[\"']", TEMPLATES) == []
    assert places(r"\son[a-z]+=[\"']", TEMPLATES) == []
    assert places(r"<style\b", TEMPLATES) == []
    assert places(r"<script(?![^>]*\bsrc=)", TEMPLATES) == []


def test_pages_load_nothing_from_elsewhere() -> None:
    assert places(r"(src|href|action)=[\"'](https?:)?//", TEMPLATES) == []


def test_no_template_trusts_markup() -> None:
    """A literal of the template itself may be markup, a value never."""
    assert places(r"(?<![\"'])\|\s*safe\b|autoescape\s+false|Markup\(", TEMPLATES) == []
    assert places(r"\bMarkup\(|render_template_string", SOURCES) == []


def test_every_form_that_changes_something_carries_the_csrf_token() -> None:
    for file in TEMPLATES:
        for form in re.findall(r"<form\b.*?</form>", file.read_text("utf-8"), re.DOTALL):
            if re.search(r"method=[\"']post", form):
                assert "csrf()" in form, f"{name_of(file)}: {form[:80]}"


# --- migrations -----------------------------------------------------------------------------------------------------


def test_migrations_are_one_numbered_line() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert len(script.get_heads()) == 1
    revisions = [item.revision for item in script.walk_revisions()][::-1]
    assert revisions == [f"{number:04d}" for number in range(1, len(revisions) + 1)]
    files = sorted(file.name for file in (MIGRATIONS / "versions").glob("*.py"))
    assert [name[:4] for name in files] == revisions


# --- sizes and words ------------------------------------------------------------------------------------------------


def test_no_file_has_more_than_300_lines() -> None:
    assert [name_of(file) for file in SOURCES if len(file.read_text("utf-8").splitlines()) > 300] == []


def test_nine_files_of_ten_have_at_most_200_lines() -> None:
    sizes = sorted(len(file.read_text("utf-8").splitlines()) for file in SOURCES)
    assert sizes[int(len(sizes) * 0.9)] <= 200


def test_nine_templates_of_ten_have_at_most_90_lines() -> None:
    sizes = sorted(len(file.read_text("utf-8").splitlines()) for file in TEMPLATES)
    assert sizes[int(len(sizes) * 0.9)] <= 90


def test_functions_are_short() -> None:
    sizes = sorted(lines_of(function) for file in SOURCES for function in functions(file))
    assert statistics.median(sizes) <= 8
    assert sizes[int(len(sizes) * 0.9)] <= 30


def test_routes_are_shorter() -> None:
    sizes = {
        f"{name_of(file)}: {item.name}": lines_of(item)
        for file in SOURCES
        for item in functions(file)
        if _is_route(item)
    }
    assert [name for name, size in sizes.items() if size > 20] == []
    assert statistics.median(sizes.values()) <= 8


def test_every_module_says_what_it_is_for() -> None:
    assert [name_of(file) for file in SOURCES if not ast.get_docstring(tree(file))] == []


def _is_port(node: ast.stmt) -> bool:
    """A Protocol is explained method by method."""
    return isinstance(node, ast.ClassDef) and any(
        isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases
    )


# What is read by people who did not write it; a one-line route or a plain In/Out model says it by its name and fields.
@pytest.mark.parametrize("room", ["domain", "models", "gateways", "services", "cli", "tasks"])
def test_what_a_room_offers_says_what_it_does(room: str) -> None:
    silent = []
    for file in (PACKAGE / room).rglob("*.py"):
        for node in tree(file).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > 10 and not _is_port(node) and not ast.get_docstring(node):
                    silent.append(f"{name_of(file)}: {node.name}")
    assert silent == []
