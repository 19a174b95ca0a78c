"""c1m: how many TCP connections a machine can hold, what each costs, and what stops it next.

Here stands what the three programs share, in sub-packages; ``coordinator``, ``worker`` and ``target`` are links to their
folders at the top of the tree. ARCHITECTURE.md has the map and a reading order.
"""

import os

# gRPC reads it when it is imported, by whichever module that is first: what its core says of connections goes to stderr, where
# a person reads ours. Its errors reach us as exceptions; of what nodes do with the rest see ``c1m.security.handshake_log``.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

__version__ = "0.1.0"
