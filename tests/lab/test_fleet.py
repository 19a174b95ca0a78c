"""A fleet on hosts of its own: coordinator, two workers with AnyIP prefixes, a target, each in a network namespace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from lab import PREFIXES, Lab, address
from programs import node, run_coord

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and iproute2"),
]


@pytest.mark.parametrize("version", [4, 6])
def test_thirty_thousand_from_two_workers(hosts: Lab, version: int, tmp_path: Path) -> None:
    fleet = {name: address(name) for name in ("target", "worker1", "worker2")}
    config = tmp_path / "c1m.toml"
    config.write_text(
        f'worker = ["{fleet["worker1"]}:7100", "{fleet["worker2"]}:7100"]\ntarget = "{fleet["target"]}:7200"\n'
        f'data-host = "{address("target", version)}"\n'
    )
    bind = "0.0.0.0" if version == 4 else "::"

    with (
        node("target", "--bind", bind, "--listen", f"{fleet['target']}:7200", "--insecure", inside=hosts.inside("target")),
        worker(hosts, "worker1", version),
        worker(hosts, "worker2", version),
    ):
        ended = run_coord(
            "--total", "30000", "--hold", "1s", "--json", "-", inside=hosts.inside("coord"), C1M_CONFIG=str(config)
        )

    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    counted = summary["reconciliation"]
    assert [each["established_at_hold_end"] for each in summary["workers"]] == [15_000, 15_000]
    assert [each["kernel_established_at_hold_end"] for each in summary["workers"]] == [15_000, 15_000]
    assert counted["client_established"] == counted["target_open"] == counted["kernel_established"] == 30_000
    assert (counted["ghosts"], counted["unexplained"]) == (0, 0)
    assert all(each["sources"] >= 200 for each in summary["plan"]["workers"])


def worker(hosts: Lab, name: str, version: int) -> AbstractContextManager[subprocess.Popen[str]]:
    source = PREFIXES[name][0 if version == 4 else 1]
    return node("worker", "--source", source, "--listen", f"{address(name)}:7100", "--insecure", inside=hosts.inside(name))
