"""Observing a server that is not c1m's: this process, with listeners of the test."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import pytest
import trio
from in_process import InProcessZygote, Script
from nodes import leave, run_of, sample, target_orders

from c1m.errors import RefusedError
from c1m.kernel import owners, sockdiag
from c1m.kernel.host import HostFacts, read_host
from c1m.measure.phase import Phase
from c1m.net.ports import PortRanges
from c1m.target.node import observer as module
from c1m.target.node.observer import Observer, chosen_ports

pytestmark = pytest.mark.trio


@contextmanager
def listening(backlog: int = 7) -> Iterator[tuple[socket.socket, PortRanges]]:
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        port = listener.getsockname()[1]
        yield listener, PortRanges(((port, port),))


@asynccontextmanager
async def observer(ports: PortRanges, pid: int | None = None) -> AsyncIterator[Observer]:
    async with trio.open_nursery() as nursery:
        node = Observer(InProcessZygote(Script(nursery).begin), nursery, ports, pid)
        yield node
        await leave(node)
        nursery.cancel_scope.cancel()


async def test_a_run_beside_a_server() -> None:
    with listening() as (listener, ports):
        async with observer(ports) as node:
            assert await node.prepare(target_orders()) == ()
            assert await node.prepare(target_orders()) == ()
            assert os.getpid() in node.server
            assert node.pids() == list(node.server) == list(node.working())
            assert sample(node).phase is Phase.HOLDING
            client = socket.create_connection(listener.getsockname(), 10)
            inspection = await node.inspect_run("r")
            assert (inspection.established, inspection.in_accept_queues) == (1, 1)
            assert inspection.rss_bytes
            assert inspection.cpu_seconds
            accepted, _ = listener.accept()
            assert node.count().in_accept_queues == 0
            levels = node.levels()
            assert levels["listeners"] == 1
            assert levels["accept_backlog"] == 7
            assert 0 <= levels["chosen_ports"] <= levels["choosable_ports"]

            await node.stop_accepting("r")
            with pytest.raises(RefusedError, match="only observed cannot be asked to drop its connections"):
                await node.storm("r", 0.5)
            await node.stop("r")
            await run_of(node).over.wait()
            assert sample(node).phase is Phase.CLOSED
            client.close()
            accepted.close()


async def test_it_says_what_the_server_may_have() -> None:
    with listening(5) as (_, ports):
        async with observer(ports) as node:
            described = await node.describe()
            assert (described.observes, described.bind.ports) == (True, ports)
            assert described.host.limits["listen_backlog"] == 5
            assert described.host.limits["server_descriptors"] > 0


async def test_without_a_server_there_is_nothing_to_observe() -> None:
    with listening() as (_, ports):
        pass
    async with observer(ports) as node:
        limits = (await node.describe()).host.limits
        assert "listen_backlog" not in limits
        assert "server_descriptors" not in limits
        with pytest.raises(RefusedError, match="nothing listens on port .* here; start the server first"):
            await node.prepare(target_orders())
        assert node.node_run is None


async def test_the_server_may_be_named_by_its_process() -> None:
    with listening() as (_, ports):
        async with observer(ports, os.getpid()) as node:
            assert node.find_server()[0] == os.getpid()
        async with observer(ports, 1 << 23) as node:
            with pytest.raises(RefusedError, match="there is no process 8388608 here"):
                node.find_server()


async def test_a_server_of_another_network_namespace_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "network_namespace", lambda process: 1 if process == "self" else 2)
    with listening() as (_, ports):
        async with observer(ports, os.getpid()) as node:
            with pytest.raises(RefusedError, match="is in another network namespace"):
                node.find_server()


async def test_a_listener_whose_process_cannot_be_seen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "holders", lambda _: [])
    with listening() as (_, ports):
        async with observer(ports) as node:
            with pytest.raises(RefusedError, match="cannot see which process listens on port .*--pid"):
                node.find_server()


async def test_without_sock_diag_the_backlog_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise PermissionError

    with listening() as (_, ports):
        async with observer(ports) as node:
            monkeypatch.setattr(sockdiag, "accept_queues", broken)
            assert node.backlog() is None


async def test_ports_that_the_kernel_chooses_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockdiag, "most_ports", lambda ranges, family: 10 if family == 6 else 4)
    facts = read_host()

    def host(first: int, last: int, reserved: PortRanges | None) -> HostFacts:
        return replace(facts, ephemeral_range=(first, last) if last else None, reserved_ports=reserved)

    assert chosen_ports(host(1000, 1099, None)) == {"chosen_ports": 10, "choosable_ports": 100}
    assert chosen_ports(host(1000, 1099, PortRanges(((1050, 1099),)))) == {"chosen_ports": 10, "choosable_ports": 50}
    assert chosen_ports(host(1000, 1000, PortRanges(((1000, 1000),)))) == {}
    assert chosen_ports(host(0, 0, None)) == {}
