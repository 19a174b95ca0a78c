"""Replay: rebuilds a run from its journal, with the same code that processed the events of the live run.

| kind of record | body |
|---|---|
| run | the first record: run id, time, and the settings as the user wrote them |
| mustered | what the nodes described |
| planned | the plan in short; the replay makes it again from the descriptions |
| began | empty: the workers are asked to start |
| sample, reading | a Sample or a Reading of c1m.v1 that the node sent |
| lost | why the node is lost: a LossReason; in journals of an earlier c1m a sentence |
| moved | which workers took over how much of a lost node's share, and why not all |
| turn | what the run does from then on |
| said | a sentence that was shown to the user |
| state | fields of the outcome (outcome.py) that changed since the last state record |
| resumed | another coordinator continues from here with its own clock: when, and when the run began on that clock |
| over | empty: no more samples will come |
| verdict | the last record: verdict and exit code of the summary |
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import cattrs
from google.protobuf.message import DecodeError

from c1m.coordinator.fleet.survey import Survey
from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.results.outcome import Outcome, TakeoverRecord
from c1m.coordinator.results.planned_run import plan_run
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.requirements import Judgement
from c1m.errors import UsageError
from c1m.text.units import format_duration
from c1m.v1 import node_pb2
from c1m.wire import node_messages as wire

from .codec import Header, SampleCompression, from_plain
from .journal import APPLICATION_ID, VERSION, is_written, pragma, read_only

TYPES: Mapping[str, type] = {**get_type_hints(Outcome), "judgements": list[Judgement]}


class UnpackedRecord(NamedTuple):
    """A record that was read from a journal, with its body decompressed."""

    at: float
    kind: str
    node: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Moved:
    """The body of a record of the kind "moved": which workers took over a lost worker's connections, and why not all."""

    taken_by: Mapping[str, int]
    not_taken: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The body of a record of the kind "resumed", which another coordinator wrote when it took the run over.

    ``began``: when the run began, on that coordinator's clock; None if it had not begun.
    """

    at: datetime
    began: float | None


class Replay:
    """Rebuilds the outcome of one run from the records of its journal, in the order in which they were written."""

    def __init__(self, header: Header, shift: float = 0.0) -> None:
        """Start the replay with ``header``, the first record of the journal.

        ``shift``: seconds to add to the times of the run's first coordinator.
        """
        spec = make_spec([("its journal", header.settings)])
        self.shift = shift
        self.at, self.at_monotonic = header.at, header.at_monotonic + shift
        self.first_at = self.heard_at = self.at_monotonic
        self.outcome = Outcome(header.run_id, spec, header.started_at, seed=header.seed)
        self.mustered = Survey()
        self.entries: dict[str, NodeRecord] = {}
        self.last = self.at_monotonic  # time of the newest record
        self.is_over = False

    def instant(self, monotonic: float) -> datetime:
        """Return the date and time of a moment on the coordinator's monotonic clock."""
        return self.at + timedelta(seconds=monotonic - self.at_monotonic)

    def take(self, record: UnpackedRecord) -> None:
        """Process the next record of the journal. Records of unknown kinds are ignored. Returns nothing."""
        if record.kind == RESUMED:
            self.change_clocks(resumed(record).began)
        record = record._replace(at=record.at + self.shift)
        self.last = record.at
        if handle := HANDLERS.get(record.kind):
            handle(self, record)

    def end(self) -> Outcome:
        """Return the outcome of the run after the last record, complete as far as the records go."""
        outcome = self.outcome
        if outcome.ended_at is None and outcome.ledger and not self.is_over:
            outcome.ledger.timeline.end(self.last, outcome.ledger.moment)
        if outcome.ended_at is None:
            outcome.conclude_findings()
        return outcome

    def change_clocks(self, began: float | None) -> None:
        """Convert the times of later records from the clock of the coordinator that took the run over.

        ``began``: when the run began on that clock; None: it had not begun, and nothing changes.
        """
        if began is not None and self.ledger.timeline.began is not None:
            self.shift = self.ledger.timeline.began - began

    # -- one method for each kind of record

    @property
    def ledger(self) -> Ledger:
        """The ledger of the replayed run; an empty one before the record of the plan."""
        return self.outcome.ledger or Ledger((), None)

    def entry(self, record: UnpackedRecord) -> NodeRecord:
        """Return the ledger's record of the node that sent a journal record.

        Raises KeyError for a node that is not part of the run.
        """
        return self.entries[record.node]

    def survey(self, record: UnpackedRecord) -> None:
        self.mustered = from_plain(plain(record), Survey)
        self.outcome.mustered(self.mustered)

    def plan(self, _: UnpackedRecord) -> None:
        if not (self.mustered.target or self.outcome.spec.endpoint):
            raise ValueError("a plan without a description of its target")
        self.outcome.planned(plan_run(self.outcome.spec, self.mustered))
        self.entries = {entry.name: entry for entry in self.ledger.entries}

    def begin(self, record: UnpackedRecord) -> None:
        self.ledger.timeline.begin(record.at, self.ledger.moment)

    def sample(self, record: UnpackedRecord) -> None:
        entry, self.heard_at = self.entry(record), record.at
        self.ledger.hear(entry, wire.sample_from_wire(node_pb2.Sample.FromString(record.body)), record.at)
        self.outcome.limit_usages.look(entry.name, entry.history.first, entry.history.last)

    def reading(self, record: UnpackedRecord) -> None:
        self.ledger.read(self.entry(record), wire.reading_from_wire(node_pb2.Reading.FromString(record.body)), record.at)

    def lose(self, record: UnpackedRecord) -> None:
        self.ledger.lose(self.entry(record), loss_reason(record), record.at)

    def move(self, record: UnpackedRecord) -> None:
        moved = from_plain(plain(record), Moved)
        self.ledger.move(record.node, moved.taken_by, moved.not_taken)

    def turn(self, record: UnpackedRecord) -> None:
        self.ledger.timeline.turn(record.at, Doing(plain(record)))

    def state(self, record: UnpackedRecord) -> None:
        for name, value in dict(plain(record)).items():
            setattr(self.outcome, name, from_plain(value, TYPES[name]))
        for move in self.outcome.moves:
            if not {move.lost, move.taker} <= self.entries.keys():
                raise ValueError(f"{move.taker} took over a share of {move.lost}, but not both are nodes of the run")

    def resume(self, record: UnpackedRecord) -> None:
        """Process the record that another coordinator took the run over: add the takeover to the outcome.

        The record also has the time at which the run began, in case the record of that was lost.
        """
        takeover, timeline = resumed(record), self.ledger.timeline
        self.at, self.at_monotonic = takeover.at, record.at
        if takeover.began is None:
            return
        if timeline.began is None:
            timeline.begin(takeover.began + self.shift, self.ledger.moment)
        assert timeline.began is not None
        silent_from = max(self.heard_at - timeline.began, 0.0)
        self.outcome.takeovers.append(TakeoverRecord(self.at, silent_from, record.at - timeline.began))

    def over(self, record: UnpackedRecord) -> None:
        self.is_over = True
        self.ledger.timeline.end(record.at, self.ledger.moment)


