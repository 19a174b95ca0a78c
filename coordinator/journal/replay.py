"""A run out of its journal: what happened is folded again, by the code that folded it when it happened.

| kind of record | body |
|---|---|
| run | who, when, and the settings, as a person writes them; the first |
| mustered | what the nodes described |
| planned | the plan in short; it was made of what they described, and here is again |
| began | (nothing) the workers are told to start |
| sample, reading | of the node: a Sample, a Reading of c1m.v1 |
| lost | of the node: why nothing more comes from it |
| moved | of a lost node: who took over how much of its share, and why not all |
| turn | what the run does from then on |
| said | a sentence that a person was told |
| state | what of the outcome (outcome.py) is different since the last one |
| resumed | another coordinator goes on from here, on a clock of its own: when it did, and when the run began on that clock |
| over | (nothing) nobody tells anything more |
| verdict | the summary's, with its exit code; the last |
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
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.results.outcome import Outcome, TakeoverRecord
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.requirements import Judgement
from c1m.errors import UsageError
from c1m.text.units import format_duration
from c1m.v1 import node_pb2
from c1m.wire import node_messages as wire

from .codec import Header, SampleCompression, from_plain
from .journal import APPLICATION_ID, VERSION, is_written, pragma, read_only

TYPES: Mapping[str, Any] = {**get_type_hints(Outcome), "judgements": list[Judgement]}


class UnpackedRecord(NamedTuple):
    """A record, unpacked."""

    at: float
    kind: str
    node: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Moved:
    taken_by: Mapping[str, int]
    not_taken: str


@dataclass(frozen=True, slots=True)
class Resumed:
    at: datetime
    began: float | None


class Replay:
    """Of one run, whose first record has been read."""

    def __init__(self, header: Header, shift: float = 0.0) -> None:
        """``shift``: seconds from the clock of the run's first coordinator to the one that all is to be told by."""
        spec = make_spec([("its journal", header.settings)])
        self.shift = shift
        self.at, self.at_monotonic = header.at, header.at_monotonic + shift
        self.first_at = self.heard_at = self.at_monotonic
        self.outcome = Outcome(header.run_id, spec, header.started_at, seed=header.seed)
        self.mustered = Survey()
        self.entries: dict[str, NodeRecord] = {}
        self.last = self.at_monotonic  # when the newest record was made
        self.is_over = False

    def instant(self, monotonic: float) -> datetime:
        return self.at + timedelta(seconds=monotonic - self.at_monotonic)

    def take(self, record: UnpackedRecord) -> None:
        if record.kind == RESUMED:
            self.change_clocks(resumed(record).began)
        record = record._replace(at=record.at + self.shift)
        self.last = record.at
        if handle := HANDLERS.get(record.kind):
            handle(self, record)

    def end(self) -> Outcome:
        """As far as it went."""
        outcome = self.outcome
        if outcome.ended_at is None and outcome.ledger and not self.is_over:
            outcome.ledger.timeline.end(self.last, outcome.ledger.moment)
        if outcome.ended_at is None and not outcome.findings:
            outcome.findings = outcome.found()
        return outcome

    def change_clocks(self, began: float | None) -> None:
        """To one on which the run began then; what is told from here on fits what was told before. None: it had not begun."""
        if began is not None and self.ledger.timeline.began is not None:
            self.shift = self.ledger.timeline.began - began

    # -- each kind of record

    @property
    def ledger(self) -> Ledger:
        return self.outcome.ledger or Ledger((), None)

    def entry(self, record: UnpackedRecord) -> NodeRecord:
        return self.entries[record.node]

    def survey(self, record: UnpackedRecord) -> None:
        self.mustered = from_plain(plain(record), Survey)
        self.outcome.mustered(self.mustered)

    def plan(self, _: UnpackedRecord) -> None:
        if not (self.mustered.target or self.outcome.spec.endpoint):
            raise ValueError("a plan for a target that has not been described")
        self.outcome.make_plan(self.mustered)
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
        self.ledger.lose(self.entry(record), plain(record), record.at)

    def move(self, record: UnpackedRecord) -> None:
        told = from_plain(plain(record), Moved)
        self.ledger.move(record.node, told.taken_by, told.not_taken)

    def turn(self, record: UnpackedRecord) -> None:
        self.ledger.timeline.turn(record.at, plain(record))

    def state(self, record: UnpackedRecord) -> None:
        for name, value in dict(plain(record)).items():
            setattr(self.outcome, name, from_plain(value, TYPES[name]))
        for move in self.outcome.moves:
            if not {move.lost, move.taker} <= self.entries.keys():
                raise ValueError(f"a share that {move.taker} took of {move.lost}, which are not both of the run")

    def resume(self, record: UnpackedRecord) -> None:
        """Where the record of the beginning was lost, the new coordinator's word stands for it."""
        told, timeline = resumed(record), self.ledger.timeline
        self.at, self.at_monotonic = told.at, record.at
        if told.began is None:
            return
        if timeline.began is None:
            timeline.begin(told.began + self.shift, self.ledger.moment)
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
LATEST = 1e10  # seconds of a monotonic clock; no machine runs for three centuries
PACKED = frozenset({"sample", "reading"})


