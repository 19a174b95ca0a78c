"""c1m: how many TCP connections a machine can hold, what each costs, and what stops it next.

Reading order for a newcomer: ``routes`` (what a connection's 4-tuple is), ``tally`` (what is counted), ``link`` and
``zygote`` (how processes are made and spoken to), then ``worker/shard.py`` and ``target/acceptor.py`` (the data plane),
then ``coordinator/plan.py`` and ``coordinator/run.py`` (the run). ARCHITECTURE.md has the picture.
"""

import os

# gRPC reads it when it is imported, by whichever module that is first: what its core says of connections goes to stderr, where
# a person reads ours. Its errors reach us as exceptions; of what nodes do with the rest see ``c1m.handshakes``.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

__version__ = "0.1.0"
