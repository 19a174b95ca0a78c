"""An acceptor: the process that owns one listening port, accepts in batches, echoes and counts.

Raw epoll: no gRPC, trio, asyncio or selectors.
"""
