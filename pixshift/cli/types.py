"""flask types: transformation types as YAML."""

import json
from pathlib import Path
from typing import Any

import click
import yaml
from flask.cli import AppGroup

from pixshift.cli.helpers import actor, says_why, table
from pixshift.errors import InvalidInput
from pixshift.schemas.types import TypeIn
from pixshift.services import transformation_types
from pixshift.services.audit import Actor
from pixshift.services.transformation_types import Definition

group = AppGroup("types", help="Transformation types: list, export, import.")
SEEDS = Path(__file__).with_name("seeds.yaml")


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@says_why
def list_types(as_json: bool) -> None:
    """All types, switched off or on."""
    kinds = transformation_types.everything()
    if as_json:
        facts = [{**TypeIn.of(kind).wire(), "id": str(kind.id)} for kind in kinds]
        click.echo(json.dumps({"types": facts}, indent=2))
        return
    rows = [[kind.slug, kind.name, "yes" if kind.enabled else "no", kind.model or "-"] for kind in kinds]
    table(["SLUG", "NAME", "ENABLED", "MODEL"], rows)


@group.command("export")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@says_why
def export_types(file: Path) -> None:
    """Write all types to FILE."""
    kinds = [TypeIn.of(kind).wire() for kind in transformation_types.everything()]
    file.write_text(yaml.safe_dump({"types": kinds}, sort_keys=False, allow_unicode=True, width=100), "utf-8")
    click.echo(f"{len(kinds)} types written to {file}.")


@group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@says_why
def import_types(file: Path) -> None:
    """Add and update types from FILE, by slug. All of it or nothing."""
    added, changed = transformation_types.import_all(read(file), actor())
    click.echo(f"{added} added, {changed} changed.")


def seed() -> int:
    """Add the types that PixShift comes with, those that are not there yet; what an operator changed is left alone."""
    known = {kind.slug for kind in transformation_types.everything()}
    fresh = [definition for definition in read(SEEDS) if definition.slug not in known]
    return transformation_types.import_all(fresh, Actor("seed"))[0] if fresh else 0


def read(file: Path) -> list[Definition]:
    """Raises InvalidInput that names the type and the field."""
    try:
        content: Any = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file.name} is not YAML: {type(error).__name__}.") from None
    if not isinstance(content, dict) or not isinstance(content.get("types"), list):
        raise InvalidInput(f"{file.name} must hold a list called types.")
    return [_definition(number, item) for number, item in enumerate(content["types"], 1)]


def _definition(number: int, item: Any) -> Definition:
    try:
        return Definition(**TypeIn.parse(item).model_dump())
    except InvalidInput as error:
        slug = f" ({item['slug']})" if isinstance(item, dict) and "slug" in item else ""
        raise InvalidInput(f"type {number}{slug}: {error.message}", field=error.field) from None
