"""Addresses, ports, endpoints and 4-tuples as values.

Standard library only. Sockets belong to worker/sockets and target/node.
"""
