"""flask transformations: look at jobs, give one another chance, or end it."""

from uuid import UUID

import click
from flask.cli import AppGroup

from pixshift.cli.helpers import actor, says_why, table, toolbox
from pixshift.domain.lifecycle import Status
from pixshift.services import desk

group = AppGroup("transformations", help="Jobs: list, requeue, fail.")


@group.command("list")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only jobs in this status.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@says_why
def list_jobs(status: str | None, limit: int) -> None:
    """The newest jobs first."""
    jobs = desk.jobs(Status(status) if status else None, limit)
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
