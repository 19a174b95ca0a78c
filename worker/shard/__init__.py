"""A shard: the process that drives connections toward the schedule, and its link to the node.

No gRPC; socket calls belong to worker/sockets, what open connections do to worker/behaviours.
"""
