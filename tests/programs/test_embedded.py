"""Whole runs on this machine: real processes, real gRPC, the real kernel."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from programs import run_coord, summary_of


def test_every_count_agrees() -> None:
    summary = summary_of("--total", "3000", "--hold", "1s")

    counted = summary["reconciliation"]
    assert summary["verdict"] == "passed"
    assert summary["established_peak"] == summary["established_at_hold_end"] == 3000
    assert summary["target"]["accepted"] == summary["target"]["open_at_hold_end"] == 3000
    assert counted["client_established"] == counted["target_open"] == counted["kernel_established"] == 3000
    assert counted["client_kernel_established"] == 3000
    assert (counted["ghosts"], counted["unexplained"]) == (0, 0)
    assert summary["connect_latency_us"]["count"] == 3000


def test_an_open_loop_measures_from_when_a_connection_was_due() -> None:
    summary = summary_of("--total", "500", "--ramp", "1s", "--hold", "0s")

    assert summary["verdict"] == "passed"
    assert summary["connect_latency_from_due_us"]["count"] == 500


def test_two_runs_back_to_back_need_no_waiting() -> None:
    for _ in range(2):
        summary = summary_of("--total", "2000", "--hold", "0s")
        assert (summary["verdict"], summary["skipped_ports"]) == ("passed", 0)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--total", "many"), 2),
        (("--total", "10", "--rate", "5", "--ramp", "3s"), 2),
        (("--total", "10", "--worker", "127.0.0.1:7100"), 2),  # and nothing to connect to
        (("--total", "10", "--endpoint", "no.such.host.invalid:80"), 2),
        (("--total", "900M"), 3),  # more than any memory here
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_code(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    ended = run_coord(*words, "--json", str(tmp_path / "summary.json"))

    assert ended.returncode == code
    assert "Traceback" not in ended.stderr


def test_fins_close_as_well() -> None:
    assert summary_of("--total", "500", "--hold", "0s", "--close", "fin")["verdict"] == "passed"


def test_a_refusing_server_is_counted_by_errno() -> None:
    summary = summary_of("--total", "200", "--hold", "0s", "--endpoint", "127.0.0.1:1")

    assert (summary["verdict"], summary["failed"]) == ("failed", {"ECONNREFUSED": 200})


@pytest.mark.alone
@pytest.mark.skipif(os.geteuid() != 0, reason="hiding a file takes root")
def test_without_slabinfo_the_total_is_known_and_the_caches_are_not() -> None:
    hide = ["unshare", "-m", "sh", "-c", 'mount --bind /dev/null /proc/slabinfo && exec "$@"', "sh"]
    command = [*hide, sys.executable, "-m", "c1m.coordinator", "run", "--total", "3000", "--hold", "1s", "--json", "-"]

    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)

    memory = json.loads(told.stdout)["target"]["memory"]
    assert memory["slab_bytes_per_connection"] > 3000
    assert (memory["caches"], memory["explained_percent"]) == ([], None)
    assert any("/proc/slabinfo is empty here; a container's runtime hides it" in reason for reason in memory["unknown"])


@pytest.mark.alone
@pytest.mark.skipif(os.geteuid() != 0, reason="slabinfo takes root")
def test_a_connection_is_billed_by_cache() -> None:
    """Others on this machine take slab, too, but not so much in each of three runs."""
    assert any(is_billed(summary_of("--total", "15000", "--hold", "2s")["target"]["memory"]) for _ in range(3))


def is_billed(memory: dict[str, Any]) -> bool:
    (tcp,) = (cache["objects_per_connection"] for cache in memory["caches"] if cache["name"] == "TCP")
    assert memory["sockets_per_connection"] == 2
    return bool(abs(tcp - 2) < 0.2 and memory["explained_percent"] > 90)
