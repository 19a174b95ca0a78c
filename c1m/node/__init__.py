"""What worker and target nodes share: the gRPC server, authorization, one run on one node, its lease.

What only one of the two does belongs to worker/node or target/node.
"""
