"""flask audit: what was done, and whether the record of it is whole."""

import json

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import says_why, table
from pixshift.schemas.admin_actions import ActionOut
from pixshift.services import audit, audit_log
from pixshift.services.audit_log import Sieve

group = AppGroup("audit", help="The log of what admins and operators did: read it, prove that it is whole.")


@group.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@says_why
def verify(as_json: bool) -> None:
    """Walk along the whole chain of acts. Exit status 1 where it is broken, and at which act."""
    found = audit.verify()
    if as_json:
        facts = {"sealed": found.sealed, "unsealed": found.unsealed, "brokenAt": found.broken_at, "seal": found.seal}
        click.echo(json.dumps({**facts, "reason": found.reason}, indent=2))
    if found.broken_at is not None:
        raise click.ClickException(f"The chain is broken at act {found.broken_at}: {found.reason}.")
    if not as_json:
        before = f"; {found.unsealed} from before the chain are not sealed" if found.unsealed else ""
        click.echo(f"{found.sealed} acts agree with the chain{before}. Its seal: {found.seal}")


@group.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@says_why
def list_acts(limit: int, as_json: bool) -> None:
    """The newest acts first."""
    acts = [ActionOut.model_validate(act).wire() for act in audit_log.index(Sieve(), page=1, limit=limit).acts]
    if as_json:
        click.echo(json.dumps({"actions": acts}, indent=2))
        return
    keys = ("sequence", "timestamp", "actor", "actionType", "entityType", "entityId")
    table(["ACT", "TIME", "WHO", "WHAT", "ON", "ID"], [[_cell(act[key]) for key in keys] for act in acts])


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
