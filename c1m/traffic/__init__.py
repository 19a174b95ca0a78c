"""What flows on connections, as values and arithmetic: heartbeats, pushes, proofs, storms, turnover, backoff.

Pure. Reading and writing sockets belongs to worker/behaviours and target/acceptor.
"""
