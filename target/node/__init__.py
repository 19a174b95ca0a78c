"""The target's control process: listeners, requests, and observing another server.

It accepts no connection of a run; that belongs to target/acceptor.
"""
