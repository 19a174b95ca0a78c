"""The link between a node's control process and one of its children: whole messages over a socketpair.

``SOCK_SEQPACKET`` keeps message boundaries in the kernel, so there is no framing of ours to get wrong, and a closed
end is an empty read: for the child it means die, for the control process that the child is gone.

Messages are marshalled: both ends are one interpreter of one installation, the bytes never leave the machine, and the
first use of ``json`` makes a child copy 200 kB of the pages that it shares with its siblings, of marshal 12 kB. That is
10 bytes a connection at fifty processes a million.

Only ``_socket``, never ``socket``: the latter imports ``selectors``, which an acceptor must not carry.
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

# A message must fit the sender's buffer (EMSGSIZE otherwise). 200 KiB is inside the kernel's default
# net.core.wmem_default of 212,992 bytes; a shard's assignment with a thousand routes takes a tenth of it.
LONGEST_MESSAGE = 200 * 1024
MOST_DESCRIPTORS = 253  # in one message: the kernel's SCM_MAX_FD


def pair() -> tuple[socket, socket]:
    """Two connected ends. Both are close-on-exec; hand one over with :func:`send_descriptors`."""
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    for end in (ours, theirs):
        end.setsockopt(SOL_SOCKET, SO_SNDBUF, LONGEST_MESSAGE)
    return ours, theirs


def encode(message: Message) -> bytes:
    """Of plain dicts, lists, tuples, texts and numbers. Raises ValueError for others, and for what is too long to be sent."""
    packet = marshal.dumps(message)
    if len(packet) > LONGEST_MESSAGE:
        raise ValueError(f"a link message of {len(packet):,} bytes exceeds the {LONGEST_MESSAGE:,} that fit")
    return packet


def decode(packet: bytes) -> Message:
    """Raises ValueError for anything but a message."""
    try:
        message = marshal.loads(packet)
    except (EOFError, TypeError, MemoryError) as error:  # a header that claims gigabytes
        raise ValueError(f"{len(packet):,} bytes on a link are no message: {error}") from None
    if not isinstance(message, dict):
        raise ValueError(f"a link message must be a dict, not {type(message).__name__}")  # noqa: TRY004
    return message


def receive(end: socket) -> Message | None:
    """The next message; None when the other side is gone."""
    try:
        # The length first: a buffer for the longest message would be a page of its own in every child, for ever.
        length = end.recv_into(bytearray(1), 1, MSG_PEEK | MSG_TRUNC)
        packet = end.recv(length) if length else b""
    except ConnectionError:
        return None
    return decode(packet) if packet else None


def send_descriptors(end: socket, message: Message, descriptors: list[int]) -> None:
    """Send a message with open descriptors; the receiver gets its own copies."""
    end.sendmsg([encode(message)], [(SOL_SOCKET, SCM_RIGHTS, array("i", descriptors))])


def receive_descriptors(end: socket) -> tuple[Message, list[int]] | None:
    """The next message and the descriptors that came with it; None when the other side is gone."""
    room = CMSG_LEN(MOST_DESCRIPTORS * array("i").itemsize)
    try:
        packet, ancillary, _, _ = end.recvmsg(LONGEST_MESSAGE, room)
    except ConnectionError:  # the other side closed with something of ours unread
        return None
    if not packet:
        return None
    descriptors = array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return decode(packet), list(descriptors)
