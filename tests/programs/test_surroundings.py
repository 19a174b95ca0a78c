"""Surroundings that lack what most machines have: each is named in a sentence, and a run goes on where it can."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from programs import coordinator, first_line, run_coord

SMALL = ("--total", "20", "--hold", "0s")
FORBID = Path(__file__).parents[1] / "support" / "forbid_family.py"
NOBODY = ("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups")  # has no line in /etc/passwd
EVERY_FILE = ("--inh-caps", "+dac_override", "--ambient-caps", "+dac_override")  # the interpreter may be in root's home
POWERLESS = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
NO_HOME = ("env", "-u", "HOME", "-u", "XDG_STATE_HOME")

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="making these surroundings needs root")


def command(*words: str, inside: Sequence[str] = (), cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The coordinator with these words, in a directory."""
    line = [*inside, sys.executable, "-P", "-m", "c1m.coordinator", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=100, cwd=cwd)


@root_only
def test_a_working_directory_that_cannot_be_read_is_a_warning(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, 54321, 54321)
    entered = ("env", f"--chdir={closed}", *POWERLESS)  # root without its capabilities is a user like any other

    ended = command("run", *SMALL, "--no-journal", inside=entered)

    assert ended.returncode == 0, ended.stderr
    assert "warning: the working directory cannot be read (Permission denied), so no c1m.toml is read" in ended.stderr


def test_a_working_directory_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    ended = command("run", *SMALL, "--no-journal", inside=("sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(gone)))

    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr


@root_only
def test_a_user_without_a_home_runs_without_a_journal() -> None:
    inside = (*NOBODY, *EVERY_FILE, *NO_HOME)

    ended = command("run", *SMALL, inside=inside, cwd=Path("/"))
    asked = command("runs", inside=inside, cwd=Path("/"))

    assert ended.returncode == 0, ended.stderr
    assert "warning: no journal is kept: uid 54321 has no home directory" in " ".join(ended.stderr.split())
    assert (asked.returncode, "set XDG_STATE_HOME" in asked.stderr, "Traceback" in asked.stderr) == (2, True, False)


@root_only
def test_a_journal_below_a_directory_that_may_not_be_entered_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, 54321, 54321)

    ended = command("run", *SMALL, "--journal", str(closed / "runs"), inside=POWERLESS)

    assert (ended.returncode, "Permission denied" in ended.stderr, "Traceback" in ended.stderr) == (2, True, False), (
        ended.stderr
    )


@root_only
def test_a_host_name_that_is_not_utf8_is_escaped() -> None:
    naming = r"printf 'h\377' > /proc/sys/kernel/hostname && exec " + '"$@"'

    ended = command("run", *SMALL, "--no-journal", "--json", "-", inside=("unshare", "-u", "sh", "-c", naming, "sh"))

    assert ended.returncode == 0, ended.stderr
    assert r"h\\xff" in ended.stdout


def test_without_netlink_the_run_goes_on_and_says_what_is_unknown() -> None:
    ended = command("run", *SMALL, "--no-journal", inside=(sys.executable, str(FORBID), "16"))

    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode == 0, said
    assert "AF_NETLINK is forbidden there; permit it in RestrictAddressFamilies=" in said


def test_without_netlink_an_interface_cannot_be_a_source() -> None:
    inside = [
        sys.executable,
        str(FORBID),
        "16",
        sys.executable,
        "-m",
        "c1m.worker",
        "--listen",
        "127.0.0.1:0",
        "--source",
        "lo",
    ]

    ended = subprocess.run(inside, capture_output=True, text=True, check=False, timeout=60)

    assert (ended.returncode, "AF_NETLINK is forbidden here" in ended.stderr, "Traceback" in ended.stderr) == (3, True, False)


def test_a_limit_of_address_space_is_not_called_tasks() -> None:
    limited = ["sh", "-c", 'ulimit -v 300000; exec "$@"', "sh", sys.executable, "-m", "c1m.worker", "--listen", "127.0.0.1:0"]

    ended = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=60)

    assert (ended.returncode, "ulimit -v, LimitAS=" in ended.stderr, "TasksMax" in ended.stderr) == (3, True, False), (
        ended.stderr
    )


@contextmanager
def worker(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A worker and its control address."""
    line = [sys.executable, "-m", "c1m.worker", "--listen", "127.0.0.1:0", *words]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        yield process, first_line(process).removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def test_one_worker_under_two_names_is_named_twice() -> None:
    with worker("--allow", "127.0.0.1:9") as (_, address):
        port = address.rpartition(":")[2]
        both = ("--worker", f"127.0.0.1:{port}", "--worker", f"localhost:{port}")

        ended = run_coord(*SMALL, "--no-journal", *both, "--endpoint", "127.0.0.1:9")

    assert ended.returncode == 2
    assert f"worker localhost:{port} and worker 127.0.0.1:{port} are the same node; name it once" in ended.stderr


def test_a_killed_worker_has_ended_and_one_that_never_was_is_not_started() -> None:
    with ExitStack() as stack:
        victim, address = stack.enter_context(worker("--allow", "127.0.0.1:9"))
        run = stack.enter_context(
            coordinator("--total", "20", "--hold", "60s", "--no-journal", "--worker", address, "--endpoint", "127.0.0.1:9")
        )
        assert run.stderr is not None
        said = []
        for line in run.stderr:
            said.append(line)
            if "opening" in line:
                victim.send_signal(signal.SIGKILL)
                break
        said += run.stderr.readlines()
        assert run.wait(60) == 4
    told = "".join(said)
    assert f"worker {address} has ended: it was running, and now nothing listens there (Connection refused)" in told
    assert "failed to connect" not in told

    ended = run_coord(*SMALL, "--no-journal", "--worker", address, "--endpoint", "127.0.0.1:9")

    assert ended.returncode == 4
    assert f"worker {address} is not started: nothing listens there (Connection refused)" in ended.stderr