def plain(record: UnpackedRecord) -> Any:
    return json.loads(record.body)


def resumed(record: UnpackedRecord) -> Resumed:
    told = from_plain(plain(record), Resumed)
    if told.began is not None and abs(told.began) > LATEST:
        raise ValueError(f"a run that began at {told.began} seconds")
    return told


def replay(path: Path) -> Outcome:
    """Raises UsageError where it is no journal, or one that cannot be understood."""
    written = is_written(path)
    replayed = replayed_to_now(path)
    outcome = replayed.end()
    if outcome.ended_at is None:
        outcome.cut_off = cut_off(format_duration(replayed.last - replayed.first_at), written=written)
    outcome.known_until = outcome.ended_at or replayed.instant(replayed.last)
    return outcome


def replayed_to_now(path: Path, began: float | None = None) -> Replay:
    """As far as the journal goes. ``began``: when the run began, on a clock that all is to be told by; None: on its own.

    Raises UsageError where it is no journal, or one that cannot be understood.
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
    """The run's id, its settings, and when they were written down. Raises UsageError as ``replay`` does."""
    with broken_told(path), closing(read_only(path)) as file:
        check(path, file)
        return header_of(path, records_of(file))


def header_of(path: Path, records: Iterator[UnpackedRecord]) -> Header:
    first = next(records, None)
    if first is None:
        raise UsageError(f"{path} is empty: its run ended as it began, or its disk was full; there is nothing to show")
    return from_plain(plain(first), Header)


def began_at(file: sqlite3.Connection) -> float | None:
    """When the workers were told to start, by the clock of whoever wrote it down first; None: nobody did."""
    query = "SELECT at, kind, node, body FROM records WHERE kind IN ('began', ?) ORDER BY number LIMIT 1"
    for record in map(UnpackedRecord._make, file.execute(query, (RESUMED,))):
        return resumed(record).began if record.kind == RESUMED else record.at
    return None


@contextmanager
def broken_told(path: Path) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise UsageError(
            f"{path} cannot be read as a journal of this c1m ({error}); it is damaged, or another version's"
        ) from None


# What comes of bytes that are not what they should be, and of records that do not fit one another. Not AttributeError, and not
# AssertionError: those would be a defect of ours.
BROKEN = (
    *(sqlite3.Error, zlib.error, DecodeError, cattrs.BaseValidationError),
    *(ValueError, TypeError, LookupError, ArithmeticError),
)


def cut_off(after: str, *, written: bool) -> str:
    if written:
        return f"the run goes on; this is what its journal has of the first {after}"
    return f"its journal ends {after} after the start: the coordinator was killed, or the disk was full"


def check(path: Path, file: sqlite3.Connection) -> None:
    """Raises UsageError for another's file, and another version's."""
    if pragma(file, "application_id") != APPLICATION_ID:
        raise UsageError(f"{path} is no journal of c1m; name a run that c1m-coord runs lists")
    if (version := pragma(file, "user_version")) != VERSION:
        raise UsageError(f"{path} is a journal of version {version}, and this c1m reads {VERSION}; use the c1m that wrote it")


def records_of(file: sqlite3.Connection) -> Iterator[UnpackedRecord]:
    packing = SampleCompression()
    for at, kind, node, body in file.execute("SELECT at, kind, node, body FROM records ORDER BY number"):
        if not 0 <= at <= LATEST:
            raise ValueError(f"a record at {at} seconds")
        if kind == RESUMED:
            packing = SampleCompression()  # whoever goes on has not seen what was written before
        yield UnpackedRecord(at, kind, node, packing.unpack(node, body) if kind in PACKED else body)
