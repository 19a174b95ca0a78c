"""The link between a node's control process and one of its children: whole messages over a socketpair.

``SOCK_SEQPACKET`` preserves message boundaries, so no framing is needed. A closed end reads as an empty message: for the
child it is the order to end, for the control process it means that the child is gone.

Messages are marshalled. Both ends are the same interpreter of one installation, and the bytes never leave the machine. The
first use of ``json`` makes a child copy 200 kB of the pages that it shares with its siblings; marshal makes it copy 12 kB.
With fifty processes and a million connections the difference is 10 bytes a connection.

This module uses ``_socket``, not ``socket``, which imports ``selectors``; acceptors must not load that.
"""

from __future__ import annotations

import marshal
from _socket import (
    AF_UNIX,
    CMSG_LEN,
    MSG_PEEK,
    MSG_TRUNC,
    SCM_RIGHTS,
    SO_SNDBUF,
    SOCK_CLOEXEC,
    SOCK_SEQPACKET,
    SOL_SOCKET,
    socket,
    socketpair,
)
from array import array
from typing import Any

Message = dict[str, Any]

# A message must fit in the sender's buffer, otherwise sending fails with EMSGSIZE. 200 KiB is below the kernel's default
# net.core.wmem_default of 212,992 bytes. A shard's assignment with a thousand routes takes a tenth of it.
LONGEST_MESSAGE = 200 * 1024
MOST_DESCRIPTORS = 253  # in one message: the kernel's SCM_MAX_FD


def pair() -> tuple[socket, socket]:
    """Return the two connected sockets of a new link between processes.

    Both are close-on-exec; pass one to another process with :func:`send_descriptors`.
    """
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    for end in (ours, theirs):
        end.setsockopt(SOL_SOCKET, SO_SNDBUF, LONGEST_MESSAGE)
    return ours, theirs


def encode(message: Message) -> bytes:
    """Return a link message of plain dicts, lists, tuples, strings and numbers as bytes.

    Raises ValueError for other types, and for a message that is too long to be sent.
    """
    packet = marshal.dumps(message)
    if len(packet) > LONGEST_MESSAGE:
        raise ValueError(f"a link message of {len(packet):,} bytes exceeds the limit of {LONGEST_MESSAGE:,}")
    return packet


def decode(packet: bytes) -> Message:
    """Return the link message that a packet of bytes contains. Raises ValueError for anything that is not a message."""
    try:
        message = marshal.loads(packet)
    except (EOFError, TypeError, MemoryError) as error:  # MemoryError: a header that claims gigabytes
        raise ValueError(f"{len(packet):,} bytes on a link are not a message: {error}") from None
    if not isinstance(message, dict):
        raise ValueError(f"a link message must be a dict, not {type(message).__name__}")  # noqa: TRY004
    return message


def receive(end: socket) -> Message | None:
    """Return the next message that arrives at this end of a link, or None if the other end is closed.

    Raises ValueError for anything that is not a message.
    """
    try:
        # Read the length first: a buffer for the longest message would stay allocated in every child.
        length = end.recv_into(bytearray(1), 1, MSG_PEEK | MSG_TRUNC)
        packet = end.recv(length) if length else b""
    except ConnectionError:
        return None
    return decode(packet) if packet else None


def send_descriptors(end: socket, message: Message, descriptors: list[int]) -> None:
    """Send a message over a link, with open descriptors of which the receiver gets copies. Returns nothing."""
    end.sendmsg([encode(message)], [(SOL_SOCKET, SCM_RIGHTS, array("i", descriptors))])


def receive_descriptors(end: socket) -> tuple[Message, list[int]] | None:
    """Return the next message that arrives over a link and the descriptors that came with it, or None if the other end is
    closed.
    """
    room = CMSG_LEN(MOST_DESCRIPTORS * array("i").itemsize)
    try:
        packet, ancillary, _, _ = end.recvmsg(LONGEST_MESSAGE, room)
    except ConnectionError:  # the other end closed with unread messages
        return None
    if not packet:
        return None
    descriptors = array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return decode(packet), list(descriptors)
