"""What flows on connections: heartbeats, pushes, proofs, storms, turnover, backoff, as values and arithmetic.

Pure; reading and writing sockets belongs to worker/behaviours and target/acceptor.
"""
