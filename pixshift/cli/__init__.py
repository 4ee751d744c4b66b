"""What operators type.

One file a noun; a mistake of theirs is one line on stderr and exit status 1, never a traceback.
"""

import click
from flask import Flask

from pixshift.cli import audit, billing, operations, retention, sessions, sms, stats, transformations, types, users


def register_commands(app: Flask) -> None:
    click.UsageError.exit_code = 1  # its own 2 would be a second meaning of "not done"
    for nouns in (users, types, transformations, retention, sessions, sms, billing, audit):
        app.cli.add_command(nouns.group)
    for command in (operations.up, operations.worker, operations.doctor, stats.stats):
        app.cli.add_command(command)
