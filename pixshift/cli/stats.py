"""flask stats: the numbers of the desk as text."""

import json

import click
from flask.cli import with_appcontext

from pixshift.cli.helpers import says_why, table, toolbox
from pixshift.schemas.admin_stats import StatsOut
from pixshift.services import figures

_WORDS = {
    "totalUsers": "people",
    "activeUsers": "people seen in 30 days",
    "erasedUsers": "people erased",
    "totalTransformations": "pictures",
    "completedTransformations": "pictures made",
    "failedTransformations": "pictures not made",
    "blockedTransformations": "pictures blocked by the model",
    "cancelledTransformations": "pictures cancelled or not paid for",
    "unfinishedTransformations": "pictures not finished",
    "labTransformations": "pictures of the lab",
    "notMadeShare": "share not made",
    "totalRevenue": "revenue",
    "modelCost": "model cost (USD)",
    "labCost": "model cost of the lab (USD)",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_appcontext
@says_why
def stats(as_json: bool) -> None:
    """People, pictures and money of all time, as GET /api/v1/admin/stats answers them."""
    tools = toolbox()
    found = StatsOut.of(figures.totals(tools), tools.settings.tier("basic").currency).wire()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    words = _WORDS | {"totalRevenue": f"revenue ({found['currency']})"}
    table(["WHAT", "HOW MUCH"], [[word, _text(key, found[key])] for key, word in words.items()])


def _text(key: str, value: int | float | None) -> str:
    if value is None:
        return "-"
    if key == "notMadeShare":
        return f"{value:.1%}"
    return f"{value:,.2f}" if type(value) is float else f"{value:,}"
