"""A clean run names no cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from forced import FORCED, TARGET, WORKER, Fleet, conduct

pytestmark = FORCED


@pytest.mark.alone
@pytest.mark.parametrize(
    "words", [("--total", "20000"), ("--total", "24", "--rate", "8"), ("--total", "4000", "--ramp", "2s")], ids=" ".join
)
def test_a_clean_run_names_nothing(fleet: Fleet, words: tuple[str, ...], tmp_path: Path) -> None:
    told = conduct(fleet, tmp_path, *fleet.to_target, *words, "--hold", "1s")

    assert told.summary["verdict"] == "passed"
    assert told.causes() == []
    assert told.summary["reasons"] == []
    assert not [line for line in told.lines if line.startswith(("stalled", WORKER, TARGET))]
