"""c1m-coord tune: what it says, what nodes write for it in network namespaces of their own, and what they restore."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
from low_host import LOW, NODES, SOMAXCONN, SYN_BACKLOG, TARGET, Host, namespace, root

from c1m.limits.tunable import PORT_RANGE

# -- what it says


@root
def test_what_it_prints_is_what_a_shell_needs(low: Host) -> None:
    with low.nodes():
        printed = low.coord("tune", *NODES, "--total", "100k")
        low.run("sh", "-ec", printed.stdout).check_returncode()
        again = low.coord("tune", *NODES, "--total", "100k")

    assert printed.returncode == again.returncode == 0
    assert f"# on target {TARGET}" in printed.stdout
    assert "# accept-queue (tight): net.core.somaxconn is 64, but 512 is needed" in printed.stdout
    assert (low.get(SOMAXCONN), low.get(SYN_BACKLOG), low.get(PORT_RANGE)) == ("520", "520", "20000 20009")
    assert again.stdout == "# nothing to tune for 100,000 connections: no known limit is tight\n"
    assert not low.records


@root
def test_what_only_people_can_do_is_said(low: Host) -> None:
    with low.nodes():
        ended = low.coord("tune", *NODES, "--total", "900M", "--json", "-")
    by_limit = {each["limit"]: each for each in json.loads(ended.stdout)["advice"]}

    assert (by_limit["memory"]["command"], by_limit["memory"]["tunable"]) == ("", False)
    assert "ask for fewer connections" in by_limit["memory"]["why"]
    assert by_limit["open-files"]["command"].startswith("sysctl -w fs.file-max=")


# -- apply, undo


@root
def test_what_was_applied_is_undone_after_the_node_was_killed(low: Host) -> None:
    with low.nodes("--allow-tune") as target:
        assert low.changes("--apply") == {SOMAXCONN: ("64", "520"), SYN_BACKLOG: ("128", "520")}
        assert (low.get(SOMAXCONN), low.get(SYN_BACKLOG)) == ("520", "520")
        assert low.changes("--apply") == {}
        target.kill()
        target.wait()
        with low.target("--allow-tune"):
            assert low.changes("--undo") == {SOMAXCONN: ("520", "64"), SYN_BACKLOG: ("520", "128")}
            assert low.changes("--undo") == {}

    assert {name: low.get(name) for name in LOW} == LOW
    assert not low.records


@root
def test_without_named_nodes_this_machine_is_tuned(low: Host) -> None:
    applied = low.coord("tune", "--total", "100k", "--apply")
    raised_to = low.get(SOMAXCONN)
    undone = low.coord("tune", "--undo")

    assert (applied.returncode, undone.returncode) == (0, 0), applied.stderr + undone.stderr
    assert "net.core.somaxconn was 64 and is 520" in applied.stdout
    assert (raised_to, low.get(SOMAXCONN)) == ("520", "64")


@root
def test_what_is_restored_is_what_was_before_the_first_time(low: Host) -> None:
    with low.target("--allow-tune"):
        for value in ("500", "600", "550"):
            low.call("Tune", {"settings": {SOMAXCONN: value}})
        assert low.get(SOMAXCONN) == "600"
        low.call("Tune", {"undo": True})

    assert low.get(SOMAXCONN) == "64"


@root
def test_what_somebody_changed_since_is_left_and_said(low: Host) -> None:
    with low.nodes("--allow-tune"):
        low.tune("--apply")
        low.set(SOMAXCONN, "777")
        undone = low.coord("tune", *NODES, "--undo")
        again = low.coord("tune", *NODES, "--undo")

    assert undone.returncode == 1
    assert "someone else changed it from 520 to 777; left unchanged" in undone.stdout
    assert "net.ipv4.tcp_max_syn_backlog was 520 and is 128" in undone.stdout
    assert low.get(SOMAXCONN) == "777"
    assert (again.returncode, again.stdout) == (0, "nothing to change\n")


@root
def test_another_network_namespace_is_another_place(low: Host) -> None:
    """With one record for both, as two nodes of one machine have."""
    with namespace(low.state, 1) as other, low.target("--allow-tune"), other.target("--allow-tune"):
        other.set(SOMAXCONN, "65")
        low.call("Tune", {"settings": {SOMAXCONN: "520"}})
        other.call("Tune", {"settings": {SOMAXCONN: "520"}})
        low.call("Tune", {"undo": True})

        assert (low.get(SOMAXCONN), other.get(SOMAXCONN)) == ("64", "520")
        other.call("Tune", {"undo": True})
        assert other.get(SOMAXCONN) == "65"


def coord(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "c1m.coordinator", "tune", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--apply", "--undo"), 2, "exclude each other"),
        (("--files", "/proc/c1m"), 2, "cannot write /proc/c1m"),
        (("--undo", "--worker", "127.0.0.1:1", "--target", "127.0.0.1:1"), 4, "unreachable"),
    ],
)
def test_words_that_lead_nowhere(words: Sequence[str], code: int, said: str) -> None:
    ended = coord(*words)

    assert ended.returncode == code
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
