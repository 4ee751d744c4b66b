"""What all commands share."""

import click
import pytest
from sqlalchemy.exc import OperationalError

from pixshift.cli.helpers import actor, says_why, table
from pixshift.errors import NotFound


def raising(error: Exception) -> str:
    """What a command says that raised this."""

    @says_why
    def command() -> None:
        raise error

    with pytest.raises(click.ClickException) as caught:
        command()
    return caught.value.message


def test_our_errors_are_said_in_their_own_words() -> None:
    assert raising(NotFound("Nobody is called that.")) == "Nobody is called that."


def test_the_databases_errors_show_no_value() -> None:
    said = raising(OperationalError("SELECT 'secret'", {"a": "secret"}, Exception("secret")))
    assert said == "The database refused (OperationalError). `flask doctor` says more."


def test_a_files_errors_name_it() -> None:
    assert raising(FileNotFoundError(2, "No such file or directory", "x.yaml")) == "x.yaml: No such file or directory."


def test_a_mistake_of_ours_is_not_hidden() -> None:
    @says_why
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command()


def test_a_command_that_works_answers() -> None:
    assert says_why(lambda number: number + 1)(1) == 2


def test_columns_are_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    table(["A", "LONG"], [["wide cell", "x"], ["", "y"]])
    assert capsys.readouterr().out == "A          LONG\nwide cell  x\n           y\n"


def test_the_audit_log_hears_who_types(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "x" * 200)
    assert actor().name == "cli:" + "x" * 76
