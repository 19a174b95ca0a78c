"""Streams of samples that fall behind: gRPC keeps next to nothing of them, and what is used first afterwards is recent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import node

from c1m.coordinator.fleet.clients import TargetClient
from c1m.coordinator.fleet.nodes import ReceivedSample
from c1m.measure.sampling import OFTEN, READINGS_A_SECOND, SAMPLE_SECONDS, SAMPLES_A_SECOND, SILENCE_SECONDS, pace_of
from c1m.net.endpoints import parse_host_port
from c1m.v1 import target_pb2
from c1m.v1.target_pb2_grpc import TargetServiceStub
from c1m.wire.grpc_options import CHANNEL_OPTIONS, SERVER_OPTIONS

TARGET = "127.0.0.1:24960"
RUN = "slow"


class Talker(grpc.GenericRpcHandler):
    """Says something whenever gRPC has room for it."""

    def __init__(self, each: bytes, many: int) -> None:
        self.each = each
        self.many = many
        self.said = 0
        self.said_many = threading.Event()

    def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        return grpc.unary_stream_rpc_method_handler(self.talk)

    def talk(self, _: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        while context.is_active():
            self.said += 1
            if self.said == self.many:
                self.said_many.set()
            yield self.each


@contextmanager
def serving(talker: Talker) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2), handlers=[talker], options=SERVER_OPTIONS)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


@pytest.mark.parametrize("size", [300, 6_500])  # of a sample, and of one with a reading
def test_a_node_whose_coordinator_does_not_read_waits_with_its_next_sample(size: int) -> None:
    async def listen(address: str) -> None:
        async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
            stream: Any = channel.unary_stream("/any/thing")  # bytes, since nothing serialises them
            call = stream(b"")
            await call.read()
            assert not talker.said_many.wait(1.0), "a hundred were taken, and one was read"
            while not talker.said_many.is_set():
                await call.read()
            call.cancel()

    talker = Talker(b"x" * size, 100)
    with serving(talker) as address:
        asyncio.run(listen(address))


@given(st.integers(0, 100_000))
def test_of_more_nodes_each_tells_less_often_and_never_less_than_once_a_second(nodes: int) -> None:
    pace = pace_of(nodes)

    assert SAMPLE_SECONDS <= pace.sample_seconds <= SILENCE_SECONDS
    assert nodes <= READINGS_A_SECOND or nodes / pace.reading_every <= READINGS_A_SECOND
    assert nodes >= READINGS_A_SECOND or pace == OFTEN
    assert nodes >= SAMPLES_A_SECOND or nodes / pace.sample_seconds <= SAMPLES_A_SECOND + 1e-6


@pytest.fixture
def engaged() -> Iterator[grpc.Channel]:
    with node("target", "--bind", "127.0.0.1", "--ports", "24950-24953", "--listen", TARGET):
        with grpc.insecure_channel(TARGET, options=CHANNEL_OPTIONS) as channel:
            request = target_pb2.TargetServicePrepareRequest(run_id=RUN, acceptors=1, lease_seconds=30)
            TargetServiceStub(channel).Prepare(request, timeout=30)
            yield channel


def test_a_watcher_has_samples_and_readings_as_often_as_it_asked(engaged: grpc.Channel) -> None:
    stub = TargetServiceStub(engaged)
    samples = stub.Watch(target_pb2.TargetServiceWatchRequest(run_id=RUN, sample_seconds=1.0, reading_every=2))
    readings = (answer.sample.reading.number for answer in samples if answer.sample.HasField("reading"))
    numbers = [next(readings) for _ in range(3)]
    samples.cancel()
    with pytest.raises(grpc.RpcError, match="2.0 is out of range"):
        next(stub.Watch(target_pb2.TargetServiceWatchRequest(run_id=RUN, sample_seconds=2.0)))

    assert all(later - earlier >= 2 for earlier, later in pairwise(numbers))


def test_a_coordinator_that_was_away_goes_on_with_a_recent_sample(engaged: grpc.Channel) -> None:
    async def away(
        samples: AsyncIterator[ReceivedSample],
    ) -> tuple[list[target_pb2.TargetServiceWatchResponse], ReceivedSample]:
        first = (await anext(samples)).sample
        assert first.reading
        missed = readings_until(engaged, first.reading.number + 6)  # nothing else happens in this loop meanwhile
        return missed, await anext(samples)

    async def watch() -> tuple[list[target_pb2.TargetServiceWatchResponse], ReceivedSample]:
        target = TargetClient(parse_host_port(TARGET))
        try:
            return await away(target.watch(RUN))
        finally:
            await target.close()

    missed, next_one = asyncio.run(watch())

    assert next_one.sample.taken_ns > missed[-4].sample.taken_ns, "some seconds old"
    assert next_one.sample.reading
    assert next_one.sample.reading.number >= missed[-4].sample.reading.number


def readings_until(channel: grpc.Channel, number: int) -> list[target_pb2.TargetServiceWatchResponse]:
    """The samples with readings that another watcher gets, about one a second, up to that reading."""
    found = []
    call = TargetServiceStub(channel).Watch(target_pb2.TargetServiceWatchRequest(run_id=RUN))
    for answer in call:
        if answer.sample.HasField("reading"):
            found.append(answer)
        if answer.sample.reading.number >= number:
            call.cancel()
            return found
    raise AssertionError("the run ended")
