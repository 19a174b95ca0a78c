"""The benches are run by hand, and import one another: what one of them takes away, another may need."""

import subprocess
import sys

import pytest
from tree import ROOT

BENCH = ROOT / "bench"


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCH.glob("*.py")))
def test_a_bench_finds_what_it_imports(name: str) -> None:
    program = f"import sys; sys.path.insert(0, {str(BENCH)!r}); import {name}"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
