"""One address of one worker whose data gets lost on the way, of eight of two workers: every figure by source points at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, address, lab
from programs import node, run_coord

pytestmark = [
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"), reason="needs root, iproute2 and nftables"
    ),
]

SOURCES = {"worker1": "10.201.0.10-10.201.0.13", "worker2": "10.202.0.10-10.202.0.13"}
SLOW = "10.201.0.12"
TOTAL = 160
# Every other segment with data of that one is lost, and sent again when 200 ms have gone by, TCP's shortest time for that
# (include/net/tcp.h: TCP_RTO_MIN). SYNs are no data: its connects are as quick as all others.
LOSS = f"""table inet f {{
chain c {{
type filter hook input priority 0;
ip saddr {SLOW} tcp flags & psh == psh numgen inc mod 2 == 0 drop
}}
}}
"""
SENT_AGAIN_US = 200_000 * 0.87  # as far off as a figure by source may be


@pytest.fixture
def hosts() -> Iterator[Lab]:
    with lab() as made:
        subprocess.run(made.inside("target", "nft", "-f", "-"), input=LOSS, text=True, check=True, timeout=20)
        yield made


def worker(hosts: Lab, name: str) -> Any:
    words = ("--source", SOURCES[name], "--listen", f"{address(name)}:7100", "--insecure")
    return node("worker", *words, inside=hosts.inside(name))


def test_the_address_whose_data_is_lost_is_the_slowest_of_everything_but_connects(hosts: Lab, tmp_path: Path) -> None:
    nodes = [f"{address(name)}:7100" for name in SOURCES]
    target = f"{address('target')}:7200"
    fleet = ("--target", target, "--worker", nodes[0], "--worker", nodes[1])
    with (
        node("target", "--bind", address("target"), "--listen", target, "--insecure", inside=hosts.inside("target")),
        worker(hosts, "worker1"),
        worker(hosts, "worker2"),
    ):
        words = ("--total", str(TOTAL), "--heartbeat", "2s", "--hold", "7s", "--journal", str(tmp_path), "--json", "-")
        summary = json.loads(run_coord(*fleet, *words, inside=hosts.inside("coord")).stdout)

    first, second = summary["workers"]
    rows = first["slowest_sources"] + second["slowest_sources"]
    sources = summary["sources"]
    for count, kind in (
        ("established", "connect_latency"),
        ("first_byte_count", "first_byte"),
        ("heartbeat_rtt_count", "heartbeat_rtt"),
    ):
        assert sum(row[count] for row in rows) == summary[f"{kind}_us"]["count"] > 0
    for kind in ("first_byte", "heartbeat_rtt"):
        slowest = sources[f"slowest_{kind}"][0]
        assert (slowest["node"], slowest["source"]) == (first["node"], SLOW)
        assert sources[f"{kind}_p99_us"]["count"] == 8
        assert first[f"{kind}_us"]["count"] + second[f"{kind}_us"]["count"] == summary[f"{kind}_us"]["count"]
    assert sources["slowest_heartbeat_rtt"][0]["heartbeat_rtt_p99_us"] >= SENT_AGAIN_US
    assert first["heartbeat_rtt_us"]["p99"] > second["heartbeat_rtt_us"]["p99"]

    told = shown(tmp_path)
    assert json.loads(shown(tmp_path, "--json", "-")) == summary  # from the journal
    lines = [line.split(maxsplit=2) for line in told.splitlines()]
    rtt = next(number for number, line in enumerate(lines) if line[:2] == ["heartbeat", "RTT"])
    assert [line[:2] for line in lines[rtt + 1 : rtt + 3]] == [["...", "by"], ["slowest", "sources"]]
    assert lines[rtt + 2][2].startswith(f"{SLOW} (p99 ")


def shown(directory: Path, *words: str) -> str:
    command = [sys.executable, "-m", "c1m.coordinator", "show", "--journal", str(directory), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