RESUMED = "resumed"
HANDLERS: Mapping[str, Callable[[Replay, UnpackedRecord], None]] = {
    "mustered": Replay.survey,
    "planned": Replay.plan,
    "began": Replay.begin,
    "sample": Replay.sample,
    "reading": Replay.reading,
    "lost": Replay.lose,
    "moved": Replay.move,
    "turn": Replay.turn,
    "state": Replay.state,
    RESUMED: Replay.resume,
    "over": Replay.over,
}
LATEST = 1e10  # seconds of a monotonic clock: three centuries
PACKED = frozenset({"sample", "reading"})


def plain(record: UnpackedRecord) -> Any:
    """Return the body of a journal record, decoded from JSON."""
    return json.loads(record.body)


def loss_reason(record: UnpackedRecord) -> LossReason:
    """Return the decoded body of a journal record of the kind "lost". A sentence is of a journal of an earlier c1m."""
    body = plain(record)
    return LossReason(LossKind.UNKNOWN, body) if isinstance(body, str) else from_plain(body, LossReason)


def resumed(record: UnpackedRecord) -> Resumed:
    """Return the decoded body of a journal record of the kind "resumed".

    Raises ValueError if the time in it is impossible.
    """
    body = from_plain(plain(record), Resumed)
    if body.began is not None and abs(body.began) > LATEST:
        raise ValueError(f"the run began at {body.began} seconds")
    return body


