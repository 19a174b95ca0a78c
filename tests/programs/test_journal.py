"""Runs that are told again from their journals: ended, going on, and with their coordinators killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from journals import coord, shown
from programs import all_gone, children_of, coordinator, eventually, node, run_coord, until_it_says

from c1m.coordinator.journal.index import contents_of
from c1m.coordinator.journal.journal import Journal, Record, is_written, read_only
from c1m.coordinator.journal.replay import replay
from c1m.coordinator.journal.store import JournalStore
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.summary.codec import to_plain
from c1m.errors import UsageError

WORKER, OTHER, TARGET = "127.0.0.1:24410", "127.0.0.1:24411", "127.0.0.1:24420"


def states(directory: Path) -> list[str]:
    found = json.loads(coord("runs", directory, "--json", "-").stdout)["runs"]
    return [run["verdict"] or run["state"] for run in found]


@pytest.mark.parametrize(
    "words",
    [
        ("--total", "2000", "--hold", "1s", "--heartbeat", "1s", "--require", "always dropped == 0"),
        ("--stage", "300@1s", "--stage", "300@6s", "--stage", "100@1s", "--arrival", "poisson"),
        ("--total", "300", "--hold", "2s", "--lifetime", "exp:1s", "--storm", "at=1s,drop=50%,return=1s", "--reopen"),
        ("--total", "200", "--hold", "0s", "--endpoint", "127.0.0.1:1"),
        ("--total", "900M"),
    ],
    ids=["held", "stages", "turnover", "failed", "refused"],
)
def test_a_run_is_shown_as_it_was_when_it_ended(words: tuple[str, ...], tmp_path: Path) -> None:
    ran = run_coord(*words, "--journal", str(tmp_path), "--json", "-")
    summary = json.loads(ran.stdout)

    assert shown(tmp_path) == summary
    assert summary["journal"] == {"complete": True, "ends_at": summary["ended_at"], "reason": None}
    assert states(tmp_path) == [summary["verdict"]]
    assert [path.suffix for path in tmp_path.iterdir()] == [".journal"]  # one file, which can be copied


def test_what_was_lost_is_shown_again(tmp_path: Path) -> None:
    """A worker dies while everything is held, and the operator has enough of it."""
    nodes = (WORKER, OTHER)
    words = [word for each in nodes for word in ("--worker", each)]
    journals = tmp_path / "journals"
    with (
        node("target", "--bind", "127.0.0.1", "--ports", "24400-24403", "--listen", TARGET),
        node("worker", "--listen", WORKER),
        node("worker", "--listen", OTHER) as other,
        coordinator(
            *words,
            "--target",
            TARGET,
            "--total",
            "400",
            "--hold",
            "60s",
            *("--journal", str(journals)),
            "--json",
            f"{tmp_path}/ran.json",
        ) as process,
    ):
        assert process.stderr is not None
        until_it_says(process, "holding")
        other.kill()
        assert any(line.startswith("lost: ") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        code = process.wait(60)

    summary = json.loads((tmp_path / "ran.json").read_text())
    assert (code, summary["verdict"]) == (130, "interrupted")
    assert [bool(worker["lost"]) for worker in summary["workers"]] == [False, True]
    assert shown(journals) == summary


def test_the_report_is_the_same_text(tmp_path: Path) -> None:
    ran = run_coord("--total", "200", "--hold", "1s", "--journal", str(tmp_path))

    assert coord("show", tmp_path).stdout == ran.stdout


@contextmanager
def killed(directory: Path, *words: str, once: Callable[[dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    """What is known of a run whose coordinator is killed when what is shown of it is ``once`` so."""
    with coordinator(*words, "--journal", str(directory)) as process:

        def reached() -> bool:
            with suppress(UsageError):  # as long as there is nothing to show
                return once(to_plain(summarise(replay(JournalStore(directory).find("")))))
            return False

        assert eventually(reached)
        before = shown(directory)
        assert "the run is still going on" in before["reasons"][0]
        assert states(directory) == ["running"]
        nodes = list(children_of(process.pid))
        process.kill()
        process.wait()
        assert all_gone(nodes)
    yield before


@pytest.mark.parametrize(
    ("words", "doing", "count"),
    [
        (("--total", "3000", "--ramp", "60s"), "opening", "attempted"),
        (("--total", "500", "--hold", "60s"), "holding", "established_peak"),
        (("--total", "500", "--hold", "0s", "--close-rate", "20"), "closing", "closed"),
    ],
)
def test_killed_it_is_shown_as_far_as_it_went(words: tuple[str, ...], doing: str, count: str, tmp_path: Path) -> None:
    def under_way(summary: dict[str, Any]) -> bool:
        turns = (summary["timeline"] or {"turns": []})["turns"]
        return bool(turns and turns[-1]["doing"] == doing and summary[count])

    with killed(tmp_path, *words, once=under_way) as before:
        summary = shown(tmp_path)

    assert (summary["verdict"], summary["exit_code"], summary["ended_at"]) == ("incomplete", 5, None)
    assert not summary["journal"]["complete"]
    assert "was killed" in summary["reasons"][0]
    assert summary[count] >= before[count] > 0
    assert summary["journal"]["ends_at"] >= before["journal"]["ends_at"]
    assert summary["plan"] == before["plan"]
    assert (summary["established_at_hold_end"] == 500) is (doing == "closing")
    assert states(tmp_path) == ["incomplete"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_full_disk_ends_the_journal_and_not_the_run(tmp_path: Path) -> None:
    """The disk has room for the first seconds. What is left is shown inside, where the disk is."""
    show = f"{sys.executable} -m c1m.coordinator show --journal {tmp_path} --json {tmp_path.parent}/shown.json >/dev/null"
    small = f'mount -t tmpfs -o size=160k tmpfs {tmp_path} && "$@"; code=$?; {show}; exit $code'
    inside = ("unshare", "-m", "sh", "-c", small, "sh")

    ran = run_coord("--total", "1000", "--hold", "6s", "--journal", str(tmp_path), "--json", "-", inside=inside)

    summary, after = json.loads(ran.stdout), json.loads((tmp_path.parent / "shown.json").read_text())
    assert (ran.returncode, summary["verdict"], summary["reasons"]) == (0, "passed", [])
    assert "database or disk is full" in summary["journal"]["reason"]
    assert summary["started_at"] < summary["journal"]["ends_at"] < summary["ended_at"]
    assert ran.stderr.count("the run continues without it") == 1
    assert (after["verdict"], after["established_peak"]) == ("incomplete", 1000)


def test_two_coordinators_at_once_do_not_meet(tmp_path: Path) -> None:
    words = ("--total", "100", "--hold", "2s", "--journal", str(tmp_path))
    with coordinator(*words) as one, coordinator(*words) as other:
        for process in (one, other):
            assert process.stderr is not None
            process.stderr.read()
            assert process.wait(60) == 0

    assert states(tmp_path) == ["passed", "passed"]


def test_without_a_journal_nothing_is_written(tmp_path: Path) -> None:
    ran = run_coord("--total", "50", "--hold", "0s", "--no-journal", "--json", "-", XDG_STATE_HOME=str(tmp_path))

    assert json.loads(ran.stdout)["journal"] is None
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_never_was_leaves_none(tmp_path: Path) -> None:
    ran = run_coord("--total", "50", "--worker", "127.0.0.1:1", "--target", "127.0.0.1:1", "--journal", str(tmp_path))

    assert ran.returncode == 4
    assert list(tmp_path.iterdir()) == []


# -- files that are not what they should be


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    here = tmp_path_factory.mktemp("intact")
    run_coord("--total", "100", "--hold", "1s", "--journal", str(here))
    (journal,) = here.iterdir()
    return journal.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: b"no journal at all\n" * 100,
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:100],
        lambda whole: whole[:4096] + bytes(len(whole) - 4096),
        lambda whole: whole[:60] + b"\xff" * 4 + whole[64:],  # another version
        lambda whole: whole[:6000] + bytes(byte ^ 0x55 for byte in whole[6000:]),
    ],
    ids=["empty", "text", "half", "a piece", "zeros", "version", "flipped"],
)
def test_a_damaged_journal_is_a_sentence(damage: Callable[[bytes], bytes], intact: bytes, tmp_path: Path) -> None:
    (tmp_path / "20261124T120000-dead.journal").write_bytes(damage(intact))

    told = coord("show", tmp_path)

    assert told.returncode == 2
    assert told.stderr.startswith("error: ")
    assert "Traceback" not in told.stderr
    assert coord("runs", tmp_path).returncode == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET body = substr(body, 1, 40) WHERE kind = 'run'",
        "UPDATE records SET body = '[]' WHERE kind = 'run'",
        "UPDATE records SET body = json_set(body, '$.words', 5, '$.started_at', 'long ago') WHERE kind = 'run'",
        "UPDATE records SET body = json_set(body, '$.settings', json('{\"totl\": 5}')) WHERE kind = 'run'",
        "UPDATE records SET at = 1e999 WHERE kind = 'turn'",
        "UPDATE records SET at = 1e308 WHERE kind = 'sample'",
        "UPDATE records SET body = 'null' WHERE kind = 'mustered'",
        "UPDATE records SET body = json_set(body, '$.hold_end', 5) WHERE kind = 'state'",
        "UPDATE records SET body = json_set(body, '$.teardown_seconds', 'long') WHERE kind = 'state'",
        "DELETE FROM records WHERE kind = 'planned'",
    ],
)
def test_a_journal_whose_records_make_no_sense_is_a_sentence(change: str, intact: bytes, tmp_path: Path) -> None:
    """Such as what a disk has lost, or another version has written; and the others can be listed and taken over."""
    path = tmp_path / "20261124T120000-dead.journal"
    path.write_bytes(intact)
    with closing(sqlite3.connect(path)) as file, file:
        assert file.execute(change).rowcount
        file.execute("DELETE FROM records WHERE kind = 'verdict'")

    told = coord("show", tmp_path)

    assert (told.returncode, told.stderr.count("\n")) == (2, 1), told.stderr
    assert told.stderr.startswith("error: ")
    assert coord("runs", tmp_path).returncode == 0
    assert coord("attach", tmp_path).returncode in (2, 4)


@pytest.mark.parametrize(
    ("command", "words", "says"),
    [
        ("show", (), "there are no journals in"),
        ("show", ("2026",), "there are no journals in"),
        ("runs", ("--delete", "2026"), "there are no journals in"),
        ("runs", ("--keep", "few"), "--keep"),
    ],
)
def test_what_is_not_there_is_a_sentence(command: str, words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    told = coord(command, tmp_path, *words)

    assert (told.returncode, says in told.stderr) == (2, True), told.stderr
    assert "Traceback" not in told.stderr


def test_runs_go_when_they_are_told_to(intact: bytes, tmp_path: Path) -> None:
    for day in (1, 2, 3):
        (tmp_path / f"2026110{day}T120000-beef.journal").write_bytes(intact)

    assert coord("runs", tmp_path, "--delete", "20261102").returncode == 0
    assert coord("runs", tmp_path, "--keep", "1").returncode == 0
    assert [path.stem for path in tmp_path.iterdir()] == ["20261103T120000-beef"]


# -- the writer


def test_what_was_recorded_is_written_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path)
    assert eventually(lambda: path.exists() and is_written(path))
    for number in range(1000):
        journal.record(Record(float(number), "said", "", b"%d" % number))

    assert journal.close() == ""

    assert not is_written(path)
    with read_only(path) as file:
        assert [body for (body,) in file.execute("SELECT body FROM records ORDER BY number")] == [
            b"%d" % n for n in range(1000)
        ]


def test_a_place_that_cannot_be_written_is_told_and_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "a.journal")
    journal.record(Record(0.0, "said", "", b""))

    assert "cannot be written" in journal.close()
    assert journal.ends_at is None


def test_a_foreign_file_is_listed_as_what_it_is(tmp_path: Path) -> None:
    path = JournalStore(tmp_path).path_of("20261124T120000-f00d")
    path.write_text("no journal")

    assert contents_of(path).state == "unreadable"
