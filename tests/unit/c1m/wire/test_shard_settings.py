"""The settings of shards: what a coordinator asks for is what a worker reads, field by field."""

from __future__ import annotations

from dataclasses import MISSING, fields

from c1m.coordinator.spec.grammar import parse_answer, parse_storm
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.spec.table import SETTINGS
from c1m.measure.phase import Close, CloseOrder
from c1m.orders.shard_settings import ShardSettings
from c1m.schedule.schedule import Arrival
from c1m.text.escapes import Text
from c1m.traffic.distribution import Distribution
from c1m.v1 import worker_pb2
from c1m.wire.shard_settings_messages import carried_fields, settings_from_wire, settings_to_wire

RARE = RunSpec(
    total=500,
    rate=25.0,
    arrival=Arrival.POISSON,
    close=Close.FIN,
    close_order=CloseOrder.RANDOM,
    in_flight=7,
    connect_timeout=2.5,
    lease=30.0,
    heartbeat=5.0,
    send=Text(b"PING"),
    expect=parse_answer("+PONG"),
    keepalive=60.0,
    lifetime=Distribution("exp", 5.0, 5.0),
    reopen=True,
    storm=(parse_storm("at=5s,drop=35%"),),
    half_open=True,
    dscp=46,
)


def carried(settings: ShardSettings) -> ShardSettings:
    """Return the settings of a request that has these, as a worker gets it."""
    sent = worker_pb2.PrepareRequest(**settings_to_wire(settings)).SerializeToString()
    return settings_from_wire(worker_pb2.PrepareRequest.FromString(sent))


def test_what_a_coordinator_asks_for_is_what_a_worker_reads() -> None:
    rare = RARE.shard_settings(seed=2**32 - 1, nonce=b"n" * 32)

    assert carried(rare) == rare
    assert (rare.peak, rare.most_in_flight, rare.connect_timeout, rare.keepalive, rare.dscp) == (500, 7, 2.5, 60, 46)
    assert (rare.arrival, rare.close, rare.close_order) == (Arrival.POISSON, Close.FIN, CloseOrder.RANDOM)
    assert rare.slow
    assert rare.slow.half_open


def test_so_are_defaults_and_pushes() -> None:
    usual = RunSpec(9, server_push=0.5).shard_settings(seed=0, nonce=b"")

    assert carried(usual) == usual
    assert (usual.arrival, usual.pushed, usual.push_rate, usual.heartbeat) == (Arrival.CLOSED_LOOP, True, 0.5, None)


def test_every_field_has_a_field_of_the_request() -> None:
    names = set(worker_pb2.PrepareRequest.DESCRIPTOR.fields_by_name)

    assert {each.wire_name for each in carried_fields()} == names - {"run_id", "shards", "sources", "ports"}
    assert {each.name for each in carried_fields()} == {field.name for field in fields(ShardSettings)}


def test_every_setting_for_shards_has_a_field_of_its_name_and_default() -> None:
    defaults = {field.name: field.default for field in fields(ShardSettings)}

    for name, setting in SETTINGS.items():
        assert not setting.for_shards or defaults[name] in (setting.default, MISSING)
