"""A target's control process: its listeners, and a run of its acceptors from Prepare to the end."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
import trio
from acceptors import exactly, is_open, is_over
from nodes import LISTENED, run_of, sample, tally, target, target_orders, until

from c1m.errors import RefusedError, UsageError
from c1m.kernel import sockdiag
from c1m.measure.phase import Close, Phase
from c1m.measure.reasons import ExitKind
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.orders.orders import DropShare
from c1m.target.node.listeners import Bind, open_listeners
from c1m.target.node.target_node import check_bind

pytestmark = pytest.mark.trio


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10, (source, 0))


async def test_a_run_from_prepare_to_the_end() -> None:
    async with target() as (node, _):
        ports = await node.prepare(target_orders(2, operator="alice"))
        assert len(set(ports)) == 2
        assert sample(node).phase is Phase.HOLDING
        assert "run r of alice" in (await node.describe()).busy_with
        clients = [connect(ports[0]), connect(ports[0]), connect(ports[1])]
        await until(node, lambda: tally(node).opened == 3)
        clients[0].sendall(b"hello")
        assert (await trio.to_thread.run_sync(exactly, clients[0], 5)) == b"hello"

        inspection = await node.inspect_run("r")
        assert (inspection.established, inspection.half_closed, inspection.in_accept_queues) == (3, 0, 0)
        assert inspection.reading is not None
        assert inspection.reading.levels["listeners"] == 2

        await node.stop_accepting("r")
        assert run_of(node).settling
        assert await node.stop("r") == 3
        await run_of(node).over.wait()
        assert (tally(node).closed, sample(node).phase) == (3, Phase.CLOSED)
        assert await node.stop("r") is None, "it is closed already"
        for client in clients:
            assert is_over(client)
            client.close()
        with pytest.raises(ConnectionRefusedError):
            connect(ports[0])


async def test_who_asks_again_gets_the_same_ports() -> None:
    async with target(plays=True) as (node, it):
        wanted = target_orders(2)
        ports = await node.prepare(wanted)
        assert await node.prepare(wanted) == ports
        assert it.zygote.forked_names == ["acceptor 0", "acceptor 1"]
        with pytest.raises(RefusedError, match="busy with run r"):
            await node.prepare(target_orders(1, "other"))


async def test_acceptors_may_share_one_port() -> None:
    async with target(bind=Bind("127.0.0.1", LISTENED, single_port=True)) as (node, _):
        ports = await node.prepare(target_orders(3))
        assert len(set(ports)) == 1
        clients = [connect(ports[0]) for _ in range(6)]
        await until(node, lambda: tally(node).opened == 6)
        assert node.ports == [(ports[0], ports[0])]
        for client in clients:
            client.close()


async def test_too_few_ports_are_refused_and_none_stays_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        where = Bind("127.0.0.1", PortRanges(((port, port),)), single_port=False)
        async with target(plays=True, bind=where) as (node, _):
            with pytest.raises(RefusedError, match=f"needs 1 free ports on 127.0.0.1 and has 0 among {port}"):
                await node.prepare(target_orders(1))
            await run_of(node).over.wait()
            assert node.busy_with() == ""
        with pytest.raises(RefusedError, match="c1m-target needs 1 free ports"):
            check_bind(where)
    check_bind(where)
    (listener,) = open_listeners(where, 1, Close.FIN)
    listener.close()


async def test_an_address_of_another_machine_cannot_be_bound() -> None:
    where = Bind("8.8.8.8", LISTENED, single_port=False)
    with pytest.raises(RefusedError, match="cannot listen on 8.8.8.8 port .* give an address of this machine with --bind"):
        open_listeners(where, 1, Close.RESET)


@pytest.mark.parametrize(("close", "lingers"), [(Close.RESET, 1), (Close.FIN, 0)])
async def test_how_a_target_closes_is_inherited_from_its_listener(close: Close, lingers: int) -> None:
    (listener,) = open_listeners(Bind("::1", LISTENED, single_port=False), 1, close)
    with listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)[0] == lingers
        assert listener.family == socket.AF_INET6


async def test_only_the_sources_of_the_run_are_accepted() -> None:
    sources = AddressPool((AddressBlock(127 << 24 | 5, 2, 4), AddressBlock(0xFD << 120, 1, 6)))
    async with target(only_run_sources=True) as (node, _):
        (port,) = await node.prepare(target_orders(sources=sources))
        assert (await node.describe()).only_run_sources
        guest, stranger = connect(port, "127.0.0.6"), connect(port)
        await until(node, lambda: tally(node).opened == 1 and tally(node).errors)
        assert tally(node).errors == {"accept from elsewhere": 1}
        assert is_over(stranger)
        assert is_open(guest)
        for each in (guest, stranger):
            each.close()


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
async def test_a_storm_takes_a_share(share: float) -> None:
    async with target(plays=True) as (node, it):
        await node.prepare(target_orders(2))
        with pytest.raises(UsageError, match="a storm takes a share of the connections above 0 and up to 1"):
            await node.storm("r", share)
        await node.storm("r", 1.0)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert [child.orders[-1] for child in it.script.children] == [DropShare(1.0)] * 2


async def test_an_acceptor_that_ends_is_replaced_on_its_port() -> None:
    async with target() as (node, it):
        (port,) = await node.prepare(target_orders())
        first = connect(port)
        await until(node, lambda: tally(node).opened == 1)
        run_of(node).supervisor.children[0].kill(ExitKind.IDLE, 5.0)
        await until(node, lambda: sample(node).replacements)
        second = connect(port)
        await until(node, lambda: tally(node).opened == 2)
        assert tally(node).dropped == {"process_died": 1}
        assert it.zygote.forked_names == ["acceptor 0", "acceptor 0"]
        assert is_over(first)
        for each in (first, second):
            each.close()


@pytest.mark.parametrize("shared", [False, True])
async def test_the_port_of_an_acceptor_that_is_given_up_is_closed_unless_others_share_it(shared: bool) -> None:
    async with target(plays=True, bind=Bind("127.0.0.1", LISTENED, single_port=shared)) as (node, it):
        ports = await node.prepare(target_orders(2))
        run_of(node).settling = True  # nothing is replaced any more
        it.script.children[0].die()
        await until(node, lambda: len(run_of(node).supervisor.alive) == 1 and not run_of(node).supervisor.mourning)
        if shared:
            connect(ports[0]).close()
            it.script.children[1].die()
            await until(node, lambda: not run_of(node).supervisor.alive and not run_of(node).supervisor.mourning)
        with pytest.raises(ConnectionRefusedError):
            connect(ports[0])


async def test_what_every_acceptor_is_given() -> None:
    sources = AddressPool((AddressBlock(127 << 24 | 5, 2, 4),))
    async with target(plays=True, only_run_sources=True) as (node, it):
        await node.prepare(target_orders(1, push_rate=2.0, nonce=b"n" * 16, sources=sources))
        (given,) = it.script.children[0].orders
        assert (given.index, given.shared, given.push_rate, given.nonce) == (0, False, 2.0, b"n" * 16)
        assert given.guests == ((127 << 24 | 5, 2),)
        assert 0 < given.capacity < given.descriptors


@pytest.mark.parametrize("call", [("stop_accepting",), ("storm", 0.5), ("stop",)])
async def test_a_run_that_is_not_there_is_refused(call: tuple[Any, ...]) -> None:
    async with target(plays=True) as (node, _):
        with pytest.raises(RefusedError, match="has no run 'r'"):
            await getattr(node, call[0])("r", *call[1:])


async def test_without_sock_diag_what_is_left_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise PermissionError(1, os.strerror(1))

    async with target(plays=True) as (node, _):
        await node.prepare(target_orders(1))
        monkeypatch.setattr(sockdiag, "count_by_state", broken)
        inspection = await node.inspect_run("r")
        assert inspection.established is None
        assert "sock_diag failed" in inspection.unknown[0]
        assert await node.stop("r") is None
