"""gRPC settings that every channel and server of c1m shares.

Each option avoids a trap that was met in tests: without them two servers bind one port silently,
a proxy from the environment is used, and a stopped or cut-off peer goes unnoticed for more than 15 seconds.
"""

from __future__ import annotations

PROTOCOL = 2  # raised when nodes and coordinators of different versions would misunderstand each other

READY = "listening on "  # what a node program prints on stdout once it can be called, followed by its address

# A plan for a node with thousands of shards stays far below this; garbage above it is refused before it is parsed.
LONGEST_MESSAGE_BYTES = 64 * 1024 * 1024

# A peer that has said nothing for the first is asked, and given up after the second. Together that is a second less than a
# coordinator waits for a node (coordinator/fleet/failure_detector.py), in which it can reach it anew.
KEEPALIVE_MS = 1500
ANSWER_MS = 2000
_SHARED = [
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", ANSWER_MS),
    (
        "grpc.http2.ping_timeout_ms",
        ANSWER_MS,
    ),  # 60 s by default: a SIGSTOPped peer's kernel still acknowledges
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", LONGEST_MESSAGE_BYTES),
    ("grpc.max_send_message_length", LONGEST_MESSAGE_BYTES),
]

# What a node may send before its coordinator has read what came before. Beyond it the node's call waits, and takes its next
# sample when it goes on: a coordinator that is slow, or a link, finds a few old samples before the new one. gRPC by itself
# makes this window larger the more is sent (its BDP probe), and 3 MB of samples of each node lay in it. A message that is
# larger than the window takes a round trip more.
UNREAD_BYTES = 1024

CHANNEL_OPTIONS = [
    *_SHARED,
    ("grpc.http2.lookahead_bytes", UNREAD_BYTES),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.enable_http_proxy", 0),
    # Control channels of different runs must not share, and so fail with, one connection.
    ("grpc.use_local_subchannel_pool", 1),
]

# Of a caller who connects and then says nothing: 120 s by default, and each costs a descriptor meanwhile.
HANDSHAKE_MS = 5000

SERVER_OPTIONS = [
    *_SHARED,
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.so_reuseport", 0),  # a port in use is an error, not a coin toss
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    ("grpc.http2.max_ping_strikes", 0),  # or a healthy stream dies of GOAWAY too_many_pings
]
