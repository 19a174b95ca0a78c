"""Wall clocks of nodes: how far each is from ours is told, and nothing that a run does or measures depends on one."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import coordinator, node
from tree import ROOT

from c1m.coordinator.fleet.clock_offset import Clock, best, clock_of

WORKER, TARGET = "127.0.0.1:24970", "127.0.0.1:24971"
WAYS = st.integers(0, 10**10)  # ns

# By the wall clock go the times that people read, certificates, and how far clocks are from each other.
BY_THE_WALL = {
    "c1m/node/node.py",  # since when a node is busy
    "c1m/security/grpc_credentials.py",
    "c1m/node/node_run.py",  # since when a node is busy
    "c1m/node/authorization.py",  # the log
    "c1m/security/handshake_log.py",  # the log
    "c1m/security/identity.py",
    "c1m/node/serve.py",  # certificates
    "c1m/node/rpc_server.py",  # what a node tells of its clock
    "coordinator/fleet/channel.py",  # what it is compared with
    "coordinator/fleet/opening.py",  # certificates
    "coordinator/commands/attach.py",  # how old a file is
    "coordinator/commands/pki.py",
    "coordinator/commands/finish.py",  # until when the journal goes
    "coordinator/fleet/clock.py",  # when a run began and ended, and when it was taken over
    "coordinator/commands/session.py",  # the name of the run
}
WALL_CLOCKS = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime", "datetime.now", "datetime.utcnow"}


@given(st.integers(-(10**18), 10**18), WAYS, WAYS, WAYS)
def test_the_offset_is_within_its_uncertainty_however_unequal_the_ways_are(
    ahead: int, there: int, work: int, back: int
) -> None:
    sent = 1_795_000_000 * 10**9
    says = sent + there + work + ahead

    found = clock_of(sent, there + work + back, says, work)

    assert found
    assert abs(found.offset_seconds - ahead / 1e9) <= found.uncertainty_seconds + 1e-6  # a float's last digits of 30 years
    assert found.uncertainty_seconds == pytest.approx((there + back) / 2e9)


def test_a_node_that_tells_no_time_has_no_offset() -> None:
    assert clock_of(10**18, 5, 0, 0) is None
    assert best([None, None]) is None
    assert best([Clock(5, 0.2), None, Clock(4.9, 0.1), Clock(5.1, 0.3)]) == Clock(4.9, 0.1)


@pytest.mark.parametrize(
    ("clock", "says"),
    [
        (Clock(0.9, 0.0), ""),
        (Clock(1.2, 0.5), ""),  # it may be 0.7
        (Clock(3600.04, 0.001), "worker a: its clock is 1 h 00 min 00 s ahead of this machine's"),
        (Clock(-2.5, 0.1), "worker a: its clock is 2.5 s behind this machine's"),
    ],
)
def test_only_what_is_certainly_far_is_told(clock: Clock, says: str) -> None:
    assert clock.sentence("worker a").startswith(says)
    assert bool(clock.sentence("worker a")) is bool(says)


def test_the_wall_clock_is_read_nowhere_else() -> None:
    files = [path for part in ("c1m", "coordinator", "worker", "target") for path in (ROOT / part).rglob("*.py")]
    reads = {
        str(path.relative_to(ROOT))
        for path in files
        if not any(each.is_symlink() for each in path.parents)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in WALL_CLOCKS
    }

    assert sorted(reads - BY_THE_WALL) == [], (
        "a run measures by monotonic clocks; what people read may be listed above, with its reason"
    )


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
def test_a_run_does_not_mind_that_a_clock_is_wrong_and_jumps(tmp_path: Path) -> None:
    """The worker's is an hour ahead, and from the hold on two hours behind."""
    library, ahead, document = tmp_path / "clock.so", tmp_path / "ahead", tmp_path / "summary.json"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, timeout=60)
    ahead.write_text("3600")
    wrong = ("env", f"LD_PRELOAD={library}", f"CLOCK_AHEAD={ahead}")
    words = ("--worker", WORKER, "--target", TARGET, "--total", "500", "--hold", "3s", "--json", str(document))
    told = []
    with (
        node("target", "--bind", "127.0.0.1", "--ports", "24972-24975", "--listen", TARGET),
        node("worker", "--listen", WORKER, inside=wrong),
        coordinator(*words) as run,
    ):
        assert run.stderr
        for line in run.stderr:
            told.append(line)
            if line.startswith("holding"):
                ahead.write_text("-7200")
    summary = json.loads(document.read_text())

    assert (summary["verdict"], summary["established_at_hold_end"]) == ("passed", 500), summary["reasons"]
    offsets = {name: each["clock_offset_seconds"] for name, each in summary["environment"].items()}
    assert offsets[f"worker {WORKER}"] == pytest.approx(3600, abs=60)
    assert offsets[f"target {TARGET}"] == pytest.approx(0, abs=60)
    assert all(each["clock_uncertainty_seconds"] >= 0 for each in summary["environment"].values())
    assert [line for line in told if "its clock is 1 h 00 min 00 s ahead of this machine's" in line]
    seconds = summary["timeline"]["seconds"]
    assert seconds == sorted(seconds)
    assert (summary["ramp_seconds"] or 0) < 3600
