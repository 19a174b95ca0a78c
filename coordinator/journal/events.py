"""The events of a run from its journal: the records that people and programs can read, with times since the start."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from c1m.coordinator.results.node_summaries import host_summary
from c1m.coordinator.summary import events as of
from c1m.coordinator.summary.events import Event
from c1m.coordinator.summary.summary import VerdictName

from .codec import Header, JudgedRun, from_plain
from .journal import read_only
from .replay import RESUMED, Replay, UnpackedRecord, broken_told, check, header_of, plain, records_of, resumed


def events(path: Path) -> Iterator[Event]:
    """Yield the events of a run in their order. Raises UsageError if the file is not a journal, or not a readable one."""
    with broken_told(path), closing(read_only(path)) as file:
        check(path, file)
        records = records_of(file)
        header = header_of(path, records)
        yield run_event(header)
        replayed = Replay(header)
        for record in records:
            findings, turns = len(replayed.outcome.diagnosis), len(replayed.ledger.timeline.turns)
            replayed.take(record)
            at = seconds_of(replayed)
            if make := EVENTS.get(record.kind):
                yield make(replayed, record, at)
            yield from (of.TurnEvent(at, doing) for _, doing in replayed.ledger.timeline.turns[turns:])
            yield from (of.FindingEvent(at, found.to_summary()) for found in replayed.outcome.diagnosis[findings:])


def seconds_of(replayed: Replay) -> float | None:
    """Return the time of the newest record, in seconds since the start; None: before it."""
    began = replayed.ledger.timeline.began
    return None if began is None else round(replayed.last - began, 3)


def run_event(header: Header) -> Event:
    """Return the first event of a run."""
    command = shlex.join(["c1m-coord", "run", *header.words])
    return of.RunEvent(of.SCHEMA, header.run_id, header.started_at, header.c1m, header.seed, command)


def nodes_event(replayed: Replay, _: UnpackedRecord, at: float | None) -> Event:
    """Return the event that all nodes have described themselves."""
    found = replayed.mustered
    hosts = {name: host_summary(each.host, each.clock) for name, each in found.workers.items()}
    if found.target:
        hosts[found.target_name] = host_summary(found.target.host, found.target.clock)
    return of.NodesEvent(at, hosts)


def sample_event(replayed: Replay, record: UnpackedRecord, at: float | None) -> Event:
    """Return the event that a node has sent its counts."""
    sample = replayed.entry(record).sample
    tally = sample.tally
    return of.SampleEvent(
        at_seconds=at,
        node=record.node,
        phase=sample.phase.name.lower(),
        open=tally.open,
        opened=tally.opened,
        in_flight=tally.in_flight,
        counts=tally,
        established=replayed.ledger.established,
    )


def planned_event(replayed: Replay, _: UnpackedRecord, at: float | None) -> Event:
    """Return the event that the plan is made."""
    plan = replayed.outcome.plan
    return of.PlannedEvent(at, plan.to_summary() if plan else None)


def verdict_event(_: Replay, record: UnpackedRecord, at: float | None) -> Event:
    """Return the last event. Raises ValueError for a verdict that this c1m does not know."""
    judged = from_plain(plain(record), JudgedRun)
    return of.VerdictEvent(at, VerdictName(judged.verdict), judged.exit_code)


EVENTS: Mapping[str, Callable[[Replay, UnpackedRecord, float | None], Event]] = {
    "mustered": nodes_event,
    "planned": planned_event,
    "began": lambda _replayed, _record, at: of.BeganEvent(at),
    "sample": sample_event,
    "said": lambda _, record, at: of.SaidEvent(at, str(plain(record))),
    "lost": lambda replayed, record, at: of.LostEvent(at, replayed.ledger.losses[record.node].to_summary()),
    "moved": lambda replayed, record, at: of.MovedEvent(at, replayed.ledger.losses[record.node].to_summary()),
    RESUMED: lambda _, record, at: of.ResumedEvent(at, resumed(record).at),
    "over": lambda _replayed, _record, at: of.OverEvent(at),
    "verdict": verdict_event,
}
