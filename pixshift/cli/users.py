"""flask users: who there is, and who administers."""

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import actor, says_why, table, toolbox
from pixshift.domain import otp
from pixshift.domain.roles import UserRole
from pixshift.services import accounts, erasure

group = AppGroup("users", help="People: list them, make one an admin or a guest.")


@group.command("list")
@click.option("--role", type=click.Choice([role.value for role in UserRole]), help="Only people with this role.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@says_why
def list_users(role: str | None, limit: int) -> None:
    """The newest people first; phone numbers are masked."""
    people = accounts.everybody(UserRole(role) if role else None, limit)
    table(
        ["ID", "PHONE", "E-MAIL", "ROLE", "FREE USED", "SINCE"],
        [
            [
                str(user.id),
                otp.mask(user.phone) if user.phone else "-",
                user.email or "-",
                user.role.value,
                str(user.free_tier_used),
                f"{user.created_at:%Y-%m-%d}",
            ]
            for user in people
        ],
    )


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@click.option("--role", type=click.Choice([role.value for role in UserRole]), default="ADMIN", show_default=True)
@says_why
def promote(who: str, role: str) -> None:
    """Give a person a role; it holds from their next request."""
    user = accounts.change_role(toolbox(), who, UserRole(role), actor())
    click.echo(f"{user.id} is now {user.role.value}.")


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@says_why
def demote(who: str) -> None:
    """Make a person a guest again. The last admin cannot be demoted."""
    user = accounts.change_role(toolbox(), who, UserRole.GUEST, actor())
    click.echo(f"{user.id} is now {user.role.value}.")


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@says_why
def erase(who: str, yes: bool) -> None:
    """Forget a person: their pictures, number and sign-ins go at once. It cannot be undone."""
    if not yes:
        click.confirm("Everything of this person is deleted, and cannot come back. Go on?", abort=True, err=True)
    click.echo(f"{erasure.erase_by_name(toolbox(), who, actor())} is erased.")
