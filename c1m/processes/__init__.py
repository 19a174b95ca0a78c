"""Child processes of a node: zygote, links, supervisor, threads with descriptor tables of their own.

No gRPC. What a child does belongs to worker/shard and target/acceptor.
"""
