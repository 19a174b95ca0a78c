"""Rehearsals in the zygote: every child inherits what they leave behind, and no collector runs there."""

import os
import subprocess
import sys

import pytest

MODULES = ["c1m.worker.shard.process", "c1m.target.acceptor.process"]


@pytest.mark.parametrize("module", MODULES)
def test_a_rehearsal_leaves_no_descriptor_open(module: str) -> None:
    """Whatever refers to itself would keep an epoll and a socket of each rehearsal."""
    program = f"""
import gc, os, {module}
gc.disable()
before = os.listdir("/proc/self/fd")
{module}.warm_up()
print(before == os.listdir("/proc/self/fd"))
"""

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert told.stdout == "True\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("module", MODULES)
def test_a_rehearsal_ends_where_hardly_anybody_may_wait_for_a_listener(module: str) -> None:
    """Or where nobody answers at all: a node whose zygote connects for ever can start no process."""
    alone = ["unshare", "-n", "sh", "-c", 'ip link set lo up; echo 1 > /proc/sys/net/core/somaxconn; exec "$@"', "sh"]

    subprocess.run([*alone, sys.executable, "-c", f"import {module}; {module}.warm_up()"], check=True, timeout=60)
