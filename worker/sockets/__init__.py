"""Sockets of a shard: opening, epoll events, reading, sending, the table of descriptors, 4-tuples in turn.

When to open or close belongs to worker/shard.
"""
