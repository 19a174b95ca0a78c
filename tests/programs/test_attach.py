"""Runs that are taken over by another coordinator: real nodes, coordinators that are killed, and one summary of it all."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from journals import coord, doing, known, shown
from programs import children_of, coordinator, eventually, node

from c1m.coordinator.journal.replay import replay
from c1m.coordinator.journal.store import JournalStore
from c1m.errors import UsageError
from c1m.kernel import sockdiag
from c1m.security.authority import found_authority
from c1m.security.roles import Bearer, Role

WORKER, OTHER, TARGET = "127.0.0.1:24510", "127.0.0.1:24511", "127.0.0.1:24520"
DATA_PORTS = (24_500, 24_503)
NODES = ("--worker", WORKER, "--worker", OTHER, "--target", TARGET, "--lease", "30s")

Process = subprocess.Popen[str]


@pytest.fixture(scope="module")
def fleet() -> Iterator[list[Process]]:
    with (
        node("target", "--bind", "127.0.0.1", "--ports", f"{DATA_PORTS[0]}-{DATA_PORTS[1]}", "--listen", TARGET) as target,
        node("worker", "--listen", WORKER) as worker,
        node("worker", "--listen", OTHER) as other,
    ):
        yield [worker, other, target]


def assert_free(fleet: list[Process]) -> None:
    """No shard, no acceptor and no connection is left of a run."""
    for each in fleet:
        assert eventually(lambda: len(children_of(each.pid)) == 1), children_of(each.pid)  # the zygote
    ports = [(port, port) for port in range(DATA_PORTS[0], DATA_PORTS[1] + 1)]
    assert sum(sockdiag.count_by_port(ports, "local", 4).values()) == 0


def kill_when(process: Process, directory: Path, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What was known of the run then."""
    found: dict[str, Any] = {}

    def reached() -> bool:
        nonlocal found
        found = known(directory)
        return bool(found) and true(found)

    assert eventually(reached), found
    process.kill()
    process.wait()
    return found


def attach(directory: Path, *words: str) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    told = coord("attach", directory, *words, "--json", "-")
    return (json.loads(told.stdout) if told.stdout else {}), told


@contextmanager
def attached(directory: Path) -> Iterator[Process]:
    """c1m-coord attach, which goes on."""
    command = [sys.executable, "-m", "c1m.coordinator", "attach", "--journal", str(directory)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def assert_whole(summary: dict[str, Any], total: int, takeovers: int = 1) -> None:
    """As if nothing had happened, and nothing was opened twice."""
    assert (summary["verdict"], summary["exit_code"], summary["reasons"]) == ("passed", 0, [])
    assert summary["established_peak"] == summary["established_at_hold_end"] == summary["attempted"] == total
    assert (summary["failed"], summary["dropped"], summary["reopened"]) == ({}, {}, 0)
    assert (summary["target"]["accepted"], summary["target"]["open_at_hold_end"]) == (total, total)
    assert summary["closed"] == total
    assert summary["journal"]["complete"]
    assert len(summary["takeovers"]) == takeovers
    ends = [0.0]
    for each in summary["takeovers"]:
        ends += [each["silent_from_seconds"], each["silent_to_seconds"]]
    assert ends == sorted(ends)
    seconds = summary["timeline"]["seconds"]
    assert seconds == sorted(seconds)


RAMP = ("--total", "1500", "--ramp", "4s", "--hold", "1s")
HOLD = ("--total", "1500", "--hold", "5s", "--heartbeat", "2s")


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        (RAMP, lambda summary: doing(summary) == "opening" and summary["attempted"] > 300),
        (HOLD, lambda summary: doing(summary) == "holding"),
        (
            ("--stage", "1000@1s", "--stage", "1000@3s", "--stage", "1500@1s"),
            lambda summary: doing(summary) == "following" and summary["attempted"] == 1000,
        ),
        (
            ("--total", "1500", "--hold", "0s", "--close-rate", "500"),
            lambda summary: doing(summary) == "closing" and summary["closed"],
        ),
    ],
    ids=["ramp", "hold", "stages", "close"],
)
def test_it_goes_on_where_it_was(
    words: tuple[str, ...], moment: Callable[[dict[str, Any]], bool], fleet: list[Process], tmp_path: Path
) -> None:
    with coordinator(*NODES, *words, "--journal", str(tmp_path)) as process:
        before = kill_when(process, tmp_path, moment)

    summary, told = attach(tmp_path)

    assert told.returncode == 0, told.stderr
    assert "taken over from a coordinator that is gone" in told.stderr
    assert_whole(summary, 1500)
    assert summary["plan"] == before["plan"]
    assert summary["seed"] == before["seed"]
    assert summary["run_id"] == before["run_id"]
    assert shown(tmp_path) == summary
    assert_free(fleet)


