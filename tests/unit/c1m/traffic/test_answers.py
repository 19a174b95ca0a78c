"""What clients make of what they hear, however the network tears it: echoes, pushes, and what is neither."""

from _socket import AF_INET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.traffic.heartbeat import Expect, Heartbeat
from c1m.traffic.push import MESSAGE
from c1m.worker.behaviours.heartbeat_sender import Heartbeats
from c1m.worker.behaviours.push_check import PushCheck
from c1m.worker.sockets.connections import ESTABLISHED, ClientConnections

DESCRIPTOR = 5
LATER = 100.25  # a quarter of an interval after it was sent


def beating(wanted: Heartbeat) -> tuple[Heartbeats, bytes]:
    """Heartbeats with one under way, sent at 100.0; its payload."""
    heartbeats = Heartbeats(wanted, ClientConnections(AF_INET, 16, paced=False), 3, 0.0)
    heartbeats.sent = 1
    heartbeats.sent_at[DESCRIPTOR] = 100.0
    return heartbeats, heartbeats.expected(DESCRIPTOR, 100.0)


def torn(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[start:end] for start, end in zip(places, places[1:], strict=False)]


CUTS = st.lists(st.integers(0, 10_000), max_size=6)


@given(st.sampled_from([16, 64, 1_000]), CUTS)
def test_an_echo_is_one_answer_however_it_is_torn(payload: int, cuts: list[int]) -> None:
    heartbeats, echo = beating(Heartbeat(1.0, payload))
    for part in torn(echo, cuts):
        heartbeats.heard_all([DESCRIPTOR], [part], LATER)

    assert (heartbeats.answered, heartbeats.wrong, heartbeats.unasked_bytes) == (1, 0, 0)
    assert [*heartbeats.rtt.raw] == [0.25]
    assert heartbeats.partial == {}


@given(st.integers(0, 63), st.integers(1, 255), CUTS)
def test_a_byte_that_is_another_is_found_wherever_it_is(place: int, difference: int, cuts: list[int]) -> None:
    heartbeats, echo = beating(Heartbeat(1.0))
    changed = bytearray(echo)
    changed[place] ^= difference
    for part in torn(bytes(changed), cuts):
        heartbeats.heard_all([DESCRIPTOR], [part], LATER)

    assert (heartbeats.answered, heartbeats.wrong) == (1, 1)
    assert len(heartbeats.rtt.raw) == 0


@given(st.integers(0, 15), st.integers(0, 15), st.floats(1, 10**6), st.floats(1, 10**6))
def test_no_two_heartbeats_are_alike(one: int, other: int, then: float, later: float) -> None:
    heartbeats, _ = beating(Heartbeat(1.0, 16))

    alike = heartbeats.expected(one, then) == heartbeats.expected(other, later)
    assert alike == ((one, then) == (other, later))


def test_many_answers_at_a_time_are_counted_as_one_by_one() -> None:
    heartbeats, _ = beating(Heartbeat(1.0))
    for descriptor in range(8):
        heartbeats.sent_at[descriptor] = 100.0 + descriptor / 10
    heartbeats.sent = 8
    echoes = [heartbeats.expected(descriptor, 100.0 + descriptor / 10) for descriptor in range(8)]

    heartbeats.heard_all([*range(8)], echoes, 100.75)

    assert (heartbeats.answered, heartbeats.late, heartbeats.wrong) == (8, 3, 0)  # 750, 650 and 550 ms of 1 s
    assert [*heartbeats.sent_at] == [0.0] * 16


def test_an_answer_after_its_time_is_recovered_and_not_answered() -> None:
    heartbeats, echo = beating(Heartbeat(1.0))
    heartbeats.miss(DESCRIPTOR)
    heartbeats.miss(DESCRIPTOR)  # a round later it is still the same one
    assert (heartbeats.missing, heartbeats.under_way) == (1, 0)

    heartbeats.heard_all([DESCRIPTOR], [echo], 107.0)

    assert (heartbeats.answered, heartbeats.recovered, heartbeats.wrong) == (0, 1, 0)
    assert heartbeats.sent_at[DESCRIPTOR] == 0.0


@pytest.mark.parametrize(
    ("said", "wrong"),
    [([b"+PONG\r\n"], 0), ([b"+P", b"ONG\r\n"], 0), ([b"-ERR"], 1), ([b"+P", b"ANG"], 1)],
)
def test_an_answer_begins_as_it_must(said: list[bytes], wrong: int) -> None:
    heartbeats, _ = beating(Heartbeat(1.0, send=b"PING\r\n", expect=Expect.PREFIX, prefix=b"+PONG"))
    for part in said:
        heartbeats.heard_all([DESCRIPTOR], [part], LATER)

    assert (heartbeats.answered, heartbeats.wrong, heartbeats.unasked_bytes) == (1, wrong, 0)


@given(st.integers(0, 4), st.integers(0, 4), CUTS)
def test_pushes_and_an_echo_between_them_are_told_apart(before: int, after: int, cuts: list[int]) -> None:
    heartbeats, echo = beating(Heartbeat(1.0, 100))
    pushes = PushCheck(heartbeats)
    for part in torn(MESSAGE * before + echo + MESSAGE * after, cuts):
        pushes.heard_all([DESCRIPTOR], [part], LATER)

    assert (pushes.received, pushes.wrong_bytes, pushes.partial) == (before + after, 0, {})
    assert (heartbeats.answered, heartbeats.wrong) == (1, 0)


@given(st.integers(0, 63), st.integers(1, 255))
def test_a_push_with_a_wrong_byte_is_none(place: int, difference: int) -> None:
    changed = bytearray(MESSAGE)
    changed[place] ^= difference
    pushes = PushCheck(None)
    pushes.heard_all([DESCRIPTOR], [bytes(changed)], LATER)

    assert (pushes.received, pushes.wrong_bytes) == (0, len(MESSAGE))


def test_only_established_connections_beat() -> None:
    connections = ClientConnections(AF_INET, 16, paced=False)
    heartbeats = Heartbeats(Heartbeat(1.0), connections, 0, 0.0)
    connections.state[3] = ESTABLISHED - 1
    while heartbeats.act(0.99) <= 0.99:
        pass

    assert heartbeats.sent == 0
