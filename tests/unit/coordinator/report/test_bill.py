"""What a connection costs, in a sentence: also where others on the machine gave back more memory than the run took."""

from __future__ import annotations

import pytest

from c1m.coordinator.ledger.readings import HostReadings
from c1m.coordinator.report.memory_tables import memory_sentence
from c1m.coordinator.results.memory_cost import cost
from c1m.coordinator.summary.memory_cost import MemoryCost
from c1m.measure.sample import Cache, Reading


def found(slab_bytes: int) -> MemoryCost:
    """Of 100 connections, by two readings between which the slab grew by so much."""
    history = HostReadings()
    for number, (sockets, slab, objects) in enumerate(((0, 10**9, 10), (200, 10**9 + slab_bytes, 210))):
        caches = {"TCP": Cache(objects, 2_368, 2_520.0, objects * 2_520)}
        history.take(Reading(number, sockets, slab, None, caches=caches))
    return cost(history, 100, {})


@pytest.mark.parametrize(
    ("slab_bytes", "told"),
    [(600_000, "84.0 % of the kernel's is explained"), (-600_000, "it is unknown how much of the kernel's")],
)
def test_a_sentence_says_what_is_known(slab_bytes: int, told: str) -> None:
    sentence = memory_sentence(found(slab_bytes))

    assert f"{slab_bytes / 100:,.0f} B of kernel memory here (both ends)" in sentence
    assert told in sentence
