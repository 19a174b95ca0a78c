"""A fleet in memory: workers and the target that they connect to."""

from __future__ import annotations

from c1m.coordinator.fleet.nodes import Nodes
from c1m.net.endpoints import HostPort

from .simulated_target import SimulatedTarget
from .simulated_worker import SimulatedWorker


class SimulatedFleet:
    """Workers w1, w2 and so on, and a target."""

    def __init__(self, workers: int = 2, connections_per_process: int = 20_000) -> None:
        self.target = SimulatedTarget(HostPort("10.0.1.0", 7200), connections_per_process)
        self.workers = [
            SimulatedWorker(HostPort(f"10.0.0.{number}", 7100), number, self.target, connections_per_process)
            for number in range(1, workers + 1)
        ]

    def nodes(self, run_id: str, *, target: bool = True) -> Nodes:
        """Return the nodes of a run. ``target``: whether the run has the target."""
        return Nodes(run_id, self.workers, self.target if target else None)
