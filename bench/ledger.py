"""What a sample costs the coordinator: from its bytes to the ledger, to the journal, and to the next look at the run.

Synthetic samples of many workers, of which every fourth brings a reading of its host and histograms, as on the wire; nothing is
opened. `python bench/ledger.py [WORKERS [SECONDS]]`. What gRPC takes for each message comes on top.
"""

from __future__ import annotations

import gc
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.live import Live

from c1m.coordinator.diagnosis.live_diagnosis import LiveDiagnosis
from c1m.coordinator.journal.journal import Journal, Record
from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.limit_usage import LimitUsages
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.report.live import Lines, Terminal
from c1m.limits.assessment import Member
from c1m.limits.limit import Demand, HostRole
from c1m.measure.phase import Phase
from c1m.measure.sample import Cache, Host, Reading, Sample
from c1m.measure.tally import Tally, total
from c1m.schedule.schedule import Arrival
from c1m.v1 import node_pb2
from c1m.wire import node_messages as wire

EACH = 1000  # connections of a worker
A_SECOND = 4  # samples of a worker, and one of them with a reading
CACHES, COUNTERS, LEVELS, BUCKETS = 235, 31, 10, 150  # of a reading of Linux 6.18, and of a connect histogram
LIMITS = {"tcp_mem_pages": 170, "tcp_orphans": 0, "open_files": 158_011, "conntrack": 0, "threads": 332, "tcp_time_wait": 51}


def host(index: int) -> Host:
    facts = {"net.ipv4.tcp_mem": "287898 383867 575796", "fs.file-max": "2466170", "kernel.threads-max": "192730"}
    return Host(1, "", f"boot {index}", f"host {index}", "6.18", 8, 16 * 10**9, 15 * 10**9, 20_000, 19_936, 1, facts)


