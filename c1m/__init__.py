"""c1m: how many TCP connections a machine can hold, what each costs, and what stops it next.

Reading order for a newcomer: ``routes`` (what a connection's 4-tuple is), ``tally`` (what is counted), ``link`` and
``zygote`` (how processes are made and spoken to), then ``worker/shard.py`` and ``target/acceptor.py`` (the data plane),
then ``coordinator/plan.py`` and ``coordinator/run.py`` (the run). ARCHITECTURE.md has the picture.
"""

__version__ = "0.1.0"
