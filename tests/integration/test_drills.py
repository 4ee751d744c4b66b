"""Every fault drill in small: what `make drills` tries a thousand times holds a few times here."""

from pathlib import Path

import pytest

from drills import DRILLS
from drills.table import Ground, Size
from tests import servers


@pytest.mark.parametrize("name", DRILLS)
@pytest.mark.timeout(300)
def test_a_sample_of_each_drill_finds_nothing_short(
    name: str, tmp_path: Path, postgres: servers.Postgres, postgres_template: str, redis_url: str
) -> None:
    rows = list(DRILLS[name](Ground(tmp_path, postgres, postgres_template, redis_url), Size.SAMPLE))
    assert rows
    assert [row for row in rows if not row.is_met] == []
