"""Where --json writes: as a whole or not at all, and what is no plain file of ours stays what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from programs import coordinator, until_it_says

from c1m.coordinator.commands.output_file import check_writable, write_whole
from c1m.errors import UsageError

RUNS = (sys.executable, "-m", "c1m.coordinator", "runs")


def listed(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def test_that_it_can_be_written_is_found_out_and_nothing_of_it_stays(tmp_path: Path) -> None:
    check_writable(str(tmp_path / "new.json"))
    assert listed(tmp_path) == []

    kept = tmp_path / "kept.json"
    kept.write_text("of the last run")
    check_writable(str(kept))
    assert (listed(tmp_path), kept.read_text()) == (["kept.json"], "of the last run")


@pytest.mark.parametrize("name", ["missing/new.json", "", "file/new.json"])
def test_what_cannot_be_written_is_refused_by_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=f"--json: cannot write {tmp_path / name}: "):
        check_writable(str(tmp_path / name))


def test_a_file_is_replaced_as_a_whole_with_its_mode(tmp_path: Path) -> None:
    path, link = tmp_path / "summary.json", tmp_path / "link.json"
    path.write_text("of the last run")
    path.chmod(0o640)
    link.symlink_to(path)
    with path.open() as before:
        write_whole(str(link), "of this one")

        assert before.read() == "of the last run"  # whoever had begun to read it
    assert (path.read_text(), path.stat().st_mode & 0o777, link.is_symlink()) == ("of this one", 0o640, True)
    assert listed(tmp_path) == ["link.json", "summary.json"]


def test_a_file_with_two_names_keeps_both(tmp_path: Path) -> None:
    path, other = tmp_path / "summary.json", tmp_path / "other.json"
    path.write_text("of the last run")
    other.hardlink_to(path)
    check_writable(str(path))
    write_whole(str(path), "of this one")

    assert other.read_text() == "of this one"


def test_a_pipe_is_written_to_and_not_ended_before(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    check_writable(str(pipe))
    write_whole(str(pipe), "of this run")
    reader.join(30)

    assert read == ["of this run"]
    assert pipe.is_fifo()


def test_a_file_that_is_mounted_by_itself_is_written_where_it_is(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside.json", tmp_path / "outside.json"
    inside.touch()
    outside.touch()
    write = f"from c1m.coordinator.commands.output_file import write_whole; write_whole({str(inside)!r}, 'of this run')"
    script = f'mount --bind {outside} {inside} && "$@"'
    subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", write], check=True, timeout=60)

    assert outside.read_text() == "of this run"
    assert listed(tmp_path) == ["inside.json", "outside.json"]


def test_stdout_by_its_path_has_the_document_and_then_the_report(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with told.open("w") as file:
        subprocess.run([*RUNS, "--journal", str(tmp_path), "--json", "/dev/stdout"], stdout=file, check=True, timeout=60)

    document, end = json.JSONDecoder().raw_decode(told.read_text())
    assert document["runs"] == []
    assert told.read_text()[end:].strip()


def test_a_killed_coordinator_leaves_no_summary_that_is_none(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    with coordinator("--total", "100", "--hold", "60s", "--json", str(told)) as process:
        until_it_says(process, "holding")
        process.kill()
        process.wait()

    assert listed(tmp_path) == []
