"""--dscp is in the IP header of the SYN, as the kernel of the server reports it."""

from __future__ import annotations

import socket
import struct

import pytest
from shards import assignment, running, server

from c1m.worker.sockets.connections import ClientConnections
from c1m.worker.sockets.opener import Opener

IP_PKTOPTIONS = 9  # linux/in.h: what came with the last segment, or for a connection with the SYN
IPV6_2292PKTOPTIONS, IPV6_RECVTCLASS = 6, 66  # linux/in6.h
HEADER = struct.Struct("@Nii")  # of a control message: its length, level and type


def received_class(accepted: socket.socket, level: int, wanted: int, option: int) -> int:
    """Return the traffic class of the SYN of an accepted connection."""
    accepted.setsockopt(level, wanted, 1)
    found = accepted.getsockopt(level, option, 64)
    length, *_ = HEADER.unpack_from(found)
    return int.from_bytes(found[HEADER.size : length], "little")


@pytest.mark.trio
@pytest.mark.parametrize("dscp", [0, 46, 63])
async def test_the_servers_kernel_sees_the_dscp_of_every_connection(dscp: int) -> None:
    with server() as one:
        async with running(assignment(5, one.address, dscp=dscp)) as it:
            await it.start()
            await it.holds()

            classes = [received_class(each, socket.IPPROTO_IP, socket.IP_RECVTOS, IP_PKTOPTIONS) for each in one.accept()]
            assert [found >> 2 for found in classes] == [dscp] * 5


def test_so_it_does_over_ipv6() -> None:
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    with listener, connection:
        for option in Opener(ClientConnections(socket.AF_INET6, 64, paced=False), 46).options:
            connection.setsockopt(*option)
        connection.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            assert received_class(accepted, socket.IPPROTO_IPV6, IPV6_RECVTCLASS, IPV6_2292PKTOPTIONS) >> 2 == 46
