"""What operators type.

One file a noun; a mistake of theirs is one line on stderr and exit status 1, never a traceback.
"""

import click
from flask import Flask

from pixshift.cli import operations, retention, sessions, sms, transformations, types, users


def register_commands(app: Flask) -> None:
    click.UsageError.exit_code = 1  # its own 2 would be a second meaning of "not done"
    for group in (users.group, types.group, transformations.group, retention.group, sessions.group, sms.group):
        app.cli.add_command(group)
    for command in (operations.up, operations.worker, operations.doctor):
        app.cli.add_command(command)
