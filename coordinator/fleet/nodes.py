"""The nodes of one run, by name, and which of them it has engaged."""

from __future__ import annotations

from collections.abc import Sequence

from .clients import Target, Worker


class Nodes:
    def __init__(self, run_id: str, workers: Sequence[Worker], target: Target | None) -> None:
        self.run_id = run_id
        self.workers = {worker.name: worker for worker in workers}
        self.target = target
        self.engaged: list[str] = []  # that were asked to prepare: they are to be told to close

    def __getitem__(self, name: str) -> Worker | Target:
        return self.target if self.target and name == self.target.name else self.workers[name]
