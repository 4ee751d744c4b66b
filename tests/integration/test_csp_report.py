"""What browsers report of our policy: one line each, and no query in it."""

import json
import logging
from typing import Any

import pytest
from flask import Flask

from tests import factories

SECRET = "signature=s3cr3t"
OLD = {
    "csp-report": {
        "document-uri": f"https://pixshift.example/pictures/photo/1?{SECRET}",
        "effective-directive": "script-src-elem",
        "blocked-uri": f"https://evil.example/x.js?{SECRET}",
        "source-file": f"https://pixshift.example/app.js?{SECRET}",
    }
}
NEW = [
    {
        "type": "csp-violation",
        "url": f"https://pixshift.example/?{SECRET}",
        "body": {
            "documentURL": f"https://pixshift.example/pictures/photo/1?{SECRET}",
            "effectiveDirective": "script-src-elem",
            "blockedURL": f"https://evil.example/x.js?{SECRET}",
            "sourceFile": f"https://pixshift.example/app.js?{SECRET}",
        },
    },
    {"type": "deprecation", "body": {"id": "x"}},
]
FORMATS = [("application/csp-report", OLD), ("application/reports+json", NEW), ("application/json", OLD)]


def report(app: Flask, body: Any, media_type: str = "application/csp-report") -> Any:
    """As a browser does: no token, no Accept."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = factories.address()
    return client.post("/csp-report", data=data, content_type=media_type)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of every line about the policy."""
    return [vars(record) for record in caplog.records if "policy" in record.getMessage()]


@pytest.mark.parametrize(("media_type", "body"), FORMATS)
def test_a_report_is_one_warning_without_any_query(
    quick: Flask, caplog: pytest.LogCaptureFixture, media_type: str, body: Any
) -> None:
    answer = report(quick, body, media_type)
    assert (answer.status_code, answer.data) == (204, b"")
    (line,) = lines(caplog)
    assert line["levelno"] == logging.WARNING
    facts = {name: line[name] for name in ("page", "directive", "blocked", "source")}
    assert facts == {
        "page": "/pictures/photo/1",
        "directive": "script-src-elem",
        "blocked": "evil.example",
        "source": "/app.js",
    }
    assert "s3cr3t" not in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    ("blocked", "said"),
    [("inline", "inline"), ("data:text/html,<b>", "data"), ("https://[", "https"), ("", ""), (7, "")],
)
def test_what_was_blocked_is_a_host_or_a_word(
    quick: Flask, caplog: pytest.LogCaptureFixture, blocked: Any, said: str
) -> None:
    assert report(quick, {"csp-report": {"blocked-uri": blocked}}).status_code == 204
    assert lines(caplog)[0]["blocked"] == said


def test_a_report_cannot_forge_or_flood_the_log(quick: Flask, caplog: pytest.LogCaptureFixture) -> None:
    body = {"csp-report": {"effective-directive": "x\r\n2026 ERROR all is lost \x1b[31m" + "a" * 5000}}
    assert report(quick, body).status_code == 204
    many = [{"type": "csp-violation", "body": {}}] * 100
    assert report(quick, many, "application/reports+json").status_code == 204
    first, *others = lines(caplog)
    assert len(first["directive"]) == 200
    assert first["directive"].isprintable()
    assert len(others) == 5


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", "application/csp-report"),
        (b"{", "application/csp-report"),
        (b"\xff\xfe", "application/reports+json"),
        (b"[" * 4000, "application/reports+json"),
        (b"7", "application/json"),
        ({"csp-report": "x"}, "application/csp-report"),
        (["x"], "application/reports+json"),
        (OLD, "text/plain"),
    ],
)
def test_what_is_no_report_is_refused(
    quick: Flask, caplog: pytest.LogCaptureFixture, body: Any, media_type: str
) -> None:
    answer = report(quick, body, media_type)
    assert answer.status_code == 400
    assert factories.error_of(answer)["code"] == "VALIDATION_ERROR"
    assert lines(caplog) == []


def test_a_report_is_at_most_eight_kilobytes(quick: Flask, caplog: pytest.LogCaptureFixture) -> None:
    assert report(quick, {"csp-report": {"script-sample": "a" * 9000}}).status_code == 400
    assert report(quick, b"a" * 100_000).status_code == 400
    assert lines(caplog) == []


def test_an_address_reports_twenty_times_and_then_waits(quick: Flask) -> None:
    client = quick.test_client()
    client.environ_base["REMOTE_ADDR"] = factories.address()
    send = [client.post("/csp-report", json=OLD).status_code for _ in range(21)]
    assert send == [204] * 20 + [429]
    assert client.get("/login").status_code == 200


def test_every_answer_says_where_to_report(quick: Flask) -> None:
    headers = quick.test_client().get("/").headers
    assert "report-uri /csp-report" in headers["Content-Security-Policy"]
    assert "report-to csp" in headers["Content-Security-Policy"]
    assert headers["Reporting-Endpoints"] == 'csp="/csp-report"'
