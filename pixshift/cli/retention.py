"""flask retention: delete what is due."""

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import says_why, toolbox
from pixshift.services import retention

group = AppGroup("retention", help="Deletion of pictures.")


@group.command()
@says_why
def sweep() -> None:
    """Delete every picture that is due now."""
    gone = retention.sweep(toolbox())
    click.echo(f"{gone} deleted.")
    left = len(retention.due(toolbox().now()))
    if left:
        raise click.ClickException(f"{left} could not be deleted and will be tried again; see the log.")
