"""flask sessions: who is signed in, end that, and clear away what is long over."""

import json
from uuid import UUID

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import actor, says_why, table, toolbox
from pixshift.domain import devices
from pixshift.services import accounts, sessions

group = AppGroup("sessions", help="Sign-ins: list, revoke, purge.")


@group.command("list")
@click.argument("who", metavar="[EMAIL_OR_PHONE]", required=False)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@says_why
def list_sessions(who: str | None, limit: int, as_json: bool) -> None:
    """Sign-ins that work, of everybody or of one person; the one seen last comes first."""
    user_id: UUID | None = accounts.find(who).id if who else None
    found = [
        {
            "id": str(row.id),
            "userId": str(row.user_id),
            "device": devices.name(row.device),
            "createdAt": row.created_at.isoformat(),
            "lastSeenAt": row.last_seen_at.isoformat(),
            "expiresAt": row.expires_at.isoformat(),
        }
        for row in sessions.listed(toolbox(), user_id, limit)
    ]
    if as_json:
        click.echo(json.dumps({"sessions": found}, indent=2))
        return
    rows = [
        [row["id"], row["userId"], row["device"], _minute(row["createdAt"]), _minute(row["lastSeenAt"])]
        for row in found
    ]
    table(["ID", "USER", "DEVICE", "SINCE", "LAST SEEN"], rows)


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@says_why
def revoke(who: str) -> None:
    """Sign a person out everywhere, from their next request."""
    ended = sessions.revoke_all(toolbox(), accounts.find(who).id, actor())
    click.echo(f"{ended} ended.")


@group.command()
@says_why
def purge() -> None:
    """Delete the records of sign-ins that were over more than thirty days ago."""
    click.echo(f"{sessions.purge(toolbox())} deleted.")


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
