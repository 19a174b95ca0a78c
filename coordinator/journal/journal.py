"""The journal of a run: all that its summary is folded from, in an SQLite file, as it happens.

One thread writes, and commits four times a second; nobody waits for it. A commit goes into the write-ahead log and is there
when the process is killed; a machine that loses power loses what was committed since the last checkpoint, and never more.
A journal that cannot be written any more ends, and the run goes on.
"""

from __future__ import annotations

import fcntl
import os
import queue
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from google.protobuf.message import Message

from .codec import SampleCompression

APPLICATION_ID = 0x63316D6A  # "c1mj", which says in the file's header what it is
VERSION = 1  # of what stands in the tables
COMMIT_SECONDS = 0.25
CLOSE_SECONDS = 10.0  # for what has not been written yet, once the run is over
MOST_BEHIND = 50_000  # records: two minutes of a hundred nodes that send four a second
# Of the write-ahead log, after which its pages go into the file: 4 MB.
CHECKPOINT_PAGES = 1000

WRITING = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
"""
TABLES = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE records (
  number INTEGER PRIMARY KEY, -- in the order in which things happened
  at REAL NOT NULL,           -- seconds, by the coordinator's monotonic clock
  kind TEXT NOT NULL,         -- see replay.py
  node TEXT NOT NULL,         -- that told it; empty: the coordinator itself
  body BLOB NOT NULL          -- a protobuf message, packed (packing.py), where a node told it; otherwise JSON
);
"""


class Record(NamedTuple):
    at: float
    kind: str
    node: str
    body: bytes | Message


class Journal:
    """Begins to be written at once. Whoever makes one closes or discards it."""

    def __init__(self, path: Path, lock: BinaryIO | None = None) -> None:
        """``lock``: of a journal that is there and goes on (see ``lock_of``); None is a new one."""
        self.path = path
        self.lock = lock
        self.reason = ""  # why nothing more is written
        self.ends_at: float | None = None  # when what was written last was recorded
        self.records: queue.SimpleQueue[Record | threading.Event | None] = queue.SimpleQueue()
        self.is_whole = False  # all that was recorded is written, and nothing more comes
        self.hurried = threading.Event()
        self.thread = threading.Thread(target=self.work, name="journal", daemon=True)
        self.thread.start()

    def record(self, record: Record) -> None:
        if not self.reason and self.records.qsize() >= MOST_BEHIND:
            self.end(f"the disk is too slow for it: {MOST_BEHIND:,} records wait")
        if not self.reason:
            self.records.put(record)

    def commit(self) -> None:
        """Blocks until all that was recorded is written, or cannot be."""
        done = threading.Event()
        self.records.put(done)
        while self.thread.is_alive() and not done.wait(COMMIT_SECONDS):
            pass

    def close(self) -> str:
        """When all that was recorded is written; or why it is not."""
        self.hurried.set()
        self.records.put(None)
        self.thread.join(CLOSE_SECONDS)
        if self.thread.is_alive():
            self.end(f"the disk did not take what was left within {CLOSE_SECONDS:.0f} s")
        elif not self.is_whole:
            self.end("what writes it has failed, which is a defect of c1m; it said why on stderr")
        if self.lock and not self.thread.is_alive():
            self.lock.close()
        return self.reason

    def discard(self) -> None:
        """Of a run that never was."""
        self.close()
        remove(self.path)

    def end(self, reason: str) -> None:
        self.reason = self.reason or f"{self.path} cannot be written: {reason}"

    # -- in the thread

    def work(self) -> None:
        try:
            is_new = self.lock is None
            if self.lock is None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # Held until the run is over, even where nothing can be written any more: nobody else may take the run over
                # meanwhile. The kernel lets it go however this process ends. It is not one of the locks that SQLite takes,
                # but those would go if the file were closed here: so it stays open for longer.
                self.lock = self.path.open("xb")
                fcntl.flock(self.lock, fcntl.LOCK_EX)
            with closing(sqlite3.connect(self.path)) as file:
                file.executescript(WRITING + TABLES if is_new else WRITING)
                self.write_all(file)
        except (OSError, sqlite3.Error) as error:
            self.end(f"{error}; see to its disk, or give another place with --journal DIR")

    def write_all(self, file: sqlite3.Connection) -> None:
        packing = SampleCompression()
        while not self.reason:
            records = self.gather()
            rows = [(*record[:3], body_of(record, packing)) for record in records if isinstance(record, Record)]
            with file:
                file.executemany("INSERT INTO records (at, kind, node, body) VALUES (?, ?, ?, ?)", rows)
            self.ends_at = rows[-1][0] if rows else self.ends_at
            for event in records:
                if isinstance(event, threading.Event):
                    event.set()
            if None in records:
                break
        self.is_whole = not self.reason
        # One file again, which can be copied and read where nothing can be written.
        file.execute("PRAGMA journal_mode = DELETE")

    def gather(self) -> list[Record | threading.Event | None]:
        """The next record, and those that come until the next commit is due."""
        found = [self.records.get()]
        self.hurried.wait(COMMIT_SECONDS)
        with suppress(queue.Empty):
            while True:
                found.append(self.records.get_nowait())
        return found


def body_of(record: Record, packing: SampleCompression) -> bytes:
    if isinstance(record.body, bytes):
        return record.body
    # Maps in the order of their names: else what did not change would be somewhere else each time.
    return packing.pack(record.node, record.body.SerializeToString(deterministic=True))


def remove(path: Path) -> None:
    for name in files_of(path):
        with suppress(FileNotFoundError):
            os.unlink(name)


def files_of(path: Path) -> list[Path]:
    """A journal that is being written, or was not ended, has its log and the log's index beside it."""
    return [path, *(path.with_name(path.name + beside) for beside in ("-wal", "-shm"))]


def lock_of(path: Path) -> BinaryIO | None:
    """The file, held as the one who writes it holds it; None where a coordinator does already."""
    file = path.open("rb")
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if is_written(path):
                file.close()
                return None
            continue  # somebody was only asking whether it is written, which takes microseconds
        return file


def is_written(path: Path) -> bool:
    """Whether a coordinator has the journal open for writing, or would if its disk let it."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read_only(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.Error."""
    # A log that was left behind is read as well; its index is made where that is possible.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def pragma(file: sqlite3.Connection, name: str) -> Any:
    return file.execute(f"PRAGMA {name}").fetchone()[0]
