"""Journals: what stands in the rows of one, and a file that may be one. Shown and listed they are values, or a UsageError.

An input is rows as text, a line each: when, kind, node and body with tabs between; of messages the body is in hexadecimal. The
target packs them as a journal has them. In ``journal`` the rows are changed, in ``shelf`` the file.
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from google.protobuf.message import Message
from rich.console import Console

from c1m.coordinator.commands.attach import within_lease
from c1m.coordinator.fleet.descriptions import described_target, described_worker
from c1m.coordinator.fleet.survey import Survey
from c1m.coordinator.journal.codec import Header, SampleCompression, from_plain, to_json
from c1m.coordinator.journal.index import contents_of
from c1m.coordinator.journal.journal import TABLES
from c1m.coordinator.journal.recorder import header, snapshot
from c1m.coordinator.journal.replay import PACKED, Replay, UnpackedRecord, broken_told, replay
from c1m.coordinator.planning.plan import PlannedRoute, ShardPlan
from c1m.coordinator.planning.redistribution import AddedShard, Move
from c1m.coordinator.report.summary_tables import print_report
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.run.takeover import read_left
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.summary.json_text import written
from c1m.errors import C1mError
from c1m.v1 import node_pb2
from chance import EXTREMES, FLOATS, TEXTS, mutated
from fuzzed import Target, room, tried

from .fleets import sound_target, sound_worker
from .requests import disturbed

ROOM = room()
WORKER, TARGET = "worker a:1", "target b:2"
SHOWN = 8  # of so many one is printed, since tables take longer than all else together
SMALL_PAGES = 512  # bytes: a journal of these fits an input


# -- a run that was


def sample(opened: int, phase: str, *, reading: int | None = None) -> node_pb2.Sample:
    made = node_pb2.Sample(phase=phase, elapsed_ns=opened * 10**9, processes=2, scheduled=opened, schedule_version=1)
    made.tally.attempted = made.tally.opened = opened
    made.histograms["connect_latency_us"].values_us[:], made.histograms["connect_latency_us"].counts[:] = [50], [opened]
    made.sources.add(kind="connect_latency_us", source="127.0.0.2", count=opened, p50_us=5, p99_us=9, max_us=10)
    if reading is not None:
        made.reading.number, made.reading.sockets, made.reading.slab_bytes, made.reading.pss_bytes = reading, opened, 5000, 100
        cache = made.reading.caches["TCP"]
        cache.objects, cache.object_bytes, cache.full_bytes, cache.page_bytes = opened, 2368, opened * 2368, 32_768
        made.reading.counters["ListenOverflows"], made.reading.levels["open_files"] = opened, 50
    return made


def rows_of_a_run(settings: dict[str, Any]) -> Iterable[UnpackedRecord]:
    """As its coordinator wrote them down, told that all is well."""
    outcome = Outcome("20261129T120000-beef", make_spec([("fuzz", settings)]), datetime(2026, 11, 29, 12, tzinfo=UTC))
    first = header(outcome, 100.0, outcome.started_at)
    yield UnpackedRecord(100.0, "run", "", bytes(first.body))  # type: ignore[arg-type]
    worker = described_worker(WORKER, sound_worker(Random(1)), None)
    target = described_target(TARGET, sound_target(Random(1)), None)
    yield UnpackedRecord(100.5, "mustered", "", to_json(Survey({WORKER: worker}, TARGET, target, "127.0.0.1")))
    yield UnpackedRecord(100.6, "planned", "", b"null")
    yield UnpackedRecord(101.0, "began", "", b"null")
    yield UnpackedRecord(101.0, "turn", "", b'"opening"')
    for opened, phase in ((1, "PHASE_OPENING"), (5, "PHASE_HOLDING")):
        for node in (WORKER, TARGET):
            yield UnpackedRecord(101.0 + opened, "sample", node, sample(opened, phase, reading=opened).SerializeToString())
    yield UnpackedRecord(106.5, "reading", WORKER, sample(5, "PHASE_HOLDING", reading=9).reading.SerializeToString())
    yield UnpackedRecord(107.0, "turn", "", b'"holding"')


def sound(settings: dict[str, Any], *after: UnpackedRecord) -> bytes:
    rows = list(rows_of_a_run(settings))
    replayed = Replay(from_plain(json.loads(rows[0].body), Header))
    for row in rows[1:]:
        replayed.take(row)
    noticed = {name: value for name, value in snapshot(replayed.outcome.as_of_now()).items() if value}
    noticed["ended_at"] = datetime(2026, 11, 29, 12, 1, tzinfo=UTC)
    rows += [UnpackedRecord(108.0, "state", "", to_json(noticed)), *after]
    return told(rows)


def told(rows: Iterable[UnpackedRecord]) -> bytes:
    return b"\n".join(
        f"{at}\t{kind}\t{node}\t".encode() + (body.hex().encode() if kind in PACKED else body) for at, kind, node, body in rows
    )


TAKEN = Move(WORKER, WORKER, (AddedShard(0, ShardPlan((PlannedRoute(0, 0, 5, 5),))),), taken=False)
ASKED = UnpackedRecord(108.5, "state", "", to_json({"destinations": [("127.0.0.1", 4000)], "moves": [TAKEN]}))
LOST = UnpackedRecord(108.5, "lost", WORKER, b'"worker a:1 did not answer"')
MOVED = UnpackedRecord(108.6, "moved", WORKER, b'{"taken_by": {}, "not_taken": "there is no room"}')
RESUMED = UnpackedRecord(5.0, "resumed", "", b'{"at": "2026-11-29T12:00:20+00:00", "began": 2.0}')
END = (
    UnpackedRecord(109.0, "over", "", b"null"),
    UnpackedRecord(109.5, "verdict", "", b'{"verdict": "passed", "exit_code": 0}'),
)
SEEDS = (
    sound({"total": "5", "hold": "1s", "require": ["always dropped == 0"]}, *END),
    sound({"total": "5", "worker": ["a:1"], "target": "b:2"}, LOST, ASKED, MOVED, *END),
    sound({"stage": ["5@5s", "5@1m"], "worker": ["a:1"], "target": "b:2", "lifetime": "exp:1m", "storm": ["at=1s"]}, RESUMED),
)


# -- changed


def changed_rows(chance: Random) -> bytes:
    """With one or two rows that say something else, are elsewhere, or are not there."""
    rows = [line.split(b"\t", 3) for line in chance.choice(SEEDS).split(b"\n")]
    for _ in range(chance.randint(1, 2)):
        row = chance.choice(rows)
        match chance.randrange(6):
            case 0:
                rows.remove(row)
                rows.insert(chance.randrange(len(rows)), row)
            case 1:
                rows.remove(row)
            case 2:
                row[0] = str(chance.choice((*FLOATS, *EXTREMES))).encode()
            case 3:
                row[2] = chance.choice((b"", WORKER.encode(), TARGET.encode(), b"worker c:3"))
            case _:
                row[3] = other_body(row[1].decode(), row[3], chance)
    return b"\n".join(b"\t".join(row) for row in rows)


def other_body(kind: str, body: bytes, chance: Random) -> bytes:
    if kind in PACKED:
        message: Message = (node_pb2.Sample if kind == "sample" else node_pb2.Reading).FromString(bytes.fromhex(body.decode()))
        return disturbed(message, chance).hex().encode()
    return json.dumps(other_value(json.loads(body), chance)).encode()


def other_value(value: Any, chance: Random) -> Any:
    """The same but for one place, somewhere in it."""
    if isinstance(value, dict) and value and chance.random() < 0.95:
        name = chance.choice(list(value))
        if chance.random() < 0.1:
            return {each: value[each] for each in value if each != name}
        return {**value, name: other_value(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        place = chance.randrange(len(value))
        return [*value[:place], other_value(value[place], chance), *value[place + 1 :]]
    return chance.choice((None, True, [], {}, [1], {"a": 1}, *TEXTS, *EXTREMES, *FLOATS))


# -- and looked at


def look_at(path: Path, shown: bool) -> str:
    """By every command that does."""
    found = contents_of(path)
    written(found.to_summary())
    within_lease(path, found)
    tried(read_left, path, refusals=(C1mError,))
    return tried(show, path, shown, refusals=(C1mError,))


def show(path: Path, shown: bool) -> object:
    with broken_told(path):
        summary = summarise(replay(path))
    written(summary)
    if shown:
        print_report(summary, Console(file=io.StringIO(), width=160))
    return summary


def rows(data: bytes) -> str:
    path = ROOM / "rows.journal"
    path.unlink(missing_ok=True)
    write(path, [line.split(b"\t", 3) for line in data.split(b"\n") if line.count(b"\t") >= 3])
    return look_at(path, len(data) % SHOWN == 0)


def write(path: Path, lines: Iterable[list[bytes]]) -> None:
    packing = SampleCompression()
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA page_size = {SMALL_PAGES}")
        file.execute("PRAGMA synchronous = OFF")
        file.executescript(TABLES)
        for at, kind, node, body in lines:
            row = (number(at), kind.decode(errors="replace"), node.decode(errors="replace"), body_of(kind, node, body, packing))
            file.execute("INSERT INTO records (at, kind, node, body) VALUES (?, ?, ?, ?)", row)
        file.commit()


def number(text: bytes) -> float | str:
    """NaN is NULL for SQLite, which the table does not take."""
    try:
        return text.decode() if (value := float(text)) != value else value
    except ValueError:
        return text.decode(errors="replace")


def body_of(kind: bytes, node: bytes, body: bytes, packing: SampleCompression) -> bytes:
    if kind.decode(errors="replace") not in PACKED:
        return body
    try:
        return packing.pack(node.decode(errors="replace"), bytes.fromhex(body.decode()))
    except ValueError:
        return body


def file(data: bytes) -> str:
    path = ROOM / "file.journal"
    path.write_bytes(data)
    return look_at(path, len(data) % SHOWN == 0)


def small_file() -> bytes:
    path = ROOM / "small.journal"
    kept = [line.split(b"\t", 3) for line in SEEDS[0].split(b"\n")]
    write(path, [row for row in kept if row[1] in (b"run", b"turn", b"over", b"verdict")])
    return path.read_bytes()


FILE = small_file()
TARGETS = (
    Target("journal", SEEDS, changed_rows, rows),
    Target("shelf", (FILE, b"", FILE[:512]), lambda chance: mutated(FILE, chance, FILE), file),
)
