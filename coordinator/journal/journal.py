"""The journal of a run: an SQLite file with everything that the summary is made of, written while the run goes on.

One thread writes and commits four times a second; the run does not wait for it. A commit goes into the write-ahead log and
survives if the process is killed. If the machine loses power, at most the commits since the last checkpoint are lost.
If the journal can no longer be written it ends, and the run continues.
"""

from __future__ import annotations

import fcntl
import os
import queue
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from google.protobuf.message import Message

from .codec import Plain, SampleCompression, to_json

APPLICATION_ID = 0x63316D6A  # "c1mj"; identifies the file as a journal in its header
VERSION = 1  # version of the tables and of their contents
COMMIT_SECONDS = 0.25
CLOSE_SECONDS = 10.0  # to wait for records that are not written yet when the run is over
MOST_BEHIND = 50_000  # records that may wait to be written: two minutes of a hundred nodes with four a second
# Pages of the write-ahead log after which they are moved into the file: 4 MB.
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
  number INTEGER PRIMARY KEY, -- in the order of events
  at REAL NOT NULL,           -- seconds on the coordinator's monotonic clock
  kind TEXT NOT NULL,         -- see replay.py
  node TEXT NOT NULL,         -- that sent it; empty: the coordinator itself
  body BLOB NOT NULL          -- a protobuf message, packed (codec.py), if a node sent it; otherwise JSON
);
"""


class Record(NamedTuple):
    """A record to be written to the journal. ``body``: JSON, a value to be written as JSON, or a message that a node sent."""

    at: float
    kind: str
    node: str
    body: bytes | Plain | Message


class Journal:
    """A journal file that is being written, by a thread that starts at once. The caller must ``close`` or ``discard`` it."""

    def __init__(self, path: Path, lock: BinaryIO | None = None, ends_at: float | None = None) -> None:
        """Start writing the journal at ``path``.

        ``lock``: the result of ``lock_of``, to continue an existing journal; None: create a new one. ``ends_at``: the time
        of the last record of an existing journal, on this coordinator's clock.
        """
        self.path = path
        self.lock = lock
        self.reason = ""  # why nothing more is written; empty: it is written
        self.ends_at = ends_at  # time of the last written record; None: none was written
        self.records: queue.SimpleQueue[Record | threading.Event | None] = queue.SimpleQueue()
        self.is_whole = False  # all records are written, and the journal is closed
        self.hurried = threading.Event()  # set: commit at once
        self.thread = threading.Thread(target=self.work, name="journal", daemon=True)
        self.thread.start()

    def record(self, record: Record) -> None:
        """Queue a record to be written by the journal's thread. Does nothing if the journal has ended. Returns nothing."""
        if not self.reason and self.records.qsize() >= MOST_BEHIND:
            self.end(f"the disk is too slow for it: {MOST_BEHIND:,} records wait")
        if not self.reason:
            self.records.put(record)

    def commit(self) -> None:
        """Block until all records that were queued so far are on the disk, or the journal has ended."""
        done = threading.Event()
        self.records.put(done)
        while self.thread.is_alive() and not done.wait(COMMIT_SECONDS):
            pass

    def close(self) -> str:
        """Write all queued records and close the journal.

        Returns why the journal is incomplete, as a sentence; an empty string if it is complete.
        """
        self.hurried.set()
        self.records.put(None)
        self.thread.join(CLOSE_SECONDS)
        if self.thread.is_alive():
            self.end(f"the disk did not take what was left within {CLOSE_SECONDS:.0f} s")
        elif not self.is_whole:
            self.end("its writer failed, which is a defect of c1m; the traceback is on stderr")
        if self.lock and not self.thread.is_alive():
            self.lock.close()
        return self.reason

    def discard(self) -> None:
        """Close and delete the journal, because its run never started. Returns nothing."""
        self.close()
        remove(self.path)

    def end(self, reason: str) -> None:
        """Stop writing the journal because of ``reason``. Only the first reason is kept. Returns nothing."""
        self.reason = self.reason or f"{self.path} cannot be written: {reason}"

    # -- in the thread

    def work(self) -> None:
        """Run the journal's thread: open the file, and write records until the journal is closed or cannot be written."""
        try:
            is_new = self.lock is None
            if self.lock is None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # The lock is held until the run is over, even if the journal can no longer be written, so that no other
                # coordinator takes the run over. The kernel releases it however this process ends. SQLite uses other locks,
                # which closing this file would release: so it stays open longer than the database.
                self.lock = self.path.open("xb")
                fcntl.flock(self.lock, fcntl.LOCK_EX)
            with closing(sqlite3.connect(self.path)) as file:
                file.executescript(WRITING + TABLES if is_new else WRITING)
                self.write_all(file)
        except (OSError, sqlite3.Error) as error:
            self.end(f"{error}; check its disk, or give another directory with --journal DIR")

    def write_all(self, file: sqlite3.Connection) -> None:
        """Write queued records to the open database until the journal is closed or has ended."""
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
        # Without a log the journal is one file, which can be copied, and read on a read-only disk.
        file.execute("PRAGMA journal_mode = DELETE")

    def gather(self) -> list[Record | threading.Event | None]:
        """Block until a record is queued; return it and all that are queued before the next commit is due.

        The list may also hold an event to set after the commit, and None, which ends the journal.
        """
        found = [self.records.get()]
        self.hurried.wait(COMMIT_SECONDS)
        with suppress(queue.Empty):
            while True:
                found.append(self.records.get_nowait())
        return found


def body_of(record: Record, packing: SampleCompression) -> bytes:
    """Return the body of a record as the bytes that are stored: JSON as it is, a message compressed."""
    if isinstance(record.body, bytes):
        return record.body
    if isinstance(record.body, Plain):
        return to_json(record.body.value)
    # Deterministic: maps are sorted by key, so that unchanged parts stay in place and compress well.
    return packing.pack(record.node, record.body.SerializeToString(deterministic=True))


def remove(path: Path) -> None:
    """Delete a journal file with its write-ahead log. Files that do not exist are ignored."""
    for name in files_of(path):
        with suppress(FileNotFoundError):
            os.unlink(name)


def files_of(path: Path) -> list[Path]:
    """Return the paths of all files of a journal: the database, its write-ahead log and the index of the log.

    The last two exist while the journal is written, and if it was not closed.
    """
    return [path, *(path.with_name(path.name + beside) for beside in ("-wal", "-shm"))]


def lock_of(path: Path) -> BinaryIO | None:
    """Return the opened file of a journal, locked for writing; None if another coordinator holds the lock."""
    file = path.open("rb")
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if is_written(path):
                file.close()
                return None
            continue  # another process only checked is_written(), which takes microseconds
        return file


def is_written(path: Path) -> bool:
    """Return True if a coordinator holds the lock of the journal at ``path``, even if it can no longer write."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read_only(path: Path) -> sqlite3.Connection:
    """Return a read-only connection to the database of a journal, with a log that was left behind. Raises sqlite3.Error."""
    # SQLite makes the index of the log if the directory can be written.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def pragma(file: sqlite3.Connection, name: str) -> int:
    """Return the number that the SQLite pragma ``name`` of an open database has."""
    value: int = file.execute(f"PRAGMA {name}").fetchone()[0]
    return value
