"""What a node, or whoever listens in its place, may answer a coordinator: values, or a UsageError."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from google.protobuf.message import DecodeError, Message

from c1m import wire
from c1m.errors import UsageError
from c1m.node import Sample
from c1m.v1 import node_pb2, worker_pb2
from c1m.wire_routes import pool_from_wire, ports_from_wire
from c1m.wire_schedule import revision_from_wire
from chance import fill
from fuzzed import Target, tried

REFUSALS = (UsageError, DecodeError)


def described(data: bytes) -> object:
    answer = worker_pb2.DescribeResponse.FromString(data)
    revision = revision_from_wire(answer.schedule) if answer.HasField("schedule") else None
    return wire.host_from_wire(answer.host), pool_from_wire(answer.sources), ports_from_wire(answer.ports), revision


def sampled(data: bytes) -> Sample:
    """What was understood can be told again, and is the same."""
    sample = wire.sample_from_wire(node_pb2.Sample.FromString(data))
    again = wire.sample_to_wire(sample)
    assert wire.sample_to_wire(wire.sample_from_wire(again)).SerializeToString(deterministic=True) == again.SerializeToString(
        deterministic=True
    )
    return sample


def inspected(data: bytes) -> object:
    return wire.inspection_from_wire(node_pb2.Inspection.FromString(data))


SAID: dict[type[Message], Callable[[bytes], object]] = {
    worker_pb2.DescribeResponse: described,
    node_pb2.Sample: sampled,
    node_pb2.Inspection: inspected,
}


def any_of(chance: Random) -> bytes:
    message = chance.choice(list(SAID))()
    fill(message, chance)
    return message.SerializeToString()


def heard(data: bytes) -> str:
    return " ".join(tried(hear, data, refusals=REFUSALS) for hear in SAID.values())


TARGETS = (Target("answers", (), any_of, heard),)