def test_what_took_it_over_is_killed_as_well(fleet: list[Process], tmp_path: Path) -> None:
    hold = 20  # seconds, in which two coordinators have to have started on a machine that is full of work
    with coordinator(*NODES, "--total", "1500", "--hold", f"{hold}s", "--journal", str(tmp_path)) as process:
        kill_when(process, tmp_path, lambda summary: doing(summary) == "holding")
    with attached(tmp_path) as process:
        before = kill_when(process, tmp_path, lambda summary: len(summary["takeovers"]) == 1)
    assert before["verdict"] == "incomplete"

    summary, _ = attach(tmp_path)

    assert_whole(summary, 1500, takeovers=2)
    turns = {turn["doing"]: turn["seconds"] for turn in summary["timeline"]["turns"] if turn["doing"] != "comparing"}
    assert list(turns) == ["opening", "holding", "closing"]  # each once
    assert turns["closing"] - turns["holding"] >= hold  # no less than was asked for, over three coordinators
    assert shown(tmp_path) == summary
    for uptime in (1e6, -1e6):  # as if the second one had been on another machine, and the third where the first was
        write_by_another_clock(tmp_path, uptime)
        assert shown(tmp_path) == summary
    assert_free(fleet)


def write_by_another_clock(directory: Path, uptime: float) -> None:
    """What the second coordinator wrote."""
    query = "SELECT number, CAST(body AS TEXT) FROM records WHERE kind = 'resumed' ORDER BY number"
    with closing(sqlite3.connect(JournalStore(directory).find(""))) as file, file:
        (second, body), (third, _) = file.execute(query)
        told = json.loads(body)
        told["began"] += uptime
        file.execute("UPDATE records SET at = at + ? WHERE number >= ? AND number < ?", (uptime, second, third))
        file.execute("UPDATE records SET body = ? WHERE number = ?", (json.dumps(told).encode(), second))


def test_a_coordinator_that_is_there_keeps_its_run(fleet: list[Process], tmp_path: Path) -> None:
    """Also one that is stopped: whoever watches in its place is served once it is killed, whatever hangs from it."""
    with coordinator(*NODES, "--total", "500", "--hold", "4s", "--journal", str(tmp_path)) as process:
        assert eventually(lambda: doing(known(tmp_path)) == "holding")
        process.send_signal(signal.SIGSTOP)
        run = JournalStore(tmp_path).find("").stem

        _, refused = attach(tmp_path, run)
        _, none = attach(tmp_path)
        process.kill()
        process.wait()
        summary, _ = attach(tmp_path, run)

    assert (refused.returncode, "has a coordinator" in refused.stderr) == (2, True), refused.stderr
    assert (none.returncode, "no run in" in none.stderr) == (2, True), none.stderr
    assert_whole(summary, 500)
    _, over = attach(tmp_path, run)
    assert (over.returncode, f"run {run} is over" in over.stderr) == (2, True), over.stderr
    assert_free(fleet)


def test_after_the_lease_there_is_nothing_to_take_over(fleet: list[Process], tmp_path: Path) -> None:
    words = (*NODES[:-1], "3s", "--total", "500", "--hold", "60s", "--journal", str(tmp_path))
    with coordinator(*words) as process:
        kill_when(process, tmp_path, lambda summary: doing(summary) == "holding")
    assert_free(fleet)

    _, told = attach(tmp_path)

    assert (told.returncode, told.stdout) == (4, "")
    assert "for the length of their lease" in told.stderr
    assert "c1m-coord show" in told.stderr
    assert "Traceback" not in told.stderr


def test_nodes_that_its_coordinator_started_end_with_it(tmp_path: Path) -> None:
    with coordinator("--total", "100", "--hold", "60s", "--journal", str(tmp_path)) as process:
        kill_when(process, tmp_path, lambda summary: doing(summary) == "holding")

    _, told = attach(tmp_path)

    assert (told.returncode, "had local nodes, which ended with its coordinator" in told.stderr) == (4, True), told.stderr


