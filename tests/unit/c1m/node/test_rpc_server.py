"""Nodes over gRPC on a Unix socket: every call, what becomes of a refusal, watchers and their number."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
import trio
from nodes import request, run_of, target, until, worker
from shards import server

from c1m.errors import C1mError, RefusedError, UsageError
from c1m.measure.phase import Phase
from c1m.net.control_address import SocketPath
from c1m.node import rpc_server as module
from c1m.node.authorization import Authorization
from c1m.node.node import Node
from c1m.node.rpc_server import RpcServer, refusals, serving
from c1m.orders.orders import Probe
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Arrival
from c1m.target.node.service import TargetService
from c1m.v1 import node_pb2, target_pb2, target_pb2_grpc, worker_pb2, worker_pb2_grpc
from c1m.wire.node_messages import sample_from_wire
from c1m.worker.node.service import WorkerService

pytestmark = pytest.mark.trio

NOWHERE = ("127.0.0.1", 9)


@asynccontextmanager
async def served(
    node: Node, path: Path, add: Callable[[RpcServer, grpc.Server], object], *, secured: bool = False
) -> AsyncIterator[grpc.Channel]:
    """The node behind a gRPC server, and a channel to it."""
    where = SocketPath(str(path))
    rpc_server = RpcServer()
    gate = Authorization("node", node.owner_of, secured=secured, says=False)
    async with serving(where, lambda made: (add(rpc_server, made), None)[1], gate, None) as address:
        with grpc.insecure_channel(address.uri) as channel:
            yield channel


@asynccontextmanager
async def worker_stub(node: Any, path: Path, *, secured: bool = False) -> AsyncIterator[Any]:
    def add(rpc_server: RpcServer, made: grpc.Server) -> None:
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(WorkerService(rpc_server, node), made)

    async with served(node, path / "worker.sock", add, secured=secured) as channel:
        yield Caller(worker_pb2_grpc.WorkerServiceStub(channel))


class Caller:
    """Calls in threads, since the node's loop is this test's."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub

    async def __call__(self, name: str, message: Any) -> Any:
        return await trio.to_thread.run_sync(partial(getattr(self.stub, name), message, timeout=20))

    async def refused(self, name: str, message: Any) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.RpcError) as refusal:
            await self(name, message)
        return refusal.value.code(), refusal.value.details() or ""

    async def watch(self, message: Any) -> trio.MemoryReceiveChannel[Any]:
        """Return the samples of a Watch as they come."""
        send, receive = trio.open_memory_channel[Any](1000)
        token = trio.lowlevel.current_trio_token()
        call = self.stub.Watch(message, timeout=20)

        def read() -> None:
            with suppress(trio.RunFinishedError):  # the test is over
                try:
                    for response in call:
                        trio.from_thread.run_sync(send.send_nowait, response, trio_token=token)
                except grpc.RpcError as error:
                    trio.from_thread.run_sync(send.send_nowait, error, trio_token=token)
                trio.from_thread.run_sync(send.close, trio_token=token)

        threading.Thread(target=read).start()
        return receive


async def test_a_workers_run_call_by_call(tmp_path: Path) -> None:
    with server() as one:
        async with worker() as (node, _), worker_stub(node, tmp_path) as call:
            described = await call("Describe", worker_pb2.DescribeRequest(destinations=["127.0.0.1"]))
            assert (described.busy_with, described.run_id) == ("", "")
            assert described.host.wall_clock_ns > 0
            assert described.host.answered_within_ns > 0
            await call("Prepare", request(10, one.address, stages=[(10, 0.0)], peak=12, arrival=Arrival.CONSTANT))
            assert (await call("Describe", worker_pb2.DescribeRequest(destinations=["127.0.0.1"]))).run_id == "r"
            samples = await call.watch(worker_pb2.WatchRequest(run_id="r"))
            assert (await samples.receive()).sample.phase == Phase.PREPARED
            await call("Start", worker_pb2.StartRequest(run_id="r"))
            await until(node, lambda: run_of(node).phase is Phase.HOLDING)
            retarget = worker_pb2.RetargetRequest(run_id="r", at_ns=run_of(node).elapsed_ns)
            retarget.stages.add(total=6)
            assert (await call("Retarget", retarget)).version == 2
            share = RingShare(12, 0, 10)
            await until(node, lambda: run_of(node).supervisor.tally().open == share.count(6))
            more = worker_pb2.AddShardsRequest(run_id="r")
            shard = more.shards.add(first_point=10)
            shard.routes.add(first=200, span=2, count=2).destination.CopyFrom(
                request(1, one.address).shards[0].routes[0].destination
            )
            await call("AddShards", more)
            await until(node, lambda: run_of(node).supervisor.tally().open == 6)
            assert len(node.shards) == 2
            await call("StopTurnover", worker_pb2.StopTurnoverRequest(run_id="r"))
            await call("StopTraffic", worker_pb2.StopTrafficRequest(run_id="r"))
            inspection = (await call("Inspect", worker_pb2.InspectRequest(run_id="r"))).inspection
            assert inspection.established == 6
            await call("Stop", worker_pb2.StopRequest(run_id="r", close=node_pb2.CLOSE_RESET))
            found = [sample_from_wire(each.sample) async for each in samples]
            assert (found[-1].phase, found[-1].tally.open) == (Phase.CLOSED, 0)
            assert [each.phase for each in found].count(Phase.CLOSED) == 1
            assert len([each for each in found if each.revision]) == 1, "a new schedule is sent once"
            assert run_of(node).watchers == 0


