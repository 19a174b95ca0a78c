"""Latencies by source address: counts that a shard keeps as rows of an array, and the percentiles of each row. Pure.

A row is one source, or a block of sources if a node has very many. A row has four buckets an octave, so a value is wrong by
13 % at most. That is enough to tell a source with a bad queue, route or NAT from the others.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import pack, unpack
from sys import byteorder

from .latency import percentile

OTHERS = "others"  # the row of all sources for which no row was left
DROPPED_BITS = 21  # the lower bits of the float; its exponent and the first 2 bits of its fraction are the bucket
FIRST = 127 - 16 << 2  # the bucket of 15 us, 2**-16 s; hardly any latency is shorter
BUCKETS = 112  # in a row, up to 2**12 s, which is more than an hour
ROW_BYTES = BUCKETS * array("I").itemsize
BUCKET_OF = bytes(min(max(bits - FIRST, 0), BUCKETS - 1) for bits in range(1 << 31 - DROPPED_BITS))


@dataclass(frozen=True, slots=True)
class SourceLatency:
    """The latencies of one kind from one source of a node, in microseconds."""

    kind: str  # the name of the histogram over all sources, "connect_latency_us"
    source: str  # "10.0.0.7", "10.0.3.*", or OTHERS
    count: int  # latencies measured
    p50_us: int
    p99_us: int
    max_us: int


def middle_us(bucket: int) -> int:
    """Return the middle of a latency bucket in whole microseconds."""
    seconds: float
    (seconds,) = unpack("=f", pack("=I", (bucket + FIRST << DROPPED_BITS) + (1 << DROPPED_BITS - 1)))
    return round(seconds * 1e6)


MIDDLES_US = tuple(map(middle_us, range(BUCKETS)))


def slowest_of_each_kind(latencies: Iterable[SourceLatency]) -> dict[str, SourceLatency]:
    """Return {kind: the latencies of the source with the highest p99} for each kind of latency."""
    return {each.kind: each for each in sorted(latencies, key=lambda each: each.p99_us)}  # the last one wins


def block_of(source: str) -> str:
    """Return the block that a source address belongs to when there are very many sources: the address with its last part
    replaced by "*".
    """
    separator = ":" if ":" in source else "."
    return f"{source.rpartition(separator)[0]}{separator}*"


def joined_rows(shards: Iterable[tuple[Sequence[str], bytes]]) -> dict[str, Sequence[int]]:
    """Return {source: counts by latency bucket}, summed over several shards, each given as its sources and their rows.

    All counts of a row are added at once, as one long integer. No sum is large enough to carry into its neighbour.
    """
    found: dict[str, int] = {}
    for names, rows in shards:
        for number, name in enumerate(names):
            row = rows[number * ROW_BYTES : (number + 1) * ROW_BYTES]
            found[name] = found.get(name, 0) + int.from_bytes(row, byteorder)
    return {name: array("I", row.to_bytes(ROW_BYTES, byteorder)) for name, row in found.items()}


def source_latencies(kind: str, rows: Mapping[str, Sequence[int]]) -> tuple[SourceLatency, ...]:
    """Return the count, p50, p99 and maximum of the latencies of each source that has any, in microseconds."""
    counted = {name: {MIDDLES_US[at]: count for at, count in enumerate(row) if count} for name, row in rows.items()}
    return tuple(
        SourceLatency(kind, name, sum(counts.values()), percentile(counts, 50), percentile(counts, 99), max(counts))
        for name, counts in counted.items()
        if counts
    )