def test_a_run_that_had_opened_nothing_is_ended(fleet: list[Process], tmp_path: Path) -> None:
    (zygote,) = children_of(fleet[0].pid)
    with coordinator(*NODES, "--total", "500", "--journal", str(tmp_path)) as process:
        subprocess.run(["kill", "-STOP", str(zygote)], check=True)  # it makes no shards, and so nobody is ever ready
        try:
            kill_when(process, tmp_path, lambda summary: summary["plan"] is not None and len(children_of(fleet[2].pid)) > 1)
        finally:
            subprocess.run(["kill", "-CONT", str(zygote)], check=True)

    summary, told = attach(tmp_path)

    assert summary, told.stderr
    assert (told.returncode, summary["verdict"], summary["attempted"]) == (4, "degraded", 0), told.stderr
    assert "nothing was opened" in summary["reasons"][0]
    assert shown(tmp_path) == summary
    assert_free(fleet)


def test_with_certificates_only_its_operator_takes_it_over(tmp_path: Path) -> None:
    authority = found_authority(tmp_path / "pki", datetime.now(UTC), 10)
    anna, bob = (authority.issue(Bearer(Role.OPERATOR, name), [], datetime.now(UTC), 5) for name in ("anna", "bob"))
    tls = ("--tls", str(authority.issue(Bearer(Role.NODE, "a"), ["127.0.0.1"], datetime.now(UTC), 5)))
    with (
        node("target", "--bind", "127.0.0.1", "--ports", "24504", "--listen", "127.0.0.1:24521", *tls),
        node("worker", "--listen", "127.0.0.1:24512", *tls),
    ):
        words = (
            "--worker",
            "127.0.0.1:24512",
            "--target",
            "127.0.0.1:24521",
            "--total",
            "300",
            "--hold",
            "4s",
            "--lease",
            "30s",
        )
        journals = tmp_path / "journals"
        with coordinator(*words, "--tls", str(anna), "--journal", str(journals)) as process:
            kill_when(process, journals, lambda summary: doing(summary) == "holding")

        _, refused = attach(journals, "--tls", str(bob))
        summary, _ = attach(journals)

    assert (refused.returncode, "belongs to operator anna, and only anna may command it" in refused.stderr) == (4, True), (
        refused.stderr
    )
    assert_whole(summary, 300)


