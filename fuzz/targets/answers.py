"""What a node, or whoever listens in its place, may answer a coordinator: values, or a UsageError."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from google.protobuf.message import DecodeError, Message

from c1m.coordinator.fleet.clients import ports_of_acceptors
from c1m.coordinator.fleet.descriptions import described_worker
from c1m.coordinator.planning.advice import changed
from c1m.errors import UsageError
from c1m.measure.sample import Sample
from c1m.v1 import node_pb2, target_pb2, worker_pb2
from c1m.wire import node_messages as wire
from chance import fill
from fuzzed import Target, tried

REFUSALS = (UsageError, DecodeError)


ACCEPTORS = 2


def sampled(data: bytes) -> Sample:
    """What was understood can be told again, and is the same."""
    sample = wire.sample_from_wire(node_pb2.Sample.FromString(data))
    again = wire.sample_to_wire(sample)
    assert wire.sample_to_wire(wire.sample_from_wire(again)).SerializeToString(deterministic=True) == again.SerializeToString(
        deterministic=True
    )
    return sample


def listening(data: bytes) -> object:
    return ports_of_acceptors("target", target_pb2.TargetServicePrepareResponse.FromString(data), ACCEPTORS)


def tuned(data: bytes) -> object:
    changes = worker_pb2.TuneResponse.FromString(data).changes
    return [changed("worker", wire.change_from_wire(change)) for change in changes]


SAID: dict[type[Message], Callable[[bytes], object]] = {
    worker_pb2.DescribeResponse: lambda data: described_worker("worker", worker_pb2.DescribeResponse.FromString(data), None),
    node_pb2.Sample: sampled,
    node_pb2.Inspection: lambda data: wire.inspection_from_wire(node_pb2.Inspection.FromString(data)),
    target_pb2.TargetServicePrepareResponse: listening,
    worker_pb2.TuneResponse: tuned,
}


def any_of(chance: Random) -> bytes:
    message = chance.choice(list(SAID))()
    fill(message, chance)
    return message.SerializeToString()


def heard(data: bytes) -> str:
    return " ".join(tried(hear, data, refusals=REFUSALS) for hear in SAID.values())


TARGETS = (Target("answers", (), any_of, heard),)
