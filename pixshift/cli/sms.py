"""flask sms: what became of the codes."""

import json
from datetime import timedelta

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import says_why, table, toolbox
from pixshift.services import sms

group = AppGroup("sms", help="Codes: how many were sent, arrived and let somebody in.")


@group.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 30))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@says_why
def conversion(days: int, as_json: bool) -> None:
    """By country. A low share of many codes is the mark of somebody who earns by having them sent."""
    countries = sms.conversion(toolbox().now() - timedelta(days=days))
    if as_json:
        click.echo(json.dumps({"countries": [_as_json(country) for country in countries]}, indent=2))
        return
    table(
        ["COUNTRY", "SENT", "DELIVERED", "FAILED", "VERIFIED", "SHARE"],
        [
            [item.region, *map(str, (item.sent, item.delivered, item.failed, item.verified)), f"{item.share:.0%}"]
            for item in countries
        ],
    )


def _as_json(item: sms.Conversion) -> dict[str, object]:
    return {
        "region": item.region,
        "sent": item.sent,
        "delivered": item.delivered,
        "failed": item.failed,
        "verified": item.verified,
        "share": round(item.share, 4),
    }
