"""What a coordinator, or anybody, may ask of a node: any message of the generated types, and any bytes in its place.

A Prepare that a worker takes is taken as far as a shard begins: over the link, into its tables, to the first of its edges.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from random import Random

from google.protobuf.message import DecodeError, Message

from c1m.errors import RefusedError, UsageError
from c1m.kernel.tuning import check
from c1m.orders.codec import from_message, to_message
from c1m.processes import link
from c1m.target.node.service import preparation as of_target
from c1m.v1 import schedule_pb2, target_pb2, worker_pb2
from c1m.wire.node_messages import pace_from_wire
from c1m.worker.node.requests import closing_of, destinations_of, preparation, shards_to_add, turn_of
from c1m.worker.shard.assignment import ShardAssignment
from c1m.worker.shard.shard import Shard
from chance import fields_of, fill
from fuzzed import Target, tried

REFUSALS = (UsageError, RefusedError, DecodeError)
ARRIVALS = (
    schedule_pb2.ARRIVAL_UNSPECIFIED,
    schedule_pb2.ARRIVAL_CONSTANT,
    schedule_pb2.ARRIVAL_POISSON,
    schedule_pb2.ARRIVAL_CLOSED_LOOP,
)
EDGES = 100
LOOK_AHEAD_NS = 10**9


def sound_request(chance: Random) -> worker_pb2.PrepareRequest:
    """One that a worker takes."""
    count, shards = chance.choice((1, 7, 100)), chance.choice((1, 2))
    request = worker_pb2.PrepareRequest(run_id="r", most_in_flight=10, connect_timeout_seconds=1, lease_seconds=15)
    request.sources.add(first="127.0.0.1", count=chance.choice((1, 5, 2**24 - 2)))
    request.ports.add(low=1024, high=65_535)
    request.peak = count * shards
    for index in range(shards):
        shard = request.shards.add(first_point=index * count)
        route = shard.routes.add(first=index * 1000, span=1000, count=count)
        route.destination.host, route.destination.port = "127.0.0.1", 9
    for total in (request.peak, chance.choice((0, 1)), request.peak):
        request.schedule.stages.add(total=total, within_ns=chance.choice((0, 1, 10**9)))
    request.arrival = chance.choice(ARRIVALS)
    if chance.random() < 0.5:
        request.heartbeat.interval_seconds, request.heartbeat.payload_bytes = 1, 64
        request.heartbeat.expect = worker_pb2.EXPECT_ECHO
    if chance.random() < 0.5:
        request.slow.interval_seconds, request.slow.request = 1, b"x"
    if chance.random() < 0.5:
        request.turnover.storms.add(at_seconds=1, share=0.5)
        request.turnover.lifetime.kind = worker_pb2.DISTRIBUTION_KIND_EXPONENTIAL
        request.turnover.lifetime.low_seconds, request.turnover.lifetime.high_seconds = 1, 1
    return request


SMALLEST = sound_request(Random(0))


def disturbed(message: Message, chance: Random) -> bytes:
    """A message with one or two of its parts replaced by others, edges mostly."""
    other = type(message)()
    fill(other, chance)
    for _ in range(chance.randint(0, 2)):
        within, instead = message, other
        while True:
            field = chance.choice(fields_of(within))
            inner = field.message_type and not field.is_repeated and within.HasField(field.name)
            if not inner or chance.random() < 0.3:
                break
            within, instead = getattr(within, field.name), getattr(instead, field.name)
        part = type(within)()
        part.CopyFrom(instead)
        for other_field in fields_of(within):
            if other_field.name != field.name:
                part.ClearField(other_field.name)
        if not field.is_repeated or chance.random() < 0.5:
            within.ClearField(field.name)
        within.MergeFrom(part)
    return message.SerializeToString()


def prepared(data: bytes) -> object:
    asked = preparation(worker_pb2.PrepareRequest.FromString(data), "")
    for shard in asked.shards[:3]:
        begin(shard)
    return asked.following.scheduled([LOOK_AHEAD_NS] * len(asked.shards))


def joined(data: bytes) -> object:
    """To the smallest run that there is."""
    shards = shards_to_add(worker_pb2.AddShardsRequest.FromString(data), preparation(SMALLEST, ""))
    for shard in shards[:3]:
        begin(shard)
    return len(shards)


def begin(assignment: ShardAssignment) -> None:
    """As in a shard's process."""
    try:
        packet = link.encode(to_message(assignment))
    except ValueError as error:  # which the crew refuses as well
        raise RefusedError(str(error)) from None
    ours, theirs = link.pair()
    shard = Shard(theirs, from_message(link.decode(packet), (ShardAssignment,)))
    try:
        shard.begin(0.0)
        for leg in shard.regulator.rotation.legs:
            list(islice(leg.tuples, EDGES))
        shard.regulator.course.advance(LOOK_AHEAD_NS)
        for behaviour in shard.connections.behaviours:
            behaviour.act(1.0)
    finally:
        shard.connections.epoll.close()
        ours.close()
        theirs.close()


ASKED: dict[type[Message], Callable[[bytes], object]] = {
    worker_pb2.DescribeRequest: lambda data: destinations_of(worker_pb2.DescribeRequest.FromString(data)),
    worker_pb2.RetargetRequest: lambda data: turn_of(worker_pb2.RetargetRequest.FromString(data)),
    worker_pb2.AddShardsRequest: joined,
    worker_pb2.WatchRequest: lambda data: pace_from_wire(worker_pb2.WatchRequest.FromString(data)),
    worker_pb2.TuneRequest: lambda data: check(worker_pb2.TuneRequest.FromString(data).settings),
    worker_pb2.StopRequest: lambda data: closing_of(worker_pb2.StopRequest.FromString(data)),
    target_pb2.TargetServicePrepareRequest: lambda data: of_target(target_pb2.TargetServicePrepareRequest.FromString(data), ""),
}


def any_of(chance: Random) -> bytes:
    message = chance.choice(list(ASKED))()
    fill(message, chance)
    return message.SerializeToString()


def asked_of_all(data: bytes) -> str:
    return " ".join(tried(ask, data, refusals=REFUSALS) for ask in ASKED.values())


SOUND = tuple(sound_request(Random(seed)).SerializeToString() for seed in range(20))
TARGETS = (
    Target(
        "prepare",
        SOUND,
        lambda chance: disturbed(sound_request(chance), chance),
        lambda data: tried(prepared, data, refusals=REFUSALS),
    ),
    Target("requests", (), any_of, asked_of_all),
)
