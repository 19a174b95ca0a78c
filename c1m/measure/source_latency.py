"""How long things took from each source address: counts that a shard keeps as rows of an array, and their figures. Pure.

A row is one source, or a block of sources where a node has very many. It has four buckets an octave, so that what is said of a
source is 13 % off at worst: enough to tell the one whose queue, route or NAT is bad from the others.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import pack, unpack
from sys import byteorder

from .latency import percentile

OTHERS = "others"  # of sources for which there was no row left
DROPPED_BITS = 21  # of the 32 of a float: its exponent and the first 2 bits after the point are left
FIRST = 127 - 16 << 2  # what is left of 15 us, 2**-16 s: nothing is shorter by much
BUCKETS = 112  # of a row, up to 2**12 s, more than an hour
ROW_BYTES = BUCKETS * array("I").itemsize
BUCKET_OF = bytes(min(max(bits - FIRST, 0), BUCKETS - 1) for bits in range(1 << 31 - DROPPED_BITS))


@dataclass(frozen=True, slots=True)
class SourceLatency:
    """Of one kind, from one source of a node."""

    kind: str  # the name of the histogram that has those of all sources, "connect_latency_us"
    source: str  # "10.0.0.7", "10.0.3.*", or OTHERS
    count: int  # of what was measured
    p50_us: int
    p99_us: int
    max_us: int


def middle_us(bucket: int) -> int:
    seconds: float
    (seconds,) = unpack("=f", pack("=I", (bucket + FIRST << DROPPED_BITS) + (1 << DROPPED_BITS - 1)))
    return round(seconds * 1e6)


MIDDLES_US = tuple(map(middle_us, range(BUCKETS)))


def slowest_of_each_kind(latencies: Iterable[SourceLatency]) -> dict[str, SourceLatency]:
    """By kind: the one with the highest p99."""
    return {each.kind: each for each in sorted(latencies, key=lambda each: each.p99_us)}  # the last one stays


def block_of(source: str) -> str:
    """The block that stands for an address where there are very many: all that begin as it does."""
    separator = ":" if ":" in source else "."
    return f"{source.rpartition(separator)[0]}{separator}*"


def joined_rows(shards: Iterable[tuple[Sequence[str], bytes]]) -> dict[str, Sequence[int]]:
    """Source -> how many by bucket, of the names and rows of several shards.

    All counts of a row are added in one go, as one long number: no sum of them reaches its neighbour.
    """
    found: dict[str, int] = {}
    for names, rows in shards:
        for number, name in enumerate(names):
            row = rows[number * ROW_BYTES : (number + 1) * ROW_BYTES]
            found[name] = found.get(name, 0) + int.from_bytes(row, byteorder)
    return {name: array("I", row.to_bytes(ROW_BYTES, byteorder)) for name, row in found.items()}


def source_latencies(kind: str, rows: Mapping[str, Sequence[int]]) -> tuple[SourceLatency, ...]:
    """Of each source from which something was measured."""
    counted = {name: {MIDDLES_US[at]: count for at, count in enumerate(row) if count} for name, row in rows.items()}
    return tuple(
        SourceLatency(kind, name, sum(counts.values()), percentile(counts, 50), percentile(counts, 99), max(counts))
        for name, counts in counted.items()
        if counts
    )