def sample(round_: int, worker: int) -> Sample:
    """The number ``round_`` of a worker: it has opened a few more, and a few more have failed."""
    opened = min(20 * round_ + worker % 7, EACH)
    failed = {"ETIMEDOUT": round_} if worker % 3 == 0 else {}
    tally = Tally(opened + round_ + 3, opened, failed=failed, errors={"connect ETIMEDOUT": round_} if failed else {})
    fresh = round_ % A_SECOND == worker % A_SECOND
    counts = {100 + 9 * bucket: opened // BUCKETS + 1 for bucket in range(BUCKETS)}
    return Sample(
        phase=Phase.OPENING,
        tally=tally,
        opened_within_ns=round_ * 250_000_000,
        cpu_seconds=0.1 * round_,
        processes=8,
        histograms={"connect_latency_us": counts, "connect_latency_from_due_us": counts} if fresh else {},
        reading=reading(round_, opened) if fresh else None,
        elapsed_ns=round_ * 250_000_000,
        scheduled=min(20 * round_, EACH),
    )


def reading(number: int, opened: int) -> Reading:
    return Reading(
        number=number,
        sockets=opened,
        slab_bytes=10**9 + 4_200 * opened,
        pss_bytes=10**8 + 90 * opened,
        caches={f"some-cache-{index}": cache(index, opened if index % 3 == 0 else 0) for index in range(CACHES)},
        counters={f"SomeCounter{index}": 1000 * index + number for index in range(COUNTERS)},
        levels={**LIMITS, **{f"some_level_{index}": number for index in range(LEVELS - len(LIMITS))}},
    )


def cache(index: int, opened: int) -> Cache:
    return Cache(opened + index, 512, 520.0, 4096 * (opened + index + 1))


class Clock:
    """CPU of this process by what it went to, its threads included."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.times: dict[str, int] = {}

    def of(self, what: str, work: Callable[[], object]) -> None:
        began = time.process_time()
        work()
        self.spent[what] = self.spent.get(what, 0.0) + time.process_time() - began
        self.times[what] = self.times.get(what, 0) + 1


def main() -> None:
    workers, seconds = (int(word) for word in [*sys.argv[1:], *("1000", "5")[len(sys.argv) - 1 :]])
    names = [f"worker 10.0.{index // 250}.{index % 250}:7100" for index in range(workers)]
    entries = [NodeRecord(name, EACH, str(index)) for index, name in enumerate(names)]
    ledger = Ledger(entries, None)
    limit_usages = LimitUsages(Member(name, host(index), Demand(HostRole.WORKER, EACH, 8)) for index, name in enumerate(names))
    hosts = {name: host(index) for index, name in enumerate(names)}
    live_diagnosis = LiveDiagnosis(ledger, hosts.get, Arrival.CLOSED_LOOP, 0.0)
    clock = Clock()
    ledger.timeline.begin(0.0, ledger.moment)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "run.journal")
        for round_ in range(A_SECOND * seconds):
            wired = [wire.sample_to_wire(sample(round_, worker)).SerializeToString() for worker in range(workers)]
            take_all(clock, entries, wired, ledger, limit_usages, journal, round_ / A_SECOND)
            look_once(clock, ledger, live_diagnosis, round_ / A_SECOND)
        if trouble := journal.close():
            sys.exit(trouble)
    report(clock, workers, seconds)


def take_all(
    clock: Clock,
    entries: list[NodeRecord],
    wired: list[bytes],
    ledger: Ledger,
    limit_usages: LimitUsages,
    journal: Journal,
    now: float,
) -> None:
    """As the watch does it, but each step for all of a round: a clock's own cost is that of a step."""
    gc.collect()
    messages: list[node_pb2.Sample] = []
    samples: list[Sample] = []
    clock.of("sample: parse", lambda: messages.extend(map(node_pb2.Sample.FromString, wired)))
    clock.of("sample: into values", lambda: samples.extend(map(wire.sample_from_wire, messages)))

    def fold() -> None:
        for entry, told in zip(entries, samples, strict=True):
            ledger.hear(entry, told, now)

    def gauge() -> None:
        for entry in entries:
            limit_usages.look(entry.name, entry.history.first, entry.history.last)

    def write() -> None:
        for entry, message in zip(entries, messages, strict=True):
            journal.record(Record(now, "sample", entry.name, message))
        while journal.ends_at != now:  # until it is written
            time.sleep(0.01)

    clock.of("sample: ledger", fold)
    clock.of("sample: gauges", gauge)
    clock.of("sample: journal", write)
    clock.of("sums, as they were made for each sample", lambda: sum(e.sample.tally.open for e in entries if not e.lost))
    clock.of("sums, as they were made for each look", lambda: total(entry.sample.tally for entry in entries))


def look_once(clock: Clock, ledger: Ledger, live_diagnosis: LiveDiagnosis, now: float) -> None:
    quiet = Console(file=io.StringIO(), force_terminal=True, width=120, height=40)
    clock.of("look: sums", lambda: ledger.tally)
    clock.of("look: moment", lambda: live_diagnosis.moment(now))
    clock.of("look: moment and, once a second where there is trouble, causes", lambda: live_diagnosis.look(now))
    clock.of("look: whether all are holding", lambda: ledger.all_at(Phase.HOLDING, ledger.workers))
    clock.of("look: a line", lambda: Lines(quiet).show(ledger, Doing.OPENING, 0.5))
    clock.of("picture: a table", lambda: Terminal(Live(console=quiet, auto_refresh=False)).show(ledger, Doing.OPENING, 0.5))
    clock.of("row: time line", ledger.moment)


def report(clock: Clock, workers: int, seconds: int) -> None:
    print(f"{workers:,} workers, {A_SECOND} samples a second of each; us of CPU a time, and percent of a core")
    for what, spent in clock.spent.items():
        each = workers if what.startswith("sample") else 1
        us = spent / (clock.times[what] * each) * 1e6
        percent = f"{spent / seconds:8.1%}" if what.startswith("sample") else " " * 8
        print(f"{what:62} {us:10,.1f} us {percent}")


if __name__ == "__main__":
    main()
