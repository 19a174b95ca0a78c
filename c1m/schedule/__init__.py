"""How many connections should be open at each moment, and which shard opens connection number k.

Pure. Opening connections belongs to worker/shard.
"""
