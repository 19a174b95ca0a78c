"""A request to prepare that every worker takes."""

from __future__ import annotations

from c1m.v1 import node_pb2, worker_pb2


def sound() -> worker_pb2.PrepareRequest:
    """One connection, which every worker takes."""
    request = worker_pb2.PrepareRequest(run_id="r", most_in_flight=1, connect_timeout_seconds=1, lease_seconds=15, peak=1)
    request.sources.add(first="127.0.0.1", count=1)
    request.ports.add(low=1024, high=65_535)
    request.schedule.stages.add(total=1)
    request.shards.add().routes.add(span=1, count=1, destination=node_pb2.Address(host="127.0.0.1", port=9))
    return request
