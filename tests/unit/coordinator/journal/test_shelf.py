"""Where journals stand, which one is meant, and which go."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from c1m.app.state_directory import state_directory
from c1m.coordinator.journal.store import SUFFIX, JournalStore, shelf_of
from c1m.errors import UsageError

RUNS = ("20261123T090000-aaaa", "20261124T090000-bbbb", "20261124T100000-cccc")


@pytest.fixture
def shelf(tmp_path: Path) -> JournalStore:
    for run in RUNS:
        (tmp_path / f"{run}{SUFFIX}").write_bytes(bytes(1000))
    (tmp_path / "notes.txt").write_text("nobody's journal")
    return JournalStore(tmp_path, named=True)


def names(shelf: JournalStore) -> list[str]:
    return [path.stem for path in shelf.journals()]


@pytest.mark.parametrize(("prefix", "run"), [("", RUNS[2]), ("20261123", RUNS[0]), ("20261124T1", RUNS[2]), (RUNS[1], RUNS[1])])
def test_the_beginning_of_an_id_is_enough(shelf: JournalStore, prefix: str, run: str) -> None:
    assert shelf.find(prefix).stem == run


@pytest.mark.parametrize(
    ("prefix", "says"), [("20261124", "matches 2 runs"), ("2027", "matches no run in"), ("x/../..", "matches no run in")]
)
def test_any_other_is_a_sentence(shelf: JournalStore, prefix: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        shelf.find(prefix)


def test_an_id_that_begins_another_is_still_itself(shelf: JournalStore) -> None:
    (shelf.directory / f"{RUNS[1]}0{SUFFIX}").touch()

    assert shelf.find(RUNS[1]).stem == RUNS[1]


def test_the_oldest_go_first_with_all_that_lies_beside_them(shelf: JournalStore) -> None:
    for beside in ("-wal", "-shm"):
        (shelf.directory / f"{RUNS[0]}{SUFFIX}{beside}").touch()

    assert [path.stem for path in shelf.keep(2)] == [RUNS[0]]

    left = {path.name for path in shelf.directory.iterdir()}
    assert left == {f"{run}{SUFFIX}" for run in RUNS[1:]} | {"notes.txt"}


def test_so_many_bytes_are_kept_and_the_newest_whatever_its_size(shelf: JournalStore) -> None:
    shelf.keep(100, 2500)
    assert names(shelf) == [RUNS[2], RUNS[1]]
    shelf.keep(100, 10)
    assert names(shelf) == [RUNS[2]]


def test_nothing_is_deleted_while_it_is_written(shelf: JournalStore) -> None:
    with shelf.path_of(RUNS[0]).open("rb") as written:
        fcntl.flock(written, fcntl.LOCK_EX)

        assert shelf.keep(1) == [shelf.path_of(RUNS[1])]
        with pytest.raises(UsageError, match="is being written"):
            shelf.delete(shelf.path_of(RUNS[0]))

    assert names(shelf) == [RUNS[2], RUNS[0]]


def test_a_directory_that_a_person_named_is_not_tidied(shelf: JournalStore) -> None:
    assert shelf.tidy() == ""
    assert len(names(shelf)) == len(RUNS)


def test_where_nobody_names_a_place_it_is_the_state_of_the_user() -> None:
    assert shelf_of(None) == JournalStore(state_directory())


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="is not a directory"):
        shelf_of(tmp_path / "file")
