"""Messages between nodes and a coordinator: every field arrives, unknown is not zero, and what makes no sense is named."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from c1m.errors import UsageError
from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ClosingKind, ClosingReason, ExitKind, ExitReason, HaltKind, HaltReason
from c1m.measure.sample import Cache, Change, Host, Inspection, Reading, Replacement, Sample
from c1m.measure.sampling import SamplingInterval
from c1m.measure.source_latency import SourceLatency
from c1m.measure.tally import Tally
from c1m.schedule.schedule import Revision, Schedule, Stage
from c1m.traffic.heartbeat import Expect, Heartbeat
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.turnover import Wave
from c1m.v1 import node_pb2, worker_pb2
from c1m.wire import node_messages as wire

HOST = Host(
    protocol=2,
    version="0.9",
    boot_id="boot",
    hostname="a.example",
    kernel="6.18",
    cores=48,
    memory_total_bytes=11,
    memory_available_bytes=12,
    descriptors_per_process=13,
    connections_per_process=14,
    network_namespace=15,
    facts={"net.core.somaxconn": "4096"},
    machine={"cpu": "x"},
    merged_caches={"dentry": ("dentry", "eventpoll_epi")},
    limits={"RLIMIT_NPROC": 16},
    levels={"open_files": 17},
    unknown={"fs.nr_open": "hidden"},
    tunable=True,
    wall_clock_ns=18,
    answered_within_ns=19,
)
READING = Reading(
    number=21,
    sockets=22,
    slab_bytes=23,
    pss_bytes=24,
    caches={"TCP": Cache(25, 26, 27.5, 28)},
    counters={"ListenDrops": 29},
    levels={"open_files": 30},
    cost_seconds=31.5,
    unknown=("slabinfo",),
)
TALLY = Tally(
    attempted=41,
    opened=42,
    closed=43,
    skipped_ports=44,
    bytes_received=45,
    bytes_sent=46,
    replaced=47,
    reopened=48,
    away=49,
    waiting=50,
    half_closed=51,
    failed={"ETIMEDOUT": 52},
    dropped={"peer_reset": 53},
    heartbeats={"sent": 54},
    errors={"connect ETIMEDOUT": 55},
    sources={"10.0.0.7 slow": 56},
    pushes={"received": 57},
)
SHARD_ENDED = ExitReason(ExitKind.SIGNALLED, ChildKind.SHARD, (1, 3), 204, 1, 9)
ACCEPTOR_ENDED = ExitReason(ExitKind.FAILED, ChildKind.ACCEPTOR, (2,), 205, 1, detail="OSError", not_replaced="no process")
SAMPLE = Sample(
    phase=Phase.HOLDING,
    tally=TALLY,
    opened_within_ns=61,
    cpu_seconds=62.5,
    processes=63,
    exit_reasons=(SHARD_ENDED,),
    replacements=(Replacement(SHARD_ENDED, 64, 65, 66), Replacement(ACCEPTOR_ENDED, 67, None, 68)),
    halted=HaltReason(HaltKind.MEMORY, 201, 202),
    histograms={"connect_latency_us": {150: 69, 151: 70}},
    sources=(SourceLatency("connect_latency_us", "10.0.0.7", 71, 72, 73, 74),),
    full_acceptors=75,
    reading=READING,
    first_received=b"220 hello",
    elapsed_ns=76,
    scheduled=77,
    schedule_version=78,
    revision=Revision(Schedule((Stage(79, 80), Stage(81, 82, named=False))), 83, 84),
    reached_ns={0: 85},
    waves=(Wave(86, 87, 88.5, 89.5, 90),),
    turnover_stopped=True,
    taken_ns=91,
    closing_reason=ClosingReason(ClosingKind.LEASE_OVER, 203.5, node_stopped=True),
)
INSPECTION = Inspection(
    established=101,
    in_accept_queues=102,
    half_closed=103,
    in_syn_queues=104,
    rss_bytes=105,
    pss_bytes=106,
    cpu_seconds=107.5,
    unknown=("memory",),
    reading=READING,
)


def over(message: Any) -> Any:
    """The message as it arrives."""
    return type(message).FromString(message.SerializeToString())


@pytest.mark.parametrize("value", [HOST, READING, TALLY, SAMPLE, INSPECTION], ids=lambda value: type(value).__name__)
def test_the_values_of_these_tests_have_no_field_at_its_default(value: Any) -> None:
    usual = {item.name for item in fields(value) if item.default is not MISSING and getattr(value, item.name) == item.default}

    assert usual <= {"last_opened"}, "which stays on its machine: it is a time of that machine's clock"


def test_every_field_of_a_host_arrives() -> None:
    assert wire.host_from_wire(over(wire.host_to_wire(HOST))) == HOST


def test_every_field_of_a_reading_arrives() -> None:
    assert wire.reading_from_wire(over(wire.reading_to_wire(READING))) == READING


def test_every_field_of_a_sample_arrives() -> None:
    assert wire.sample_from_wire(over(wire.sample_to_wire(SAMPLE))) == SAMPLE


def test_a_bare_sample_arrives_as_it_was() -> None:
    bare = Sample(Phase.PREPARED, schedule_version=1)

    assert wire.sample_from_wire(over(wire.sample_to_wire(bare))) == bare


def test_every_field_of_an_inspection_arrives() -> None:
    assert wire.inspection_from_wire(over(wire.inspection_to_wire(INSPECTION))) == INSPECTION


@pytest.mark.parametrize("name", [item.name for item in fields(Inspection) if item.name not in ("unknown", "reading")])
def test_an_unknown_count_is_not_zero(name: str) -> None:
    for value in (0, None):
        sent = replace(INSPECTION, **{name: value})  # type: ignore[arg-type]
        assert wire.inspection_from_wire(over(wire.inspection_to_wire(sent))) == sent


@pytest.mark.parametrize("name", ["memory_total_bytes", "memory_available_bytes"])
def test_unknown_memory_is_not_none_at_all(name: str) -> None:
    for value in (0, None):
        sent = replace(HOST, **{name: value})  # type: ignore[arg-type]
        assert wire.host_from_wire(over(wire.host_to_wire(sent))) == sent


@pytest.mark.parametrize("scheduled", [0, None])
def test_a_schedule_of_nothing_is_not_no_schedule(scheduled: int | None) -> None:
    sent = replace(SAMPLE, scheduled=scheduled)

    assert wire.sample_from_wire(over(wire.sample_to_wire(sent))).scheduled == scheduled


@pytest.mark.parametrize(
    "change",
    [
        Change("fs.file-max", "1", "2", "3", "it is capped"),
        Change("fs.file-max", None, "2", None, "hidden"),
        Change("fs.file-max", "", "2", ""),
    ],
)
def test_a_change_arrives_with_what_could_not_be_read(change: Change) -> None:
    assert wire.change_from_wire(over(wire.change_to_wire(change))) == change


@pytest.mark.parametrize(
    "heartbeat",
    [Heartbeat(1.5, 99, b"PING", Expect.PREFIX, b"+PONG"), Heartbeat(60.0), Heartbeat(60.0, expect=Expect.NONE)],
)
def test_a_heartbeat_arrives(heartbeat: Heartbeat) -> None:
    assert wire.heartbeat_from_wire(over(wire.heartbeat_to_wire(heartbeat))) == heartbeat


@pytest.mark.parametrize(
    "slow",
    [SlowClients(0.5, b"GET /", True), SlowClients(0.0, b"", True), SlowClients(1e-6, b"x"), SlowClients(1.0, b"x" * 65_536)],
)
def test_slow_clients_arrive(slow: SlowClients) -> None:
    assert wire.slow_from_wire(over(wire.slow_to_wire(slow))) == slow


@pytest.mark.parametrize(
    ("asked", "interval"),
    [
        ((0.0, 0), SamplingInterval(0.25, 1)),  # not said
        ((0.5, 3), SamplingInterval(0.5, 3)),
        ((1.0, 1), SamplingInterval(1.0, 1)),
    ],
)
def test_how_often_samples_are_wanted(asked: tuple[float, int], interval: SamplingInterval) -> None:
    request = worker_pb2.WatchRequest(sample_seconds=asked[0], reading_every=asked[1])

    assert wire.pace_from_wire(over(request)) == interval


def test_caches_without_memory_are_left_out_on_the_way() -> None:
    sent = replace(READING, caches={"TCP": Cache(1, 2, 3.0, 4), "empty": Cache(0, 2, 3.0, 0)})

    assert list(over(wire.reading_to_wire(sent)).caches) == ["TCP"]


# -- what makes no sense


def bad_sample(**changed: Any) -> node_pb2.Sample:
    message = wire.sample_to_wire(Sample(Phase.HOLDING))
    message.MergeFrom(node_pb2.Sample(**changed))
    return message


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (bad_sample(phase=99), "99 is not a value of Phase; 1 is PREPARED"),
        (bad_sample(cpu_seconds=-1.0), "CPU seconds of -1 is not a finite number of zero or more"),
        (bad_sample(cpu_seconds=math.inf), "CPU seconds of inf is not a finite number"),
        (bad_sample(waves=[node_pb2.StormWave(recovered_seconds=math.nan)]), "seconds of nan is not a finite number"),
        (bad_sample(waves=[node_pb2.StormWave(slowest_seconds=-2.0)]), "seconds of -2 is not a finite number"),
        (bad_sample(reading=node_pb2.Reading(cost_seconds=math.nan)), "seconds of nan is not a finite number"),
        (
            bad_sample(histograms={"connect_latency_us": node_pb2.Histogram(values_us=[1, 2], counts=[3])}),
            "a histogram of 2 values has 1 counts",
        ),
    ],
)
def test_a_sample_that_no_node_sends_is_named(message: node_pb2.Sample, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        wire.sample_from_wire(over(message))


def test_a_host_has_no_more_processors_than_any_machine() -> None:
    most = wire.host_to_wire(replace(HOST, cores=65_536))

    assert wire.host_from_wire(over(most)).cores == 65_536
    most.cores += 1
    with pytest.raises(UsageError, match=r"processors of 65,537 is out of range; it must be from 0 to 65,536"):
        wire.host_from_wire(over(most))


def test_an_inspection_has_finite_seconds() -> None:
    with pytest.raises(UsageError, match="CPU seconds of nan is not a finite number"):
        wire.inspection_from_wire(over(node_pb2.Inspection(cpu_seconds=math.nan)))


@pytest.mark.parametrize("seconds", [-0.1, 1.01, math.nan])
def test_samples_come_at_least_once_a_second(seconds: float) -> None:
    with pytest.raises(UsageError, match="a time between samples in seconds"):
        wire.pace_from_wire(over(worker_pb2.WatchRequest(sample_seconds=seconds)))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (worker_pb2.SlowClients(interval_seconds=0.9e-6, request=b"x"), "an interval in seconds of"),
        (worker_pb2.SlowClients(interval_seconds=366 * 86_400 + 1, request=b"x"), "an interval in seconds of"),
        (worker_pb2.SlowClients(interval_seconds=1.0), "a request of 0 bytes cannot be sent a byte at a time"),
        (worker_pb2.SlowClients(interval_seconds=1.0, request=b"x" * 65_537), "a request of 65,537 bytes cannot be sent"),
    ],
)
def test_slow_clients_that_cannot_be_are_named(message: worker_pb2.SlowClients, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        wire.slow_from_wire(over(message))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"interval_seconds": 0.0}, "the heartbeat of a request is invalid: an interval of 0 s"),
        ({"payload_bytes": 15}, "the heartbeat of a request is invalid: a payload of 15 B"),
        ({"expect": 9}, "the heartbeat of a request is invalid: 9 is not a valid Expect"),
    ],
)
def test_a_heartbeat_that_cannot_be_sent_is_named(changed: dict[str, Any], told: str) -> None:
    message = wire.heartbeat_to_wire(Heartbeat(1.0))
    for name, value in changed.items():
        setattr(message, name, value)

    with pytest.raises(UsageError, match=told):
        wire.heartbeat_from_wire(over(message))
