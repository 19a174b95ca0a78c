"""What c1m-coord tune leaves to people, and what nodes do not change for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from low_host import CONNTRACK, LOW, NODES, SOMAXCONN, SYN_BACKLOG, TARGET, WORKER, Host, root
from programs import node

from c1m.limits.sysctls import path_of
from c1m.limits.tunable import PORT_RANGE


@root
def test_what_no_node_can_do_for_itself_is_left_to_people(low: Host) -> None:
    """70 descriptors start a node, and leave it none for connections."""
    few = ["prlimit", "--nofile=70:70"]
    with low.target("--allow-tune"), node("worker", "--listen", WORKER, "--allow-tune", inside=[*low.inside, *few]):
        ended = low.coord("tune", *NODES, "--total", "10", "--apply")

    assert ended.returncode == 1
    assert f"# on worker {WORKER}\n# descriptors (will stop you): RLIMIT_NOFILE is 70" in ended.stdout
    assert "\nulimit -Hn " in ended.stdout


@root
def test_without_leave_nothing_is_changed(low: Host) -> None:
    with low.target(), node("worker", "--listen", WORKER, "--allow-tune", inside=low.inside):
        applied = low.coord("tune", *NODES, "--total", "100k", "--apply")
        asked = low.call("Tune", {"settings": {SOMAXCONN: "520"}})

    assert applied.returncode == 3
    assert applied.stderr.startswith(f"error: target {TARGET}: does not let others change settings")
    assert "--allow-tune" in applied.stderr
    assert asked["status"] == "FAILED_PRECONDITION"
    assert {name: low.get(name) for name in LOW} == LOW


@root
def test_who_was_not_asked_to_change_anything_does_not_keep_the_others_from_restoring(low: Host) -> None:
    with low.target("--allow-tune"), node("worker", "--listen", WORKER, inside=low.inside):
        low.coord("tune", *NODES, "--total", "100k", "--apply")
        raised_to = low.get(SOMAXCONN)
        undone = low.coord("tune", *NODES, "--undo")

    assert (undone.returncode, raised_to, low.get(SOMAXCONN)) == (0, "520", "64"), undone.stderr
    assert f"worker {WORKER} was skipped: it was started without --allow-tune" in undone.stdout


@root
def test_a_node_that_is_busy_changes_nothing(low: Host) -> None:
    with low.nodes("--allow-tune"):
        low.call("Prepare", {"run_id": "other", "acceptors": 1, "lease_seconds": 3600})
        asked = low.call("Tune", {"settings": {SOMAXCONN: "520"}})
        applied = low.coord("tune", *NODES, "--total", "100k", "--apply")

    assert asked["status"] == "FAILED_PRECONDITION"
    assert "busy with run other" in asked["sentence"]
    assert applied.returncode == 3
    assert "busy with run other" in applied.stderr
    assert {name: low.get(name) for name in LOW} == LOW


@root
@pytest.mark.parametrize(
    "foreign", ["kernel.core_pattern", "net.ipv4.tcp_syncookies", "../../../tmp/x", "net.ipv4.conf.all.rp_filter"]
)
def test_a_setting_that_the_table_does_not_name_is_refused_with_all_that_came_with_it(low: Host, foreign: str) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    with low.target("--allow-tune"):
        asked = low.call("Tune", {"settings": {SOMAXCONN: "520", foreign: "1"}})
        garbage = low.call("Tune", {"settings": {SOMAXCONN: "520; reboot"}})

    assert asked["status"] == "FAILED_PRECONDITION"
    assert f"does not write {foreign};" in asked["sentence"]
    assert garbage["status"] == "INVALID_ARGUMENT"
    assert low.get(SOMAXCONN) == "64"
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


@root
def test_what_cannot_be_written_here_is_said_and_the_rest_is_done(low: Host) -> None:
    settings = {"net.core.netdev_max_backlog": "9000", SOMAXCONN: "10", PORT_RANGE: "1024 15000", SYN_BACKLOG: "1 2"}
    with low.target("--allow-tune"):
        changes = {each["name"]: each for each in low.call("Tune", {"settings": settings})["changes"]}

    hidden = changes["net.core.netdev_max_backlog"]
    assert "before" not in hidden
    assert "belongs to the host and is not visible in this network namespace" in hidden["reason"]
    assert (changes[SOMAXCONN]["after"], changes[SOMAXCONN].get("reason")) == ("64", None)
    assert (changes[PORT_RANGE]["after"], low.get(PORT_RANGE)) == ("1024 20009", "1024 20009")
    assert "does not have as many figures" in changes[SYN_BACKLOG]["reason"]


@root
@pytest.mark.skipif(not Path(path_of(CONNTRACK)).exists(), reason="there is no conntrack")
def test_a_setting_that_the_namespace_sees_and_cannot_write_is_left_to_the_host(low: Host) -> None:
    now = Path(path_of(CONNTRACK)).read_text().strip()
    with low.target("--allow-tune"):
        (change,) = low.call("Tune", {"settings": {CONNTRACK: str(int(now) + 1)}})["changes"]

    assert (change["before"], change["after"]) == (now, now)
    assert "set it on the host itself" in change["reason"]
    assert not low.records
