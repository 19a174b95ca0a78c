"""The coordinator's side of the wire: channels, clients of nodes, failure detection, local nodes.

The only place of the coordinator that carries gRPC; what is done with the answers belongs to run.
"""
