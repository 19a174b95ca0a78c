"""What worker and target nodes share: the gRPC server, authorization, one run on one node and its lease.

Code that only one of the two needs belongs to worker/node or target/node.
"""
