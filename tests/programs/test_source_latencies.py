"""Latencies by source address: counted in a shard, added up on a node, ranked in the summary."""

from __future__ import annotations

from dataclasses import replace
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outcomes import WORKER
from programs import summary_of

from c1m.coordinator.ledger.latency_kinds import CONNECT, HEARTBEAT
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.report.summary_tables import by_source
from c1m.coordinator.results.slow_sources import WORST, slowest_sources, sources_summary
from c1m.coordinator.summary.codec import to_plain
from c1m.measure.phase import Phase
from c1m.measure.sample import Sample
from c1m.measure.source_latency import OTHERS, ROW_BYTES, SourceLatency, block_of, joined_rows, source_latencies
from c1m.measure.tally import Tally
from c1m.wire.node_messages import sample_from_wire, sample_to_wire
from c1m.worker.sockets.source_latencies import MOST_SOURCES, OVERFLOW, REMEMBERED, SourceLatencies, SourceNumbers

SLOTS = 16
LOWER, UPPER = 0.87e6, 1.14e6  # microseconds: 13 % off at worst, and then a whole one
TOOK = st.floats(2e-5, 4000)  # seconds
MEASURED = st.lists(st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.1.1", "fd00::1"]), TOOK), max_size=60)


def shard(measured: list[tuple[str, float]], sources: int = 4) -> SourceLatencies:
    """One that has measured these: from where, and how long it took."""
    latencies = SourceLatencies(SourceNumbers(SLOTS, sources))
    for number, (source, took) in enumerate(measured):
        latencies.sources.of[number % SLOTS] = latencies.sources[source]
        latencies.took(number % SLOTS, took)
    return latencies


def told(*shards: SourceLatencies) -> dict[str, SourceLatency]:
    return {found.source: found for found in source_latencies(CONNECT, joined_rows(each.rows_news() for each in shards))}


@given(st.lists(MEASURED, max_size=4))
def test_everything_counts_once_at_its_source_whatever_shards_numbered_first(shards: list[list[tuple[str, float]]]) -> None:
    found = told(*map(shard, shards))

    measured = [each for one in shards for each in one]
    assert set(found) == {source for source, _ in measured}
    for source, latency in found.items():
        took = [took for whose, took in measured if whose == source]
        assert latency.count == len(took)
        assert max(took) * LOWER <= latency.max_us <= max(took) * UPPER
        assert min(took) * LOWER <= latency.p50_us <= latency.p99_us <= latency.max_us


@given(st.lists(TOOK, min_size=2, max_size=200))
def test_the_middle_of_a_source_is_what_it_is_of_all(took: list[float]) -> None:
    (found,) = told(shard([("10.0.0.1", each) for each in took])).values()

    low, high = sorted(took)[(len(took) - 1) // 2], quantiles(took, n=2, method="inclusive")[0]
    assert min(low, high) * LOWER <= found.p50_us <= max(low, high) * UPPER


def test_rows_are_told_from_the_beginning_and_the_total_is_what_it_was() -> None:
    latencies = shard([("10.0.0.1", 0.001)] * 3)
    first = latencies.rows_news()
    assert not latencies.has_rows_news
    latencies.all_took([0, 1], [0.5, 0.25])

    assert latencies.has_rows_news
    assert told(latencies)["10.0.0.1"].count == 5
    assert first[1] != latencies.rows_news()[1] == latencies.rows_news()[1]
    assert sum(latencies.news().values()) == 5  # of all sources together, as exact as ever


def test_no_more_rows_than_a_message_takes() -> None:
    names = [f"10.0.{number // 256}.{number % 256}" for number in range(MOST_SOURCES + 50)]
    found = told(shard([(name, 0.001) for name in names], sources=OVERFLOW))

    assert len(found) == MOST_SOURCES
    assert found[OTHERS].count == len(names) - OVERFLOW
    assert len(shard([(name, 0.001) for name in names], sources=OVERFLOW).rows_news()[1]) == MOST_SOURCES * ROW_BYTES


class CountedNumbers(SourceNumbers):
    """With the sources that had to be looked for."""

    looked_for: list[str]

    def __missing__(self, source: str) -> int:
        self.looked_for.append(source)
        return super().__missing__(source)


@pytest.mark.parametrize("sources", [OVERFLOW, OVERFLOW + 1, 65_534])
def test_the_number_of_a_source_is_looked_for_once(sources: int) -> None:
    numbers = CountedNumbers(SLOTS, sources)
    numbers.looked_for = []
    names = [f"10.0.{number % 4}.{number // 4}" for number in range(MOST_SOURCES + 50)]
    first = [numbers[name] for name in names]

    assert [numbers[name] for name in names] == first
    assert numbers.looked_for == names


def test_of_very_many_sources_some_are_remembered_and_all_have_the_same_number_again() -> None:
    numbers = SourceNumbers(SLOTS, 2**24)
    names = [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(2 * OVERFLOW * 256)]
    first = [numbers[name] for name in names[::16]]

    assert len(numbers) == REMEMBERED
    assert [numbers[name] for name in names[::16]] == first
    assert set(first) == set(range(MOST_SOURCES))
    assert (numbers.names[0], numbers.names[OVERFLOW]) == ("10.0.0.*", OTHERS)


def test_of_very_many_sources_blocks_are_told() -> None:
    found = told(shard([(f"10.0.{number % 3}.{number}", 0.001) for number in range(90)], sources=65_534))

    assert {name: latency.count for name, latency in found.items()} == {f"10.0.{n}.*": 30 for n in range(3)}
    assert block_of("fd00::7:1") == "fd00::7:*"


# -- what is made of it

QUICK = SourceLatency(CONNECT, "10.0.0.1", 900, 500, 900, 1_200)
SLOW = SourceLatency(CONNECT, "10.0.0.7", 100, 600, 12_000, 30_000)


BEATEN = SourceLatency(HEARTBEAT, "10.0.0.1", 500, 90, 250_000, 400_000)  # its connects are quick


def entry(*sources: SourceLatency, **troubled: int) -> NodeRecord:
    """``troubled``: of sources, by their last byte: how many failed."""
    made = NodeRecord(WORKER, 1_000)
    counts = {f"10.0.0.{number.strip('_')} failed": count for number, count in troubled.items()}
    made.take(Sample(Phase.HOLDING, Tally(sources=counts), sources=sources))
    made.take(Sample(Phase.HOLDING, Tally(sources=counts)))  # nothing newer about them
    return made


def test_the_slowest_is_first_and_before_it_who_never_got_through() -> None:
    rows = map(to_plain, slowest_sources(entry(QUICK, SLOW, _7=3, _9=5)))

    assert [(row["source"], row["established"], row["connect_p99_us"], row["failed"]) for row in rows] == [
        ("10.0.0.9", 0, None, 5),
        ("10.0.0.7", 100, 12_000, 3),
        ("10.0.0.1", 900, 900, 0),
    ]


def test_what_fails_counts_for_its_block_where_blocks_are_told() -> None:
    (row,) = map(to_plain, slowest_sources(entry(SourceLatency(CONNECT, "10.0.0.*", 100, 600, 900, 900), _7=3, _9=5)))

    assert (row["source"], row["established"], row["failed"]) == ("10.0.0.*", 100, 8)


def test_sources_of_several_nodes_are_apart_and_their_p99_a_spread() -> None:
    summary = to_plain(sources_summary([entry(QUICK, SLOW), entry(QUICK)]))

    assert (summary["connect_p99_us"]["count"], summary["connect_p99_us"]["min"]) == (3, 900)
    assert summary["connect_p99_us"]["max"] == pytest.approx(12_000, rel=0.01)
    assert [row["source"] for row in summary["slowest"]] == ["10.0.0.7", "10.0.0.1", "10.0.0.1"]
    assert len(sources_summary([entry(QUICK)] * 100).slowest) == WORST


def test_the_report_names_the_slowest_where_there_are_several() -> None:
    spread, slowest = by_source(sources_summary([entry(QUICK, SLOW, _7=3)]), CONNECT)

    assert spread[1].startswith("p99 of 2 from 900 us to 12 ms")
    assert slowest[1] == "10.0.0.7 (p99 12 ms of 100, 3 failed), 10.0.0.1 (p99 900 us of 900)"
    assert by_source(sources_summary([entry(QUICK)]), CONNECT) == []


def test_each_kind_has_its_own_order_and_spread() -> None:
    summary = to_plain(sources_summary([entry(QUICK, SLOW, BEATEN)]))

    assert [row["source"] for row in summary["slowest"]] == ["10.0.0.7", "10.0.0.1"]
    assert [
        (row["source"], row["heartbeat_rtt_count"], row["heartbeat_rtt_p99_us"]) for row in summary["slowest_heartbeat_rtt"]
    ] == [("10.0.0.7", 0, None), ("10.0.0.1", 500, 250_000)]
    assert summary["heartbeat_rtt_p99_us"]["count"] == 1
    assert (summary["first_byte_p99_us"], summary["slowest_first_byte"]) == ({"count": 0}, [])  # nobody said anything
    assert "first_byte_count" not in summary["slowest"][0]


def test_the_report_names_a_source_from_which_nothing_was_answered() -> None:
    silent, fine = replace(SLOW, source="10.0.0.9"), replace(BEATEN, source="10.0.0.7")
    _, slowest = by_source(sources_summary([entry(QUICK, SLOW, silent, BEATEN, fine, _9=3)]), HEARTBEAT)

    assert slowest[1] == ("10.0.0.9 (nothing over 100 connections), 10.0.0.1 (p99 250 ms of 500), 10.0.0.7 (p99 250 ms of 500)")


def test_sources_travel_with_a_sample() -> None:
    sample = Sample(Phase.HOLDING, sources=(QUICK, SLOW, BEATEN))

    assert sample_from_wire(sample_to_wire(sample)).sources == (QUICK, SLOW, BEATEN)


def test_a_run_counts_each_connection_at_its_source() -> None:
    summary = summary_of("--total", "3000", "--hold", "0s", "--require", "sources.connect_p99.max < 10m")

    (worker,) = summary["workers"]
    assert summary["verdict"] == "passed", summary["reasons"]
    assert sum(row["established"] for row in worker["slowest_sources"]) == 3000
    assert summary["sources"]["connect_p99_us"]["count"] == len(worker["slowest_sources"])
    assert worker["connect_latency_us"]["count"] == 3000
