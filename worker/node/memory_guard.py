"""The memory guard: stops opening before the host runs out of memory."""

from __future__ import annotations

import trio

from c1m.kernel import meminfo
from c1m.measure.phase import Phase
from c1m.measure.reasons import HaltKind, HaltReason
from c1m.node.node_run import NodeRun
from c1m.orders.orders import Halt

GUARD_SECONDS = 0.25  # between two looks
# Below this much free memory the host is in danger, so opening stops.
FLOOR_BYTES = 256 * 1024 * 1024
FLOOR_SHARE = 0.02


async def guard(node_run: NodeRun) -> None:
    """Watch the host's available memory until the run closes, and stop the run's openings before memory runs out.

    A run that was halted holds; a new schedule lets it open again.
    """
    state = meminfo.read_memory()
    floor = max(FLOOR_BYTES, int(state.total_bytes * FLOOR_SHARE) if state else 0)
    while node_run.phase < Phase.CLOSING and not node_run.over.is_set():
        left = meminfo.available_bytes()
        if left is not None and left < floor and node_run.phase <= Phase.OPENING:
            node_run.halted = HaltReason(HaltKind.MEMORY, left, floor)
            await node_run.supervisor.order(Halt())
            node_run.touch()
            return
        await trio.sleep(GUARD_SECONDS)
