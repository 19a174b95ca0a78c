"""c1m measures how many TCP connections a machine can hold, what each connection costs, and which limit comes next.

This package holds what the three programs share, in sub-packages. ``coordinator``, ``worker`` and ``target`` are links to
the folders at the top of the tree. ARCHITECTURE.md has the map and a reading order.
"""

import os

# gRPC reads this variable when it is first imported. By default its core logs about connections on stderr, between the lines
# that c1m writes for people. gRPC's errors still reach c1m as exceptions; ``c1m.security.handshake_log`` handles the rest.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

__version__ = "0.1.0"
