"""The gRPC options of every channel and server of c1m.

Each option avoids a problem that occurred: without them two servers bind one port without an error, a proxy from the
environment is used, and a stopped or cut-off peer goes unnoticed for more than 15 seconds.
"""

from __future__ import annotations

PROTOCOL = 2  # incremented when nodes and coordinators of different versions would misunderstand each other

READY = "listening on "  # a node program prints this on stdout once it can be called, followed by its address

# A plan for a node with thousands of shards is far below this. Larger messages are refused before they are parsed.
LONGEST_MESSAGE_BYTES = 64 * 1024 * 1024

# A peer that was silent for KEEPALIVE_MS gets a ping, and its connection is closed if it does not answer within ANSWER_MS.
# The sum is a second less than a coordinator waits for a node (coordinator/fleet/failure_detector.py), which leaves that second
# to connect again.
KEEPALIVE_MS = 1500
ANSWER_MS = 2000
_SHARED = [
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", ANSWER_MS),
    (
        "grpc.http2.ping_timeout_ms",
        ANSWER_MS,
    ),  # 60 s by default; needed because the kernel of a SIGSTOPped peer still acknowledges
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", LONGEST_MESSAGE_BYTES),
    ("grpc.max_send_message_length", LONGEST_MESSAGE_BYTES),
]

# How much a node may send before its coordinator has read what came before. Beyond it the node's call waits and takes its next
# sample afterwards, so a slow coordinator or link has only a few old samples before the new one. By default gRPC's BDP probe
# enlarges this window the more is sent; 3 MB of samples of each node were queued in it. A message larger than the window takes
# one more round trip.
UNREAD_BYTES = 1024

CHANNEL_OPTIONS = [
    *_SHARED,
    ("grpc.http2.lookahead_bytes", UNREAD_BYTES),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.enable_http_proxy", 0),
    # Control channels of different runs must not share, and so fail with, one connection.
    ("grpc.use_local_subchannel_pool", 1),
]

# The time limit for a caller that connects and sends nothing. The default is 120 s, and each such caller uses a descriptor.
HANDSHAKE_MS = 5000

SERVER_OPTIONS = [
    *_SHARED,
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.so_reuseport", 0),  # a port in use is an error, not a coin toss
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    ("grpc.http2.max_ping_strikes", 0),  # otherwise a healthy stream ends with GOAWAY too_many_pings
]
