"""Troubled source addresses: counted by connection, and bounded, however many there are."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from programs import summary_of

from c1m.measure.source_latency import OTHERS
from c1m.worker.sockets.source_latencies import FAILED, MOST_SOURCES, SourceErrors


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with socket.socket() as made:
        made.bind(("127.0.0.9", 0))
        yield made


def test_a_connection_is_slow_once_and_its_successor_again(bound: socket.socket) -> None:
    troubles = SourceErrors(socket.AF_INET)
    for called in (1.0, 1.0, 2.0):
        troubles.is_slow(bound.fileno(), called)
    troubles.has_failed(bound.fileno())

    assert troubles.counts == {"127.0.0.9 slow": 2, "127.0.0.9 failed": 1}
    assert bound.getsockname()[0] == "127.0.0.9"  # it was looked at, and is still open


def test_no_more_sources_are_told_apart_than_a_message_takes() -> None:
    troubles = SourceErrors(socket.AF_INET)
    for number in range(MOST_SOURCES + 50):
        troubles.count(f"10.0.{number // 256}.{number % 256}", FAILED)

    assert len(troubles.counts) == MOST_SOURCES + 1
    assert troubles.counts[f"{OTHERS} failed"] == 50


def test_whose_connects_are_refused_is_told() -> None:
    (worker,) = summary_of("--total", "40", "--hold", "0s", "--endpoint", "127.0.0.1:1")["workers"]

    # 20 are told: the worst. Of slow ones nothing: where ksoftirqd waits for a processor, so does a refusal, over loopback too.
    assert sum(each["failed"] for each in worker["troubled_sources"].values()) in (40, 20)
