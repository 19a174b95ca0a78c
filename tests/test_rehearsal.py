"""Rehearsals in the zygote: every child inherits what they leave behind, and no collector runs there."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["c1m.worker.process", "c1m.target.process"])
def test_a_rehearsal_leaves_no_descriptor_open(module: str) -> None:
    """Whatever refers to itself would keep an epoll and a socket of each rehearsal."""
    program = f"""
import gc, os, {module}
gc.disable()
before = os.listdir("/proc/self/fd")
{module}.rehearse()
print(before == os.listdir("/proc/self/fd"))
"""

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert told.stdout == "True\n"
