"""flask retention: delete what is due, find what no row knows."""

import json
from datetime import timedelta

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import says_why, table, toolbox
from pixshift.services import orphans, retention
from pixshift.services.orphans import Finding, State

group = AppGroup("retention", help="Deletion of pictures.")


@group.command()
@says_why
def sweep() -> None:
    """Delete every picture that is due now, and every object that no row knows."""
    gone = retention.sweep(toolbox()) + orphans.remove_unknown(toolbox())
    click.echo(f"{gone} deleted.")
    left = len(retention.due(toolbox().now()))
    if left:
        raise click.ClickException(f"{left} could not be deleted and will be tried again; see the log.")


@group.command()
@click.option("--delete", "remove", is_flag=True, help="Remove unknown objects that are older than two minutes.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@says_why
def audit(remove: bool, as_json: bool) -> None:
    """List stored objects that no row knows, and rows whose picture is not there; exit status 1 if there are any.

    Workers remove unknown objects by themselves every quarter of an hour, and so does `flask retention sweep`.

    \b
    unknown  no row knows it
    young    no row knows it yet, and it is not two minutes old: it is not removed
    foreign  it lies in no folder of ours, or is not named as ours are: it is not removed
    removed  it was unknown
    lost     a row's picture that is not there
    """
    found = orphans.audit(toolbox(), remove=remove)
    if as_json:
        click.echo(json.dumps({"findings": [_as_json(finding) for finding in found]}, indent=2))
    elif found:
        table(["STATE", "AGE", "KEY"], [[finding.state, _age(finding.age), finding.key] for finding in found])
    else:
        click.echo("Every object has its row, and every row its object.")
    wrong = sum(finding.state is not State.REMOVED for finding in found)
    if wrong:
        raise click.ClickException(f"{wrong} found that do not match.")


def _as_json(finding: Finding) -> dict[str, object]:
    seconds = None if finding.age is None else round(finding.age.total_seconds())
    return {"state": finding.state, "ageSeconds": seconds, "key": finding.key}


def _age(age: timedelta | None) -> str:
    """A span in its largest unit: ``3 h``."""
    if age is None:
        return "-"
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
