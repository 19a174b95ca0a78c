"""What happens to a node's process while a run is prepared, as it is told."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from lab import address, lab
from programs import children_of, coordinator, eventually, node

PORTS = "23400-23401"
SWALLOWED = f"table inet f {{\nchain c {{\ntype filter hook input priority 0;\ntcp dport {PORTS} drop\n}}\n}}\n"


def test_an_acceptor_that_ends_during_preparation_is_named_as_the_cause(tmp_path: Path) -> None:
    listen = address("target"), address("worker1")
    with (
        lab() as hosts,
        (tmp_path / "log").open("w") as log,
        node(
            "target",
            "--bind",
            listen[0],
            "--ports",
            PORTS,
            "--listen",
            f"{listen[0]}:7200",
            "--insecure",
            inside=hosts.inside("target"),
        ) as target,
        node("worker", "--listen", f"{listen[1]}:7100", "--insecure", inside=hosts.inside("worker1"), stderr=log),
    ):
        # Nobody hears the question whether it is a target of the run, so that workers wait for the answer.
        subprocess.run(hosts.inside("target", "nft", "-f", "-"), input=SWALLOWED, text=True, check=True, timeout=20)
        words = ("--worker", f"{listen[1]}:7100", "--target", f"{listen[0]}:7200", "--total", "100")
        with coordinator(*words, inside=hosts.inside("coord")) as coord:
            assert eventually(lambda: coord.poll() is not None or "Prepare of run" in (tmp_path / "log").read_text())
            assert coord.poll() is None
            acceptors = [pid for pid, name in children_of(target.pid).items() if name.startswith("c1m-acceptor")]
            os.kill(acceptors[0], signal.SIGKILL)
            assert coord.stderr is not None
            told = coord.stderr.read()
            code = coord.wait(60)

    assert code == 4, told
    assert f"target {listen[0]}:7200: acceptor" in told
    assert "(pid " in told
    assert "killed by SIGKILL while the run was prepared; worker" in told
