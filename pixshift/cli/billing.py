"""flask billing: make the books equal, give money back."""

import json
import re
from datetime import timedelta
from uuid import UUID

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import actor, says_why, table, toolbox
from pixshift.services import payment_health, payment_rows, reconciliation, refunds, subscriptions, webhooks

group = AppGroup("billing", help="Money: what is held, charged and given back.")
_SPAN = re.compile(r"^(\d{1,3})([hd])$")


class Span(click.ParamType[timedelta]):
    """Hours or days, such as 12h or 4d."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        match = _SPAN.match(str(value))
        if match is None:
            self.fail(f"{value} is no span: write 12h or 4d.", param, ctx)
        return timedelta(**{"hours" if match[2] == "h" else "days": int(match[1])})


@group.command()
@click.option("--since", type=Span(), help="Compare both ways with what the gateways have since then, such as 4d.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@says_why
def reconcile(since: timedelta | None, as_json: bool) -> None:
    """Look at every open payment and plan now. Exit status 1 while books do not agree."""
    report = reconciliation.reconcile(toolbox(), since)
    plans = subscriptions.look_due(toolbox(), everything=True)
    if as_json:
        facts = {"looked": report.looked, "changed": report.changed, "plans": plans, "differences": report.differences}
        click.echo(json.dumps(facts, indent=2))
    else:
        table(["LOOKED AT", "CHANGED", "PLANS"], [[str(report.looked), str(report.changed), str(plans)]])
        for difference in report.differences:
            click.echo(difference)
    if report.differences:
        click.get_current_context().exit(1)


@group.command()
@click.argument("record_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask.")
@says_why
def refund(record_id: UUID, yes: bool) -> None:
    """Give back all that was charged on one billing record and not given back yet."""
    record = payment_rows.find(record_id)
    left = record.captured - record.refunded
    if not yes:
        click.confirm(f"Give back {left} {record.currency} for {record.description or 'this picture'}?", abort=True)
    made = refunds.refund(toolbox(), record_id, refunds.BY_OPERATOR, actor=actor())
    click.echo(f"{made.amount} {record.currency}: {made.status.value.lower()}.")


@group.command()
@click.argument("who")
@says_why
def unblock(who: str) -> None:
    """Let somebody (e-mail or phone) spend again after a dispute."""
    click.echo(f"{webhooks.unblock(toolbox(), who, actor())} may pay again.")


@group.command()
@click.option("--waiting", is_flag=True, help="Only those not acted on yet.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@says_why
def events(waiting: bool, as_json: bool) -> None:
    """The last 100 events that gateways sent, newest first."""
    found = payment_health.events(waiting=waiting)
    rows = [
        [f"{item.received_at:%Y-%m-%d %H:%M:%S}", item.gateway, item.type, payment_health.outcome(item)]
        for item in found
    ]
    if as_json:
        keys = ("receivedAt", "gateway", "type", "outcome")
        click.echo(json.dumps({"events": [dict(zip(keys, row, strict=True)) for row in rows]}, indent=2))
        return
    table(["RECEIVED", "GATEWAY", "TYPE", "OUTCOME"], rows)
