"""docs/security.md names files and tests: they exist."""

import re

from pixshift.settings import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")


def test_every_file_it_names_exists() -> None:
    named = set(re.findall(r"`([a-z_/0-9]+\.(?:py|html|js|yaml|md)|[a-z_/]+/[a-z_-]+\.(?:yaml|md))`", PAGE))
    assert len(named) > 30
    gone = [name for name in named if not any((ROOT / folder / name).is_file() for folder in ("pixshift", "."))]
    assert gone == []


def test_every_test_it_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE))
    assert len(named) > 60
    texts: dict[str, str] = {}
    for file in (ROOT / "tests").rglob("test_*.py"):
        texts[file.name] = texts.get(file.name, "") + file.read_text("utf-8")
    gone = [f"{file}::{name}" for file, name in sorted(named) if f"def {name}(" not in texts.get(file, "")]
    assert gone == []
