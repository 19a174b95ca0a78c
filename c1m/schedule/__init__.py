"""How many connections should be open at each moment, and who opens number k.

Pure; opening them belongs to worker/shard.
"""
