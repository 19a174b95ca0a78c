"""Streams of samples that fall behind: gRPC keeps next to nothing of them, and what is used first afterwards is recent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from programs import node

from c1m.coordinator.fleet import Target, Told
from c1m.endpoints import parse_host_port
from c1m.rpc import CHANNEL_OPTIONS, SERVER_OPTIONS
from c1m.v1 import target_pb2
from c1m.v1.target_pb2_grpc import TargetServiceStub

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


def test_a_coordinator_that_was_away_goes_on_with_a_recent_sample() -> None:
    async def away(samples: AsyncIterator[Told]) -> tuple[list[target_pb2.TargetServiceWatchResponse], Told]:
        first = (await anext(samples)).sample
        assert first.reading
        with grpc.insecure_channel(TARGET, options=CHANNEL_OPTIONS) as channel:
            missed = readings_until(channel, first.reading.number + 6)  # nothing else happens in this loop meanwhile
        return missed, await anext(samples)

    async def watch() -> tuple[list[target_pb2.TargetServiceWatchResponse], Told]:
        target = Target(parse_host_port(TARGET))
        try:
            return await away(target.watch(RUN))
        finally:
            await target.close()

    with node("target", "--bind", "127.0.0.1", "--ports", "24950-24953", "--listen", TARGET):
        with grpc.insecure_channel(TARGET, options=CHANNEL_OPTIONS) as channel:
            request = target_pb2.TargetServicePrepareRequest(run_id=RUN, acceptors=1, lease_seconds=30)
            TargetServiceStub(channel).Prepare(request, timeout=30)
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
