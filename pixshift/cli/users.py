"""flask users: who there is, who administers, who is suspended, and free pictures given."""

import json
from uuid import UUID

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import actor, says_why, table, toolbox
from pixshift.domain import otp
from pixshift.domain.roles import UserRole
from pixshift.schemas.admin_users import PersonOut
from pixshift.services import accounts, erasure, people, standing

group = AppGroup("users", help="People: list them, make one an admin or a guest, suspend one, give free pictures.")


@group.command("list")
@click.option("--role", type=click.Choice([role.value for role in UserRole]), help="Only people with this role.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="For programs; with phone numbers in full.")
@says_why
def list_users(role: str | None, limit: int, as_json: bool) -> None:
    """The newest people first, with those who were erased; phone numbers are masked."""
    found = people.newest(UserRole(role) if role else None, limit)
    if as_json:
        click.echo(json.dumps({"users": [PersonOut.model_validate(user).wire() for user in found]}, indent=2))
        return
    table(
        ["ID", "PHONE", "E-MAIL", "ROLE", "FREE USED", "SINCE", "STATE"],
        [
            [
                str(user.id),
                otp.mask(user.phone) if user.phone else "-",
                user.email or "-",
                user.role.value,
                str(user.free_tier_used),
                f"{user.created_at:%Y-%m-%d}",
                "erased" if user.erased_at else "suspended" if user.suspended_at else "active",
            ]
            for user in found
        ],
    )


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@click.option("--role", type=click.Choice([role.value for role in UserRole]), default="ADMIN", show_default=True)
@says_why
def promote(who: str, role: str) -> None:
    """Give a person a role; it holds from their next request."""
    user = accounts.change_role(toolbox(), _named(who), UserRole(role), actor())
    click.echo(f"{user.id} is now {user.role.value}.")


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@says_why
def demote(who: str) -> None:
    """Make a person a guest again. The last admin cannot be demoted."""
    user = accounts.change_role(toolbox(), _named(who), UserRole.GUEST, actor())
    click.echo(f"{user.id} is now {user.role.value}.")


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@click.option("--reason", default="", help="Why, for the audit log.")
@says_why
def suspend(who: str, reason: str) -> None:
    """Sign a person out everywhere and let nobody sign in as them. What is being made is finished."""
    user = standing.suspend(toolbox(), _named(who), actor(), reason)
    click.echo(f"{user.id} is suspended.")


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@click.option("--reason", default="", help="Why, for the audit log.")
@says_why
def lift(who: str, reason: str) -> None:
    """Let a suspended person sign in again."""
    user = standing.lift(toolbox(), _named(who), actor(), reason)
    click.echo(f"{user.id} can sign in again.")


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@click.argument("count", metavar="[N]", default=1, type=click.IntRange(1, standing.MOST_GIVEN))
@click.option("--reason", required=True, help="Why, for the audit log.")
@says_why
def give(who: str, count: int, reason: str) -> None:
    """Give a person N more free pictures, 1 unless another number is named."""
    user = standing.give(toolbox(), _named(who), count, actor(), reason=reason)
    click.echo(f"{user.id} was given {count}, {user.free_bonus} in all.")


@group.command()
@click.argument("who", metavar="EMAIL_OR_PHONE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@says_why
def erase(who: str, yes: bool) -> None:
    """Forget a person: their pictures, number and sign-ins go at once. It cannot be undone."""
    if not yes:
        click.confirm("Everything of this person is deleted, and cannot come back. Go on?", abort=True, err=True)
    click.echo(f"{erasure.erase_by_name(toolbox(), who, actor())} is erased.")


def _named(who: str) -> UUID:
    """Raises NotFound."""
    return accounts.find(who).id
