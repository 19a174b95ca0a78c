"""The worker's control process: requests, preconditions, quotas, allow list, its kernel's count.

It opens no connection of a run; that belongs to worker/shard.
"""