def replay(path: Path) -> Outcome:
    """Return the outcome of a run, rebuilt from the journal at ``path``.

    Raises UsageError if the file is not a journal, or not a readable one.
    """
    written = is_written(path)
    replayed = replayed_to_now(path)
    outcome = replayed.end()
    ended_at, covered = outcome.ended_at, format_duration(replayed.last - replayed.first_at)
    outcome.cut(ended_at or replayed.instant(replayed.last), cut_off="" if ended_at else cut_off(covered, written=written))
    return outcome


def replayed_to_now(path: Path, began: float | None = None) -> Replay:
    """Return the replay of a run after all records that its journal has by now.

    ``began``: when the run began, on the clock to which all times are converted; None: times are left as they are. Raises
    UsageError if the file is not a journal, or not a readable one.
    """
    with broken_told(path), closing(read_only(path)) as file:
        check(path, file)
        then = began_at(file)
        records = records_of(file)
        replayed = Replay(header_of(path, records), 0.0 if began is None or then is None else began - then)
        for record in records:
            replayed.take(record)
        return replayed


def read_header(path: Path) -> Header:
    """Return the decoded first record of the journal at ``path``: run id, version, start time, seed and settings.

    Raises UsageError if the file is not a journal, or not a readable one.
    """
    with broken_told(path), closing(read_only(path)) as file:
        check(path, file)
        return header_of(path, records_of(file))


def header_of(path: Path, records: Iterator[UnpackedRecord]) -> Header:
    """Return the decoded first record of a journal from the iterator over its records.

    Raises UsageError if the journal has no record.
    """
    first = next(records, None)
    if first is None:
        raise UsageError(f"{path} is empty: its run ended at once, or its disk was full; there is nothing to show")
    return from_plain(plain(first), Header)


def began_at(file: sqlite3.Connection) -> float | None:
    """Return when the workers were asked to start, in seconds on the clock of the first coordinator that recorded it.

    None: no record says that they were.
    """
    query = "SELECT at, kind, node, body FROM records WHERE kind IN ('began', ?) ORDER BY number LIMIT 1"
    for record in map(UnpackedRecord._make, file.execute(query, (RESUMED,))):
        return resumed(record).began if record.kind == RESUMED else record.at
    return None


@contextmanager
def broken_told(path: Path) -> Iterator[None]:
    """Context manager that raises UsageError in place of errors caused by a damaged file or one that is no journal."""
    try:
        yield
    except BROKEN as error:
        raise UsageError(
            f"{path} cannot be read as a journal of this c1m ({error}); it is damaged, or written by another version"
        ) from None


# Errors that damaged bytes and inconsistent records cause. AttributeError and AssertionError are left out: they would be
# defects of c1m.
BROKEN = (
    *(sqlite3.Error, zlib.error, DecodeError, cattrs.BaseValidationError),
    *(ValueError, TypeError, LookupError, ArithmeticError),
)


def cut_off(after: str, *, written: bool) -> str:
    """Return a sentence on why the journal ends before the run did.

    ``after``: how much of the run it covers, as text. ``written``: the run still goes on.
    """
    if written:
        return f"the run is still going on; its journal covers the first {after}"
    return f"its journal ends {after} after the start: the coordinator was killed, or the disk was full"


def check(path: Path, file: sqlite3.Connection) -> None:
    """Raise UsageError if the opened file is not a journal of c1m, or has another version. Returns nothing."""
    if pragma(file, "application_id") != APPLICATION_ID:
        raise UsageError(f"{path} is not a journal of c1m; name a run that c1m-coord runs lists")
    if (version := pragma(file, "user_version")) != VERSION:
        raise UsageError(
            f"{path} is a journal of version {version}, but this c1m reads version {VERSION}; use the c1m that wrote it"
        )


def records_of(file: sqlite3.Connection) -> Iterator[UnpackedRecord]:
    """Yield all records of a journal in order, with decompressed bodies.

    Raises ValueError for an impossible time.
    """
    packing = SampleCompression()
    for at, kind, node, body in file.execute("SELECT at, kind, node, body FROM records ORDER BY number"):
        if not 0 <= at <= LATEST:
            raise ValueError(f"a record was made at {at} seconds")
        if kind == RESUMED:
            packing = SampleCompression()  # the new coordinator does not know earlier messages
        yield UnpackedRecord(at, kind, node, packing.unpack(node, body) if kind in PACKED else body)
