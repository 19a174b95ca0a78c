"""Replay: the outcome of a run from its records, on one clock, and a sentence for a file that cannot be read."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from c1m.coordinator.fleet.descriptions import DescribedTarget, DescribedWorker
from c1m.coordinator.fleet.survey import Survey
from c1m.coordinator.journal.codec import Header, to_json
from c1m.coordinator.journal.journal import APPLICATION_ID, Journal, Record
from c1m.coordinator.journal.replay import Replay, UnpackedRecord, read_header, replay, replayed_to_now
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.summary.codec import to_plain
from c1m.errors import UsageError
from c1m.measure.phase import Phase
from c1m.measure.sample import Host, Reading, Sample
from c1m.measure.tally import Tally
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.wire.node_messages import reading_to_wire, sample_to_wire

THEN = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
WORKER, OTHER, TARGET = "worker a:7100", "worker b:7100", "target t:7200"
HEADER = Header("run-1", "0.9", THEN, THEN + timedelta(seconds=2), 1_000.0, 73, {"total": "40", "on_loss": "redistribute"}, ())


def document(outcome: Outcome) -> dict[str, Any]:
    return to_plain(summarise(outcome))


def host(name: str) -> Host:
    levels = {"memory_available_bytes": 10**9}
    return Host(2, "0.9", name, name, "6.18", 1, 2 * 10**9, 10**9, 264, 200, 7, levels=levels)


SURVEY = Survey(
    {
        name: DescribedWorker(host(name), AddressPool((AddressBlock(first, 4, 4),)), PortRanges(((5000, 5999),)), "")
        for name, first in ((WORKER, 10 << 24), (OTHER, 11 << 24))
    },
    TARGET,
    DescribedTarget(host(TARGET), "10.9.9.9", PortRanges(((7000, 7009),)), False, ""),
    "10.9.9.9",
)


def json_record(at: float, kind: str, body: Any = None, node: str = "") -> UnpackedRecord:
    return UnpackedRecord(at, kind, node, to_json(body))


def sample(at: float, node: str, opened: int, phase: Phase = Phase.OPENING, reading: Reading | None = None) -> UnpackedRecord:
    made = Sample(phase, Tally(attempted=opened, opened=opened), opened * 10**8, reading=reading, scheduled=20)
    return UnpackedRecord(at, "sample", node, sample_to_wire(made).SerializeToString())


def host_reading(number: int, open_files: int = 0) -> Reading:
    return Reading(number, 10 * number, None, None, counters={"TCPSynRetrans": 5 * number}, levels={"open_files": open_files})


RUN = [
    json_record(1_001.0, "mustered", SURVEY),
    json_record(1_002.0, "planned", {"ignored": "the plan is made again"}),
    json_record(1_003.0, "began"),
    json_record(1_003.0, "turn", "opening"),
    sample(1_003.5, WORKER, 15, reading=host_reading(0)),
    sample(1_003.5, OTHER, 20),
    sample(1_003.75, TARGET, 35),
    json_record(1_004.0, "said", "a sentence that was shown"),
    sample(1_004.5, WORKER, 20, Phase.HOLDING, host_reading(1)),
    json_record(1_005.0, "turn", "holding"),
    sample(1_006.5, TARGET, 40),
]


def replayed(records: Iterable[UnpackedRecord], header: Header = HEADER, shift: float = 0.0) -> Replay:
    made = Replay(header, shift)
    for record in records:
        made.take(record)
    return made


def ended(records: Iterable[UnpackedRecord]) -> Outcome:
    return replayed(records).end()


# -- one record after another


def test_the_header_says_which_run_it_is() -> None:
    outcome = ended([])

    assert (outcome.run_id, outcome.spec.total, outcome.spec.on_loss.value, outcome.seed) == ("run-1", 40, "redistribute", 73)
    assert (outcome.started_at, outcome.plan, outcome.ledger, outcome.findings) == (THEN, None, None, {})


def test_the_plan_is_made_again_from_what_the_nodes_described() -> None:
    outcome = ended(RUN)

    assert outcome.plan is not None
    assert [(worker.name, worker.planned) for worker in outcome.plan.workers] == [(WORKER, 20), (OTHER, 20)]
    assert list(outcome.workers) == [WORKER, OTHER]
    assert outcome.target == SURVEY.target


def test_samples_make_the_ledger_that_the_run_had() -> None:
    outcome = ended(RUN)

    ledger = outcome.ledger
    assert ledger is not None
    assert (ledger.established, ledger.peak, ledger.entry(TARGET).sample.tally.opened) == (40, 40, 40)
    assert [entry.sample.tally.open for entry in ledger.workers] == [20, 20]
    assert [(entry.ramp_opened, entry.ramp_ns) for entry in ledger.workers] == [(20, 2 * 10**9)] * 2
    assert [at for at, _ in ledger.timeline.rows] == [0.0, 1.5, 3.5]
    assert ledger.timeline.turns == [(0.0, "opening"), (2.0, "holding")]


def test_what_hosts_read_is_found_again() -> None:
    found = ended(RUN).findings[WORKER]

    assert (found.readings, found.counters, found.levels) == (2, {"TCPSynRetrans": 5}, {"open_files": 0})


def test_findings_that_were_recorded_are_not_computed_again() -> None:
    outcome = ended([*RUN, json_record(1_007.0, "state", {"ended_at": THEN, "findings": {}})])

    assert (outcome.findings, outcome.ended_at) == ({}, THEN)


def test_a_reading_that_a_node_sent_when_it_was_asked_counts_too() -> None:
    body = reading_to_wire(host_reading(2)).SerializeToString()

    outcome = ended([*RUN, UnpackedRecord(1_006.0, "reading", WORKER, body)])

    assert outcome.findings[WORKER].readings == 3


def test_a_limit_that_became_tight_is_told_again() -> None:
    described = SURVEY.workers[WORKER]
    limited = replace(described, host=replace(described.host, facts={"fs.file-max": "1000"}))
    near = replace(SURVEY, workers={WORKER: limited})
    records = [
        json_record(1_001.0, "mustered", near),
        json_record(1_002.0, "planned"),
        json_record(1_003.0, "began"),
        sample(1_003.5, WORKER, 5, reading=host_reading(0, 100)),
        sample(1_004.5, WORKER, 9, reading=host_reading(1, 950)),
    ]

    (told,) = ended(records).limit_usages.sentences

    assert told.startswith(f"{WORKER}: open files of the machine (fs.file-max) is nearly used up: 950 of 1,000")


def test_a_lost_node_and_who_took_its_share_over() -> None:
    records = [
        *RUN,
        json_record(1_007.0, "lost", f"{WORKER} did not answer for 10 s", WORKER),
        json_record(1_008.0, "moved", {"taken_by": {OTHER: 15}, "not_taken": "no memory"}, WORKER),
    ]

    outcome = ended(records)

    assert outcome.ledger is not None
    loss = outcome.ledger.losses[WORKER]
    assert (loss.reason, loss.at_seconds, loss.share) == (f"{WORKER} did not answer for 10 s", 4.0, 20)
    assert (loss.taken_by, loss.not_taken) == ({OTHER: 15}, "no memory")
    assert outcome.ledger.established == 20


def test_the_newest_state_of_a_field_counts() -> None:
    outcome = ended(
        [
            *RUN,
            json_record(1_007.0, "state", {"troubles": ["one"], "off_schedule": 5}),
            json_record(1_008.0, "state", {"troubles": ["one", "two"], "interrupted": True}),
        ]
    )

    assert (outcome.troubles, outcome.off_schedule, outcome.interrupted) == (["one", "two"], 5, True)


def test_a_share_that_moved_between_strangers_makes_no_sense() -> None:
    def moved(lost: str, taker: str) -> UnpackedRecord:
        return json_record(1_007.0, "state", {"moves": [{"lost": lost, "taker": taker, "more": [], "taken": True}]})

    assert [move.taker for move in ended([*RUN, moved(WORKER, OTHER)]).moves] == [OTHER]
    with pytest.raises(ValueError, match=r"worker x took over a share of worker a:7100, but not both are nodes of the run"):
        ended([*RUN, moved(WORKER, "worker x")])


def test_records_of_kinds_that_this_version_does_not_know_change_nothing_but_the_time() -> None:
    made = replayed([*RUN, json_record(1_020.0, "poem", "roses")])

    assert made.last == 1_020.0
    assert document(made.end())["established_peak"] == 40


def test_a_sample_of_a_stranger_and_a_plan_without_a_target_make_no_sense() -> None:
    with pytest.raises(KeyError):
        ended([*RUN, sample(1_007.0, "worker x", 5)])
    with pytest.raises(ValueError, match="a plan without a description of its target"):
        ended([json_record(1_001.0, "mustered", Survey(SURVEY.workers)), json_record(1_002.0, "planned")])


def test_against_an_endpoint_a_plan_needs_no_target() -> None:
    header = Header("r", "0.9", THEN, THEN, 1_000.0, 0, {"total": "40", "endpoint": "10.9.9.9:80"}, ())
    survey = Survey(SURVEY.workers, data_host="10.9.9.9")

    outcome = replayed([json_record(1_001.0, "mustered", survey), json_record(1_002.0, "planned")], header).end()

    assert outcome.plan is not None
    assert outcome.ledger is not None
    assert outcome.ledger.target is None


# -- when the records end


def last_row(outcome: Outcome) -> float:
    assert outcome.ledger is not None
    return outcome.ledger.timeline.rows[-1][0]


def test_the_timeline_ends_with_the_last_record_or_when_the_run_was_over() -> None:
    cut = [*RUN, json_record(1_009.0, "said", "x")]
    over = [*RUN, json_record(1_007.0, "over"), json_record(1_009.0, "said", "x")]

    assert last_row(ended(cut)) == 6.0
    assert last_row(ended(over)) == 4.0
    assert last_row(ended([*cut, json_record(1_009.5, "state", {"ended_at": THEN})])) == 3.5  # it had its own last row


def test_times_are_shifted_to_the_clock_that_is_asked_for() -> None:
    made = replayed([*RUN, json_record(1_007.0, "lost", f"{WORKER} is gone", WORKER)], shift=500.0)

    assert (made.first_at, made.last, made.ledger.timeline.began) == (1_500.0, 1_507.0, 1_503.0)
    assert made.ledger.losses[WORKER].at_seconds == 4.0
    assert made.instant(1_507.0) == THEN + timedelta(seconds=9)  # its header was written 2 s after the start


def takeover(at: float, began: float | None, wall: datetime) -> UnpackedRecord:
    return json_record(at, "resumed", {"at": wall, "began": began})


def test_another_coordinator_goes_on_with_a_clock_of_its_own() -> None:
    """It says when the run began by its clock: 3 s before 53, hence a shift of 953 s."""
    wall = THEN + timedelta(seconds=20)
    made = replayed([*RUN, takeover(58.0, 50.0, wall), sample(60.0, WORKER, 20, Phase.HOLDING)])
    outcome = made.end()

    assert made.ledger.timeline.began == 1_003.0
    (takes_over,) = outcome.takeovers
    assert (takes_over.at, takes_over.silent_from, takes_over.silent_to) == (wall, 3.5, 8.0)
    assert last_row(outcome) == 10.0
    assert made.instant(made.last) == wall + timedelta(seconds=2)


def test_a_takeover_says_when_the_run_began_where_that_record_was_lost() -> None:
    records = [RUN[0], RUN[1], takeover(1_010.0, 1_003.0, THEN), sample(1_011.0, WORKER, 20)]

    outcome = ended(records)

    assert outcome.ledger is not None
    assert outcome.ledger.timeline.began == 1_003.0
    assert [(each.silent_from, each.silent_to) for each in outcome.takeovers] == [(0.0, 7.0)]


def test_a_takeover_before_the_start_is_no_gap_in_the_samples() -> None:
    made = replayed([RUN[0], RUN[1], takeover(1_010.0, None, THEN + timedelta(minutes=5))])

    assert (made.end().takeovers, made.ledger.timeline.began) == ([], None)
    assert made.instant(1_011.0) == THEN + timedelta(minutes=5, seconds=1)


def test_a_run_that_began_centuries_ago_is_refused() -> None:
    with pytest.raises(ValueError, match="the run began at"):
        ended([*RUN, takeover(1_010.0, -1.1e10, THEN)])
    with pytest.raises(ValueError, match="the run began at"):
        ended([*RUN, takeover(1_010.0, 1.1e10, THEN)])


# -- files


def written(path: Path, records: Iterable[UnpackedRecord], header: Header | None = HEADER) -> Path:
    journal = Journal(path)
    if header:
        journal.record(Record(header.at_monotonic, "run", "", to_json(header)))
    for at, kind, node, body in records:
        if kind in ("sample", "reading"):
            message = type(sample_to_wire(Sample(Phase.OPENING))).FromString(body)
            journal.record(Record(at, kind, node, message))
        else:
            journal.record(Record(at, kind, node, body))
    assert journal.close() == ""
    return path


def changed(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()
    return path


def test_a_journal_is_the_run_that_wrote_it(tmp_path: Path) -> None:
    records = [*RUN, json_record(1_007.0, "state", {"ended_at": THEN + timedelta(seconds=9)})]
    path = written(tmp_path / "j", records)

    outcome = replay(path)

    assert json.dumps(document(outcome)["workers"]) == json.dumps(document(ended(records))["workers"])
    assert (outcome.cut_off, outcome.known_until) == ("", THEN + timedelta(seconds=9))
    assert read_header(path) == HEADER


def test_a_journal_that_was_cut_off_says_how_much_of_the_run_it_has(tmp_path: Path) -> None:
    outcome = replay(written(tmp_path / "j", RUN))

    assert outcome.cut_off == "its journal ends 6.5 s after the start: the coordinator was killed, or the disk was full"
    assert outcome.known_until == THEN + timedelta(seconds=8.5)


def test_a_journal_that_is_written_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "j", RUN)
    with path.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = replay(path)

    assert outcome.cut_off == "the run is still going on; its journal covers the first 6.5 s"


def test_a_run_is_taken_over_on_the_clock_of_who_takes_it_over(tmp_path: Path) -> None:
    path = written(tmp_path / "j", RUN)

    assert replayed_to_now(path, 53.0).ledger.timeline.began == 53.0
    assert replayed_to_now(path).ledger.timeline.began == 1_003.0
    early = written(tmp_path / "early", RUN[:2])
    assert replayed_to_now(early, 53.0).last == 1_002.0  # it never began, and its times are left as they are


def test_the_first_start_that_was_recorded_counts_even_where_a_takeover_tells_it(tmp_path: Path) -> None:
    path = written(tmp_path / "j", [RUN[0], RUN[1], takeover(1_010.0, 1_004.0, THEN), sample(1_011.0, WORKER, 20)])

    assert replayed_to_now(path, 54.0).ledger.timeline.began == 54.0


def test_after_a_takeover_samples_are_packed_from_scratch(tmp_path: Path) -> None:
    """A coordinator does not know what the one before it has sent; the second journal writes as it would."""
    path = written(tmp_path / "j", [*RUN, takeover(58.0, 50.0, THEN)])
    with path.open("rb") as file:
        later = Journal(path, file)
        message = sample_to_wire(Sample(Phase.HOLDING, Tally(attempted=30, opened=30)))
        later.record(Record(60.0, "sample", WORKER, message))
        assert later.close() == ""

    assert replayed_to_now(path).ledger.entry(WORKER).sample.tally.opened == 30


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (["PRAGMA application_id = 5"], "is not a journal of c1m; name a run that c1m-coord runs lists"),
        (["PRAGMA user_version = 99"], "is a journal of version 99, but this c1m reads version 1; use the c1m that wrote it"),
        (["DELETE FROM records"], "is empty: its run ended at once, or its disk was full; there is nothing to show"),
        (["UPDATE records SET at = 1.1e10 WHERE number = 3"], "a record was made at 11000000000.0 seconds"),
        (["UPDATE records SET at = -1 WHERE number = 3"], "a record was made at -1.0 seconds"),
        (
            ["UPDATE records SET body = 'zlib never wrote this' WHERE kind = 'sample'"],
            "is damaged, or written by another version",
        ),
        (["UPDATE records SET body = 'x' WHERE kind = 'mustered'"], "is damaged, or written by another version"),
        (["UPDATE records SET node = 'nobody' WHERE kind = 'sample'"], "is damaged, or written by another version"),
        (["DROP TABLE records"], "no such table: records"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_a_sentence(tmp_path: Path, statements: list[str], told: str) -> None:
    path = changed(written(tmp_path / "j", RUN), *statements)

    with pytest.raises(UsageError) as refusal:
        replay(path)
    assert str(refusal.value).startswith(str(path))
    assert told in str(refusal.value)


@pytest.mark.parametrize("statement", ["PRAGMA application_id = 5", "PRAGMA user_version = 99", "DELETE FROM records"])
def test_nor_has_it_a_header(tmp_path: Path, statement: str) -> None:
    path = changed(written(tmp_path / "j", RUN), statement)

    with pytest.raises(UsageError):
        read_header(path)


def test_bytes_that_are_no_database_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"not a database, and long enough to be read as the header of one " * 9)

    with pytest.raises(UsageError, match=r"cannot be read as a journal of this c1m \(file is not a database\)"):
        replay(path)


def test_a_journal_is_known_by_its_number() -> None:
    assert APPLICATION_ID.to_bytes(4, "big") == b"c1mj"
