"""flask transformations: look at jobs, give one another chance, or end it."""

import json
from uuid import UUID

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import actor, says_why, table, toolbox
from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Status
from pixshift.models import Transformation
from pixshift.services import accounts, desk

group = AppGroup("transformations", help="Jobs: list, requeue, fail.")


@group.command("list")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only jobs in this status.")
@click.option("--reason", type=click.Choice(list(FailureReason)), help="Only jobs that failed for it.")
@click.option("--user", "who", metavar="EMAIL_OR_PHONE", help="Only jobs of this person.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@says_why
def list_jobs(status: str | None, reason: str | None, who: str | None, limit: int, as_json: bool) -> None:
    """The newest jobs first."""
    user_id = accounts.find(who).id if who else None
    jobs = desk.jobs(Status(status) if status else None, limit, FailureReason(reason) if reason else None, user_id)
    if as_json:
        click.echo(json.dumps({"transformations": [_facts(job) for job in jobs]}, indent=2))
        return
    table(
        ["ID", "STATUS", "STYLE", "ATTEMPTS", "REASON", "CREATED"],
        [
            [
                str(job.id),
                job.status.value,
                job.type.slug,
                str(job.attempts),
                job.failure_reason or "-",
                f"{job.created_at:%Y-%m-%d %H:%M:%S}",
            ]
            for job in jobs
        ],
    )


def _facts(job: Transformation) -> dict[str, str | int | None]:
    return {
        "id": str(job.id),
        "userId": str(job.user_id),
        "status": job.status.value,
        "style": job.type.slug,
        "attempts": job.attempts,
        "reason": job.failure_reason,
        "createdAt": job.created_at.isoformat(),
        "finishedAt": job.finished_at.isoformat() if job.finished_at else None,
    }


@group.command()
@click.argument("job_id", type=click.UUID)
@says_why
def requeue(job_id: UUID) -> None:
    """Put a failed job back in the queue; it costs its owner nothing."""
    desk.requeue(toolbox(), job_id, actor())
    click.echo(f"{job_id} waits again.")


@group.command()
@click.argument("job_id", type=click.UUID)
@says_why
def fail(job_id: UUID) -> None:
    """End a job that waits or runs; what it took is given back."""
    desk.fail(toolbox(), job_id, actor())
    click.echo(f"{job_id} has failed; its owner was not charged.")