async def test_a_probe_and_settings_over_grpc(tmp_path: Path) -> None:
    async with worker(plays=True) as (node, it), worker_stub(node, tmp_path) as call:
        assert await call.refused("Tune", worker_pb2.TuneRequest(undo=True)) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "does not let coordinators change settings of its host; start it with --allow-tune to permit it",
        )
        node.tunable = True
        assert list((await call("Tune", worker_pb2.TuneRequest(settings={}))).changes) == []
        await call("Prepare", request(4, NOWHERE))
        await call("Start", worker_pb2.StartRequest(run_id="r"))
        (child,) = it.script.children

        async def answer() -> None:
            while Probe(4) not in child.orders:
                await trio.sleep(0.001)
            child.report(Phase.HOLDING, probed=(3, 1))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            probed = await call("Probe", worker_pb2.ProbeRequest(run_id="r", connections=4))
        assert (probed.probed, probed.ghosts) == (3, 1)


async def test_a_targets_run_call_by_call(tmp_path: Path) -> None:
    def add(rpc_server: RpcServer, made: grpc.Server) -> None:
        target_pb2_grpc.add_TargetServiceServicer_to_server(TargetService(rpc_server, node), made)

    async with target() as (node, _), served(node, tmp_path / "target.sock", add) as channel:
        call = Caller(target_pb2_grpc.TargetServiceStub(channel))
        described = await call("Describe", target_pb2.TargetServiceDescribeRequest())
        assert (described.bind, described.single_port, described.observes) == ("127.0.0.1", False, False)
        wanted = target_pb2.TargetServicePrepareRequest(run_id="r", acceptors=2, lease_seconds=15)
        ports = (await call("Prepare", wanted)).ports
        assert len(ports) == 2
        samples = await call.watch(target_pb2.TargetServiceWatchRequest(run_id="r"))
        assert (await samples.receive()).sample.phase == Phase.HOLDING
        assert (await call("Inspect", target_pb2.TargetServiceInspectRequest(run_id="r"))).inspection.established == 0
        await call("Storm", target_pb2.TargetServiceStormRequest(run_id="r", share=0.5))
        storm = await call.refused("Storm", target_pb2.TargetServiceStormRequest(run_id="r", share=2.0))
        assert storm[0] is grpc.StatusCode.INVALID_ARGUMENT
        await call("StopAccepting", target_pb2.TargetServiceStopAcceptingRequest(run_id="r"))
        assert (await call("Stop", target_pb2.TargetServiceStopRequest(run_id="r"))).left_established == 0
        *_, last = [each async for each in samples]
        assert last.sample.phase == Phase.CLOSED
        assert list(await call.refused("Tune", target_pb2.TargetServiceTuneRequest(undo=True)))


async def test_what_makes_no_sense_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with worker(plays=True) as (node, _), worker_stub(node, tmp_path) as call:
        for name, message in (
            ("Describe", worker_pb2.DescribeRequest(destinations=["nowhere"])),
            ("Prepare", worker_pb2.PrepareRequest()),
            ("Retarget", worker_pb2.RetargetRequest(run_id="r")),
            ("Stop", worker_pb2.StopRequest(run_id="r", rate=-1.0)),
        ):
            code, sentence = await call.refused(name, message)
            assert code is grpc.StatusCode.INVALID_ARGUMENT, name
            assert sentence
        assert await call.refused("Start", worker_pb2.StartRequest(run_id="r")) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "has no run 'r': its lease ended, or the node was restarted",
        )
        error = await (await call.watch(worker_pb2.WatchRequest(run_id="r"))).receive()
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_there_is_room_for_a_number_of_watchers_and_they_keep_the_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WATCHERS", 2)
    async with worker(plays=True) as (node, _), worker_stub(node, tmp_path) as call:
        await call("Prepare", request(4, NOWHERE))
        watchers = [await call.watch(worker_pb2.WatchRequest(run_id="r")) for _ in range(2)]
        for each in watchers:
            await each.receive()
        assert run_of(node).watchers == 2
        error = await (await call.watch(worker_pb2.WatchRequest(run_id="r"))).receive()
        assert (error.code(), error.details()[:25]) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "2 watchers are connected,")
        await call("Stop", worker_pb2.StopRequest(run_id="r", close=node_pb2.CLOSE_RESET))
        for each in watchers:
            assert [sample async for sample in each][-1].sample.phase == Phase.CLOSED
        assert run_of(node).watchers == 0
        await call("Prepare", request(4, NOWHERE, run_id="another"))
        assert await (await call.watch(worker_pb2.WatchRequest(run_id="another"))).receive()
        await call("Stop", worker_pb2.StopRequest(run_id="another", close=node_pb2.CLOSE_RESET))


async def test_a_caller_without_a_role_is_refused_where_certificates_are_asked_for(tmp_path: Path) -> None:
    async with worker(plays=True) as (node, _), worker_stub(node, tmp_path, secured=True) as call:
        code, sentence = await call.refused("Describe", worker_pb2.DescribeRequest())
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert sentence.startswith("the caller is not an operator")


async def test_an_address_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    async with worker(plays=True) as (node, _), worker_stub(node, tmp_path):
        with pytest.raises(C1mError):
            async with worker_stub(node, tmp_path):
                pass


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no"), grpc.StatusCode.INVALID_ARGUMENT),
        (RefusedError("no"), grpc.StatusCode.FAILED_PRECONDITION),
        (C1mError("no"), grpc.StatusCode.INTERNAL),
        (trio.RunFinishedError("no"), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_every_error_has_its_status(error: Exception, code: grpc.StatusCode) -> None:
    class Context:
        def abort(self, code: grpc.StatusCode, details: str) -> None:
            raise LookupError(code, details)

    with pytest.raises(LookupError) as aborted:
        with refusals(Context()):  # type: ignore[arg-type]
            raise error
    assert aborted.value.args[0] is code
