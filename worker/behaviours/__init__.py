"""What connections do while they are open: heartbeats, turnover, storms, trickling, ghost probes.

How bytes and events reach a socket belongs to worker/sockets.
"""
