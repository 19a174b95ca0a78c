"""Messages to nodes and from them: whoever sends them may be anybody, and what makes no sense in one is named in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from prepare_requests import sound

from c1m.coordinator.fleet.clients import ports_of_acceptors
from c1m.errors import C1mError, RefusedError, UsageError
from c1m.schedule.shapes import MOST_STAGES
from c1m.target.node.service import preparation as of_target
from c1m.v1 import node_pb2, target_pb2, worker_pb2
from c1m.wire import bounds
from c1m.wire import node_messages as wire
from c1m.worker.node.requests import closing_of, destinations_of, preparation, shards_to_add, turn_of

NAN, INFINITE = math.nan, math.inf


Change = Callable[[worker_pb2.PrepareRequest], object]


def given(name: str, **values: object) -> Change:
    """A part of the request made of these values; they are merged into what there is of it."""
    return lambda request: getattr(request, name).MergeFrom(type(getattr(request, name))(**values))


def put(**values: object) -> Change:
    return lambda request: request.MergeFrom(worker_pb2.PrepareRequest(**values))  # type: ignore[arg-type]


def route(**values: object) -> Change:
    return lambda request: request.shards[0].routes[0].MergeFrom(worker_pb2.Route(**values))  # type: ignore[arg-type]


def destination(host: str, port: int) -> Change:
    return lambda request: request.shards[0].routes[0].destination.MergeFrom(node_pb2.Address(host=host, port=port))


def heartbeat(**values: object) -> Change:
    return given("heartbeat", **{"interval_seconds": 1, "payload_bytes": 64, "expect": 1, **values})


def lifetime(low: float, high: float) -> Change:
    return lambda request: request.turnover.lifetime.MergeFrom(
        worker_pb2.Distribution(kind=worker_pb2.DISTRIBUTION_KIND_EXPONENTIAL, low_seconds=low, high_seconds=high)
    )


# (what is changed, what the sentence names)
WRONG: list[tuple[Change, str]] = [
    (put(arrival=99), "99 is not a value of Arrival; 1 is CONSTANT"),
    (put(dscp=64), "a DSCP of 64 is out of range; it must be from 0 to 63"),
    (put(close=7), "7 is not a value of Close"),
    (put(close_order=-1), "-1 is not a value of CloseOrder"),
    (lambda request: request.ClearField("peak"), "a peak of connections of 0"),
    (put(peak=2**64 - 1), "18,446,744,073,709,551,615"),
    (lambda request: request.ClearField("most_in_flight"), "connects in flight of 0"),
    (put(connect_timeout_seconds=NAN), "a timeout in seconds of nan"),
    (put(connect_timeout_seconds=INFINITE), "a timeout in seconds of inf"),
    (put(keepalive_seconds=40_000), "40,000"),
    (heartbeat(interval_seconds=0), "an interval of 0 s"),
    (heartbeat(interval_seconds=NAN), "an interval of nan s"),
    (heartbeat(interval_seconds=INFINITE), "an interval of inf s"),
    (heartbeat(interval_seconds=1e-300), "an interval of 1e-300 s"),
    (heartbeat(expect=9), "9 is not a valid Expect"),
    (heartbeat(send=b"x" * 65_537), "a request of 65,537 B"),
    (given("slow", interval_seconds=NAN, request=b"x"), "an interval in seconds of nan"),
    (given("slow", interval_seconds=1e-300, request=b"x"), "an interval in seconds of 1e-300"),
    (given("slow", interval_seconds=1), "a request of 0 bytes"),
    (lifetime(1, INFINITE), "a time in seconds of inf"),
    (lifetime(0, 5e-324), "a mean lifetime"),
    (lambda request: request.turnover.storms.add(share=1, at_seconds=NAN), "a storm at seconds of nan"),
    (lambda request: request.turnover.storms.add(share=NAN), "a share of nan"),
    (lambda request: request.turnover.storms.add(share=1, return_seconds=INFINITE), "a return in seconds of inf"),
    (lambda request: request.turnover.backoff.MergeFrom(worker_pb2.Backoff(first_seconds=1, cap_seconds=INFINITE)), "a wait"),
    (lambda request: request.schedule.stages.add(total=1, within_ns=2**64 - 1), "a schedule in seconds"),
    (lambda request: request.schedule.stages.add(total=2**64 - 1), "a stage of connections"),
    (lambda request: [request.schedule.stages.add(total=1) for _ in range(MOST_STAGES)], "5,001 stages are too many"),
    (lambda request: request.ClearField("schedule"), "a schedule has no stages"),
    (lambda request: request.ClearField("shards"), "a run without shards"),
    (lambda request: request.sources.add(first="fd00::1", count=1), "has both IPv4 and IPv6 addresses"),
    (lambda request: request.sources.add(first="127.0.0.2"), "0 addresses"),
    (lambda request: [request.ports.add(low=1, high=65_535) for _ in range(4096)], "4,097 ranges of ports are too many"),
    (route(span=2**63, first=2**63), "does not lie within"),
    (route(count=2), "does not lie"),
    (destination("::1", 9), "is not of the family"),
    (destination("example.org", 9), "'example.org' is not an address"),
    (destination("fe80::1%eth0", 9), "has a scope"),
    (destination("127.0.0.1", 70_000), "a port of 70,000"),
]


@pytest.mark.parametrize("row", range(len(WRONG)), ids=[named for _, named in WRONG])
def test_what_makes_no_sense_to_a_worker_is_named(row: int) -> None:
    change, named = WRONG[row]
    request = sound()
    assert preparation(request, "").shards[0].share.size == 1

    change(request)

    with pytest.raises(UsageError) as refusal:
        preparation(request, "")
    assert named in str(refusal.value)


def test_a_shard_that_fits_no_process_is_refused_whatever_room_there_is_for_its_tuples() -> None:
    request = sound()
    request.sources[0].count = 2**20
    request.peak = request.schedule.stages[0].total = 2**32
    request.shards[0].routes[0].span = request.shards[0].routes[0].count = 2**32

    with pytest.raises(RefusedError, match=r"a shard of 4,294,967,296 connections does not fit into a process"):
        preparation(request, "")


def more(**values: object) -> worker_pb2.AddShardsRequest:
    """A shard more, with a route of these values, for a run of two connections of which one is there."""
    request = worker_pb2.AddShardsRequest(run_id="r")
    shard = request.shards.add(first_point=1)
    shard.routes.add(span=1, count=1, first=1, destination=node_pb2.Address(host="127.0.0.1", port=9))
    shard.routes[0].MergeFrom(worker_pb2.Route(**values))  # type: ignore[arg-type]
    return request


def of_two() -> worker_pb2.PrepareRequest:
    request = sound()
    request.peak = 2
    return request


def test_what_joins_a_run_is_like_what_it_has() -> None:
    run = preparation(of_two(), "")

    (joined,) = shards_to_add(more(), run)

    assert (joined.share.peak, joined.share.first, joined.share.size) == (2, 1, 1)
    assert [route.first for route in joined.routes] == [1]
    assert (joined.space, joined.settings.most_in_flight, joined.seed) == (run.shards[0].space, 1, 1)


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (worker_pb2.AddShardsRequest(run_id="r"), "a run without shards"),
        (more(first=2**64 - 1), "does not lie within"),
        (more(count=2**40, span=2**40), "does not lie within"),
        (more(destination=node_pb2.Address(host="::1", port=9)), "not of the family"),
        (more(destination=node_pb2.Address(host="srv", port=9)), "'srv' is not an address"),
        (more(destination=node_pb2.Address(host="127.0.0.1", port=99_999)), "a port"),
        (more(count=2, span=2), "does not lie on the ring"),
    ],
)
def test_what_cannot_join_a_run_is_named(request_: worker_pb2.AddShardsRequest, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        shards_to_add(request_, preparation(of_two(), ""))


@pytest.mark.parametrize("rate", [NAN, -1.0, 1e-300, INFINITE])
def test_a_rate_of_closing_that_would_never_end_is_named(rate: float) -> None:
    with pytest.raises(UsageError, match="a rate of closing"):
        closing_of(worker_pb2.StopRequest(rate=rate))


@pytest.mark.parametrize("text", ["", "host", "10.0.0.300", "a\0b", "é" * 300, "fe80::1%lo"])
def test_destinations_are_addresses(text: str) -> None:
    with pytest.raises(UsageError, match="address"):
        destinations_of(worker_pb2.DescribeRequest(destinations=[text]))


def test_a_turn_in_another_century_is_named() -> None:
    with pytest.raises(UsageError, match="a moment in seconds"):
        turn_of(worker_pb2.RetargetRequest(at_ns=2**64 - 1, stages=sound().schedule.stages))


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (target_pb2.TargetServicePrepareRequest(push_rate=NAN), "pushes a second of nan"),
        (target_pb2.TargetServicePrepareRequest(push_rate=1e308), "pushes a second of 1e\\+308"),
        (target_pb2.TargetServicePrepareRequest(push_rate=-1), "pushes a second of -1"),
        (target_pb2.TargetServicePrepareRequest(close=7), "7 is not a value of Close"),  # type: ignore[arg-type]
    ],
)
def test_what_makes_no_sense_to_a_target_is_named(request_: target_pb2.TargetServicePrepareRequest, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        of_target(request_, "")


@pytest.mark.parametrize(
    ("sample", "named"),
    [
        (node_pb2.Sample(), "0 is not a value of Phase; 1 is PREPARED"),
        (node_pb2.Sample(phase=77), "77 is not a value of Phase"),  # type: ignore[arg-type]
        (node_pb2.Sample(phase=1, histograms={"a": node_pb2.Histogram(values_us=[1])}), "1 values has 0 counts"),  # type: ignore[arg-type]
        (node_pb2.Sample(phase=1, schedule={}), "a schedule has no stages"),  # type: ignore[arg-type]
        (node_pb2.Sample(phase=1, cpu_seconds=NAN), "CPU seconds of nan is not a finite number of zero or more"),  # type: ignore[arg-type]
        (node_pb2.Sample(phase=1, waves=[{"slowest_seconds": INFINITE}]), "seconds of inf is not a finite number"),  # type: ignore[arg-type]
        (node_pb2.Sample(phase=1, reading={"cost_seconds": -1}), "seconds of -1 is not a finite number of zero or more"),  # type: ignore[arg-type]
    ],
)
def test_what_no_node_of_ours_says_is_named(sample: node_pb2.Sample, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        wire.sample_from_wire(sample)


def test_a_host_with_more_processors_than_there_are_is_named() -> None:
    assert wire.host_from_wire(node_pb2.Host(cores=bounds.MOST_CORES)).cores == bounds.MOST_CORES
    with pytest.raises(UsageError, match="processors of 4,294,967,295 is out of range"):
        wire.host_from_wire(node_pb2.Host(cores=2**32 - 1))


@pytest.mark.parametrize("ports", [(), (9000,), (9000, 9001, 9002), (9000, 0), (9000, 65_536)])
def test_a_target_that_says_no_port_of_each_acceptor_is_named(ports: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="target a:1 was asked for 2 acceptors"):
        ports_of_acceptors("target a:1", target_pb2.TargetServicePrepareResponse(ports=ports), 2)


@pytest.mark.parametrize("value", [NAN, INFINITE, -INFINITE, -0.001, 1.001])
def test_what_lies_outside_of_bounds_is_refused_and_so_is_what_is_no_number(value: float) -> None:
    assert bounds.within("a share", 1.0, 0, 1) == 1.0
    with pytest.raises(C1mError, match=r"a share of .* is out of range; it must be from 0 to 1"):
        bounds.within("a share", value, 0, 1)