SMALL_DISK = """
mount -t tmpfs -o size=160k tmpfs "$JOURNAL"
$COORD run "$@" 2>"$SAID" & coordinator=$!
until grep -q "journal stopped" "$SAID" || ! kill -0 $coordinator; do sleep 0.05; done
kill -KILL $coordinator
wait $coordinator
$AGAIN
$COORD attach --journal "$JOURNAL" --json "$TOLD" 2>&1
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
@pytest.mark.parametrize("again", [":", 'mount -o remount,size=10m "$JOURNAL"'], ids=["no room", "room again"])
def test_the_disk_was_full_when_its_coordinator_was_killed(again: str, fleet: list[Process], tmp_path: Path) -> None:
    """What the journal had no room for is missing in the summary; the run goes on, whether there is room again or not."""
    journal, said, told = tmp_path / "journal", tmp_path / "said", tmp_path / "summary.json"
    journal.mkdir()
    environment = os.environ | {
        "COORD": f"{sys.executable} -m c1m.coordinator",
        "JOURNAL": str(journal),
        "SAID": str(said),
        "TOLD": str(told),
    }
    words = (*NODES, "--total", "1000", "--hold", "12s", "--journal", str(journal))

    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", SMALL_DISK.replace("$AGAIN", again), "sh", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
    summary = json.loads(told.read_text())
    assert (summary["verdict"], summary["established_at_hold_end"], summary["closed"]) == ("passed", 1000, 1000)
    (takeover,) = summary["takeovers"]
    assert takeover["silent_to_seconds"] > takeover["silent_from_seconds"] > 0
    assert ("journal stopped" in ended.stdout) is (again == ":")
    assert summary["journal"]["complete"] is (again != ":")
    assert_free(fleet)


def test_what_was_lost_before_is_not_taken_up_again(fleet: list[Process], tmp_path: Path) -> None:
    """A worker that was stopped, and so lost, is there again when the run is taken over: it is told to close."""
    words = (*NODES[:-1], "15s", "--total", "600", "--hold", "10s", "--journal", str(tmp_path))
    with coordinator(*words) as process:
        assert eventually(lambda: doing(known(tmp_path)) == "holding")
        fleet[1].send_signal(signal.SIGSTOP)
        try:
            kill_when(process, tmp_path, lambda summary: summary["workers"][1]["lost"] is not None)
        finally:
            fleet[1].send_signal(signal.SIGCONT)

    summary, told = attach(tmp_path)

    assert (told.returncode, summary["verdict"]) == (4, "degraded"), told.stderr
    assert [bool(worker["lost"]) for worker in summary["workers"]] == [False, True]
    assert summary["established_at_hold_end"] == 300
    assert shown(tmp_path) == summary
    assert_free(fleet)


def redistributing(directory: Path, *words: str) -> tuple[str, ...]:
    return (*NODES, "--total", "600", *words, "--on-loss", "redistribute", "--journal", str(directory))


LOST = (*NODES[:2], "--worker", "127.0.0.1:24513", *NODES[4:])  # the second worker of which is the test's own


def assert_made_good(summary: dict[str, Any]) -> None:
    assert (summary["verdict"], summary["exit_code"]) == ("passed", 0), summary["reasons"]
    assert summary["established_at_hold_end"] == summary["target"]["open_at_hold_end"] == 600
    assert [worker["planned"] for worker in summary["workers"]] == [600, 300]
    (loss,) = summary["losses"]
    assert (loss["taken_by"], loss["not_taken"]) == ({f"worker {WORKER}": 300}, None)


@pytest.mark.parametrize("when", ["nobody is there", "it was taken over"])
def test_the_share_of_a_worker_that_is_lost_is_redistributed(when: str, fleet: list[Process], tmp_path: Path) -> None:
    """The coordinator that resumes the run moves the share, as the one that began it would have."""
    words = (*LOST, *redistributing(tmp_path, "--hold", "8s")[len(NODES) :])
    with node("worker", "--listen", "127.0.0.1:24513") as lost:
        with coordinator(*words) as process:
            kill_when(process, tmp_path, lambda summary: doing(summary) == "holding")
        if when == "nobody is there":
            lost.kill()
            summary, told = attach(tmp_path)
            assert told.returncode == 0, told.stderr
        else:
            with attached(tmp_path) as process:
                assert eventually(lambda: len(known(tmp_path).get("takeovers", ())) == 1)
                lost.kill()
                process.wait(60)
            summary = shown(tmp_path)

    assert_made_good(summary)
    assert shown(tmp_path) == summary
    assert_free([fleet[0], fleet[2]])


def test_a_share_that_is_lost_while_it_is_opened_is_redistributed(fleet: list[Process], tmp_path: Path) -> None:
    """Shards count at moments of their own; on a line that is no reason to take them for others than they are."""
    words = (*LOST, *redistributing(tmp_path, "--ramp", "12s", "--hold", "2s")[len(NODES) :])
    with node("worker", "--listen", "127.0.0.1:24513") as lost:
        with coordinator(*words) as process:
            kill_when(process, tmp_path, lambda summary: doing(summary) == "opening" and summary["attempted"] > 0)
        lost.kill()
        summary, told = attach(tmp_path)

    assert told.returncode == 0, told.stderr
    assert_made_good(summary)
    assert_free([fleet[0], fleet[2]])


def test_a_share_that_was_being_moved_is_moved_once(fleet: list[Process], tmp_path: Path) -> None:
    """Its coordinator was killed when it had asked, and had not heard the answer: the worker has it already, or takes it."""
    (zygote,) = children_of(fleet[0].pid)
    words = (*LOST, *redistributing(tmp_path, "--hold", "12s")[len(NODES) :])
    with node("worker", "--listen", "127.0.0.1:24513") as lost, coordinator(*words) as process:
        assert eventually(lambda: doing(known(tmp_path)) == "holding")
        subprocess.run(["kill", "-STOP", str(zygote)], check=True)  # it forks no shard, and so nobody hears an answer
        try:
            lost.kill()
            assert eventually(lambda: asked(tmp_path))
            process.kill()
            process.wait()
        finally:
            subprocess.run(["kill", "-CONT", str(zygote)], check=True)

    summary, told = attach(tmp_path)

    assert told.returncode == 0, told.stderr
    assert_made_good(summary)
    assert shown(tmp_path) == summary
    assert_free([fleet[0], fleet[2]])


def asked(directory: Path) -> bool:
    """Whether somebody is to take a share, as far as the journal goes."""
    with suppress(UsageError):
        return bool(replay(JournalStore(directory).find("")).moves)
    return False
