"""flask transformations list, for operators and for programs."""

import json

from click.testing import Result
from flask import Flask

from tests import factories


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["transformations", *words])


def listed(app: Flask, *words: str) -> list[str]:
    """The ids that the JSON names, in its order."""
    answer = run(app, "list", "--json", *words)
    assert answer.exit_code == 0, answer.output
    return [job["id"] for job in json.loads(answer.stdout)["transformations"]]


def test_jobs_are_told_as_json_and_picked_by_reason_and_person(app: Flask) -> None:
    kind = factories.style(app)
    one, other = factories.person(app), factories.person(app)
    waiting, stopped = str(factories.job(one, kind)), str(factories.job(other, kind))
    assert run(app, "fail", stopped).exit_code == 0
    assert listed(app) == [stopped, waiting]
    assert listed(app, "--limit", "1") == [stopped]
    assert listed(app, "--status", "PENDING") == [waiting]
    assert listed(app, "--reason", "STOPPED") == [stopped]
    assert listed(app, "--reason", "UNKNOWN") == []
    assert listed(app, "--user", one.phone) == [waiting]
    assert listed(app, "--user", one.phone, "--reason", "STOPPED") == []
    (job,) = json.loads(run(app, "list", "--json", "--reason", "STOPPED").stdout)["transformations"]
    facts = {key: job[key] for key in ("userId", "status", "style", "attempts", "reason")}
    assert facts == {
        "userId": str(other.id),
        "status": "FAILED",
        "style": "engraving",
        "attempts": 0,
        "reason": "STOPPED",
    }
    assert job["createdAt"] <= job["finishedAt"]
    assert "STOPPED" in run(app, "list", "--reason", "STOPPED").stdout


def test_a_reason_or_a_person_that_there_is_not_is_refused(quick: Flask) -> None:
    bored = run(quick, "list", "--reason", "BORED")
    assert bored.exit_code != 0
    assert "BORED" in bored.stderr
    nobody = run(quick, "list", "--user", "+12025559999")
    assert (nobody.exit_code, nobody.stdout) == (1, "")
