"""Many simulated workers in one process, which answer over gRPC as c1m-worker does and open nothing.

``python fake_fleet.py WORKER NODES FIRST_PORT SECONDS`` copies the description of the real c1m-worker at WORKER, serves NODES
workers at 127.0.0.1:FIRST_PORT and the ports after it, and prints "ready" when all can be called. Each opens its share within
SECONDS by its own clock, and sends samples as often and as large as a real worker: a full one has 11 kB. It ends at end of
input.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc

from c1m.kernel.reader import HostReader
from c1m.measure.phase import Phase
from c1m.measure.sample import Inspection, Reading, Sample
from c1m.measure.sampling import SILENCE_SECONDS
from c1m.measure.source_latency import SourceLatency
from c1m.measure.tally import Tally
from c1m.v1 import worker_pb2 as pb
from c1m.v1.worker_pb2_grpc import WorkerServiceServicer, WorkerServiceStub, add_WorkerServiceServicer_to_server
from c1m.wire import node_messages as wire
from c1m.wire.grpc_options import SERVER_OPTIONS

NANOSECONDS = 1_000_000_000
BUCKETS = 500  # of a histogram: connects of a real run that took from 30 us to 10 ms fall into about as many
SOURCES = 16


class FakeWorker(WorkerServiceServicer):
    """One worker: it opens its share at a constant rate, holds it, and closes it at once. It refuses all other calls."""

    async def refuse(self, request: object, context: Any) -> Any:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "a simulated worker cannot do that")

    AddShards = Probe = Retarget = StopTraffic = StopTurnover = Tune = refuse

    def __init__(self, number: int, described: pb.DescribeResponse, reading: Reading, seconds: float) -> None:
        self.described = pb.DescribeResponse()
        self.described.CopyFrom(described)
        self.described.host.network_namespace = number
        self.described.host.hostname = f"fake{number}"
        self.described.host.machine["node"] = f"fake{number}"
        self.described.host.boot_id = f"boot{number} fake{number}"
        del self.described.sources[:]
        self.described.sources.add(first=f"127.{1 + number // 250}.{number % 250}.1", count=SOURCES)
        self.reading, self.seconds = reading, seconds
        self.planned = 0
        self.started: float | None = None
        self.closing = asyncio.Event()

    @property
    def opened(self) -> int:
        share = (time.monotonic() - self.started) / self.seconds if self.started is not None else 0.0
        return int(self.planned * min(share, 1.0))

    @property
    def phase(self) -> Phase:
        if self.closing.is_set():
            return Phase.CLOSED
        if self.started is None:
            return Phase.PREPARED
        return Phase.HOLDING if self.opened == self.planned else Phase.OPENING

    def sample(self, number: int | None) -> Sample:
        """Return the sample of now. ``number``: of its reading; None: without reading, histograms and sources."""
        opened, phase = self.opened, self.phase
        open_now = 0 if phase is Phase.CLOSED else opened
        elapsed_ns = int((time.monotonic() - self.started) * NANOSECONDS) if self.started is not None else 0
        tally = Tally(attempted=opened, opened=opened, closed=opened - open_now)
        sample = Sample(
            phase,
            tally,
            opened_within_ns=min(elapsed_ns, int(self.seconds * NANOSECONDS)),
            cpu_seconds=0.1,
            processes=1,
            elapsed_ns=elapsed_ns,
            scheduled=opened,
            taken_ns=time.monotonic_ns(),
        )
        return sample if number is None else self.full(sample, number)

    def full(self, sample: Sample, number: int) -> Sample:
        """Return the sample with all that a real one has once a second. ``number``: of its reading."""
        opened = sample.tally.opened
        counts = {30 + 7 * at: opened // BUCKETS + (at < opened % BUCKETS) for at in range(BUCKETS)}
        sources = range(SOURCES if opened else 0)
        return replace(
            sample,
            histograms={"connect_latency_us": {value: count for value, count in counts.items() if count}},
            sources=tuple(SourceLatency("connect_latency_us", f"127.0.0.{at}", opened, 40, 90, 150) for at in sources),
            reading=replace(
                self.reading,
                number=number,
                sockets=100 + sample.tally.open,
                slab_bytes=10**9 + 4_000 * sample.tally.open,
            ),
        )

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeResponse:
        self.described.host.wall_clock_ns = time.time_ns()
        return self.described

    async def Prepare(self, request: pb.PrepareRequest, context: Any) -> pb.PrepareResponse:
        self.planned = sum(route.count for shard in request.shards for route in shard.routes)
        self.started = None
        self.closing.clear()
        return pb.PrepareResponse()

    async def Start(self, request: pb.StartRequest, context: Any) -> pb.StartResponse:
        self.started = time.monotonic()
        return pb.StartResponse()

    async def Watch(self, request: pb.WatchRequest, context: Any) -> AsyncIterator[pb.WatchResponse]:
        pause, every, readings = request.sample_seconds or 0.25, request.reading_every or 1, 0
        last_full = 0.0
        while True:
            now, number = time.monotonic(), None
            if now - last_full >= every or self.phase is Phase.CLOSED:
                last_full, number, readings = now, readings, readings + 1
            sample = self.sample(number)
            yield pb.WatchResponse(sample=wire.sample_to_wire(sample))
            if sample.phase is Phase.CLOSED:
                return
            try:
                async with asyncio.timeout(min(pause, SILENCE_SECONDS)):
                    await self.closing.wait()
            except TimeoutError:
                pass

    async def Inspect(self, request: pb.InspectRequest, context: Any) -> pb.InspectResponse:
        found = Inspection(established=self.opened, rss_bytes=50_000_000, pss_bytes=20_000_000, cpu_seconds=1.0)
        return pb.InspectResponse(inspection=wire.inspection_to_wire(found))

    async def Stop(self, request: pb.StopRequest, context: Any) -> pb.StopResponse:
        self.closing.set()
        return pb.StopResponse()


async def serve(worker: str, nodes: int, first_port: int, seconds: float) -> None:
    async with grpc.aio.insecure_channel(worker) as channel:
        described = await WorkerServiceStub(channel).Describe(pb.DescribeRequest(destinations=["127.0.0.1"]))
    reading = HostReader(list).take()
    servers = []
    for number in range(nodes):
        server = grpc.aio.server(options=SERVER_OPTIONS)
        port = first_port + number
        add_WorkerServiceServicer_to_server(FakeWorker(port, described, reading, seconds), server)
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        servers.append(server)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.gather(*(server.stop(None) for server in servers))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
