"""A table of tracked connections that is full, on the server's machine: filled by hand, by netlink."""

from __future__ import annotations

import re
import struct
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from forced import FORCED, TARGET, Fleet, conduct, filtered, inside, program
from programs import first

pytestmark = FORCED


TRACKED = """
import socket, struct, sys
message = bytearray.fromhex(sys.argv[1])
most, batch = int(sys.argv[2]), []
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as kernel:
    kernel.bind((0, 0))
    for number in range(most + 1):
        address, port = struct.pack("!I", 0x0A630000 + number // 50000), struct.pack("!H", 10000 + number % 50000)
        for at in map(int, sys.argv[3].split(",")):
            message[at : at + 4] = address
        for at in map(int, sys.argv[4].split(",")):
            message[at : at + 2] = port
        batch.append(bytes(message))
        if len(batch) == 200 or number == most:
            kernel.send(b"".join(batch))
            batch.clear()
print("ready", flush=True)
import time; time.sleep(600)
"""
FORGET = """
import socket, struct
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as kernel:  # IPCTNL_MSG_CT_DELETE of all there are
    kernel.send(struct.pack("=IHHII", 20, 1 << 8 | 2, 5, 0, 0) + bytes(4))
    kernel.recv(4096)
"""
CONNTRACK_MAX = Path("/proc/sys/net/netfilter/nf_conntrack_max")


def tracked_connection() -> tuple[str, str, str]:
    """What tells the kernel to track a UDP stream for two minutes, in hex, and where its client's address and port stand."""

    def attribute(kind: int, payload: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)

    def tuple_of(kind: int, source: bytes, target: bytes, ports: tuple[int, int]) -> bytes:
        addresses = attribute(1, source) + attribute(2, target)  # CTA_IP_V4_SRC, CTA_IP_V4_DST
        protocol = attribute(1, b"\x11") + attribute(2, struct.pack("!H", ports[0])) + attribute(3, struct.pack("!H", ports[1]))
        return attribute(0x8000 | kind, attribute(0x8001, addresses) + attribute(0x8002, protocol))

    client, server = b"CLNT", b"\x0a\xc8\x00\x02"
    confirmed = struct.pack("!I", 1 << 1 | 1 << 2 | 1 << 3)  # SEEN_REPLY, ASSURED, CONFIRMED: not to be dropped early
    body = tuple_of(1, client, server, (0x5050, 9)) + tuple_of(2, server, client, (9, 0x5050))
    body += attribute(3, confirmed) + attribute(7, struct.pack("!I", 120))
    head = struct.pack("=IHHII", 20 + len(body), 1 << 8, 0x601, 0, 0) + b"\x02\0\0\0"  # IPCTNL_MSG_CT_NEW, create
    text = head + body
    places = [[str(match.start()) for match in re.finditer(what, text)] for what in (b"CLNT", b"PP")]
    return text.hex(), ",".join(places[0]), ",".join(places[1])


TRACKS = """
table inet f {
chain raw_in {
type filter hook prerouting priority -300;
tcp dport 7200 notrack
}
chain raw_out {
type filter hook output priority -300;
tcp sport 7200 notrack
}
chain in {
type filter hook input priority 0;
ct state new accept
}
}
"""


@pytest.mark.skipif(
    not CONNTRACK_MAX.exists() or int(CONNTRACK_MAX.read_text()) > 300_000, reason="there is no table to fill in a moment"
)
def test_a_table_of_tracked_connections_that_is_full(fleet: Fleet, tmp_path: Path) -> None:
    """Only once the run has begun: one that finds it full before is refused."""
    text, addresses, ports = tracked_connection()
    fill = (TRACKED, text, CONNTRACK_MAX.read_text().strip(), addresses, ports)
    with filtered(fleet.hosts, "target", TRACKS), ExitStack() as meanwhile:
        meanwhile.callback(inside, fleet.hosts, "target", sys.executable, "-c", FORGET)
        told = conduct(
            fleet,
            tmp_path,
            *(*fleet.to_target, "--total", "4000", "--ramp", "8s"),
            opening=lambda: meanwhile.enter_context(program(fleet.hosts, "target", *fill, before=first())),
            named="tracked connections is full",
        )

    assert told.causes() == [("conntrack table", TARGET)]
