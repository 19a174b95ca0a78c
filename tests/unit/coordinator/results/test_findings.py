"""What a host told about a run: counters that rose, what they mean, and the wire that readings come over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.results.host_findings import Findings, find
from c1m.coordinator.summary.nodes import Observing
from c1m.kernel.reader import TCP_EXT
from c1m.limits.sysctls import SYSCTLS
from c1m.measure.phase import Phase
from c1m.measure.sample import Cache, Host, Inspection, Reading, Sample
from c1m.v1 import node_pb2
from c1m.wire.node_messages import (
    host_from_wire,
    host_to_wire,
    inspection_from_wire,
    inspection_to_wire,
    reading_from_wire,
    reading_to_wire,
    sample_from_wire,
    sample_to_wire,
)

LIMITS = {name: f"<{name} here>" for name in SYSCTLS}
HOST = Host(
    protocol=1,
    version="0.1",
    boot_id="b",
    hostname="h",
    kernel="6.18",
    cores=2,
    memory_total_bytes=None,
    memory_available_bytes=None,
    descriptors_per_process=20_000,
    connections_per_process=19_000,
    network_namespace=1,
    facts=LIMITS,
    merged_caches={"a": ("a", "b"), "b": ("a", "b")},
)
NODE = "10.0.0.7:7000"


def entry(*counters: Mapping[str, int]) -> NodeRecord:
    made = NodeRecord(NODE, planned=10)
    for number, values in enumerate(counters):
        taken = Reading(number, 10 * number, 42_000 * number, None, {}, values, {"open_files": number}, 0.005 * number)
        made.take(Sample(Phase.HOLDING, reading=taken))
        made.take(Sample(Phase.HOLDING))  # between readings there are samples without one
    return made


COUNTERS = st.dictionaries(st.sampled_from(sorted(TCP_EXT)), st.integers(0, 10**6))


@given(st.lists(COUNTERS, min_size=1, max_size=5), COUNTERS)
def test_counters_are_what_rose_from_the_first_reading_to_the_last(rises: list[dict[str, int]], start: dict[str, int]) -> None:
    seen = [start]
    for rise in rises:
        seen.append({name: value + rise.get(name, 0) for name, value in seen[-1].items()})

    found = find(entry(*seen), 10, HOST)

    assert found.counters == {name: sum(rise.get(name, 0) for rise in rises) for name in start}


def test_findings_are_of_the_last_reading() -> None:
    found = find(entry({}, {}, {}), 10, HOST)

    assert found.levels == {"open_files": 2}
    assert found.readings == 3
    assert found.cost_seconds == 0.01
    assert found.cost.slab_bytes_per_connection == pytest.approx(2 * 4_200), "20 sockets of 10 connections"
    assert found.observing == Observing(3, 0.01, 0, ())


def test_what_a_connection_costs_is_of_when_there_were_the_most_of_them() -> None:
    full, few, none = (find(entry({}, {}, {}), connections, HOST) for connections in (10, 4, 0))

    assert full.or_fuller(few.cost) == full.or_fuller(None) == full
    assert few.or_fuller(full.cost).cost == none.or_fuller(full.cost).cost == full.cost
    assert none.or_fuller(full.cost).levels == none.levels
    assert "no connection was established" in none.or_fuller(None).cost.unknown[0]


def test_a_node_that_sent_no_reading_has_no_findings_but_a_reason() -> None:
    found = find(entry(), 10, HOST)

    assert found == Findings(cost=found.cost)
    assert "the node sent no reading" in found.cost.unknown[0]


NUMBER = st.integers(0, 2**64 - 1)
SECONDS = st.floats(0, 1e12)
CACHES = st.dictionaries(st.text(max_size=40), st.builds(Cache, NUMBER, NUMBER, SECONDS, st.integers(1, 2**64 - 1)), max_size=4)
VALUES = st.dictionaries(st.text(max_size=40), NUMBER, max_size=4)
READINGS = st.builds(
    Reading, NUMBER, st.none() | NUMBER, st.none() | NUMBER, st.none() | NUMBER, CACHES, VALUES, VALUES, SECONDS
)


@given(READINGS)
def test_a_reading_comes_over_the_wire_as_it_was(reading: Reading) -> None:
    sent = reading_to_wire(reading).SerializeToString()

    assert reading_from_wire(node_pb2.Reading.FromString(sent)) == reading


@pytest.mark.parametrize("name", ["sockets", "slab_bytes", "pss_bytes"])
def test_unknown_stays_unknown_and_zero_stays_zero(name: str) -> None:
    zeros = Reading(0, 0, 0, 0)
    unknown = replace(zeros, **{name: None})  # type: ignore[arg-type]

    assert reading_from_wire(reading_to_wire(zeros)) == zeros
    assert reading_from_wire(reading_to_wire(unknown)) == unknown


def test_a_cache_without_slabs_is_left_out() -> None:
    full, empty = Cache(0, 2_368, 2_520.0, 32_768), Cache(0, 192, 195.0, 0)
    reading = Reading(0, None, None, None, {"TCP": full, "nf_conntrack": empty})

    assert reading_from_wire(reading_to_wire(reading)).caches == {"TCP": full}


@given(st.none() | READINGS)
def test_samples_and_inspections_carry_a_reading_or_none(reading: Reading | None) -> None:
    assert sample_from_wire(sample_to_wire(Sample(Phase.OPENING, reading=reading))).reading == reading
    assert inspection_from_wire(inspection_to_wire(Inspection(reading=reading))).reading == reading


def test_merged_names_come_over_the_wire() -> None:
    assert host_from_wire(host_to_wire(HOST)) == HOST
