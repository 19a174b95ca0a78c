"""The link: messages and descriptors arrive whole over a real socketpair, and what is no message is a ValueError."""

import os
from _socket import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c1m.processes import link

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20)
KEYS = st.text(max_size=8) | st.integers()
VALUES = st.recursive(SCALARS, lambda part: st.lists(part) | st.tuples(part, part) | st.dictionaries(KEYS, part), max_leaves=8)
MESSAGES = st.dictionaries(KEYS, VALUES, max_size=5)

# marshal makes room for as many items as a header claims before it looks for them: bytes that begin a tuple, list,
# set or long integer would take this test's memory, and prove nothing that the other types do not.
GREEDY = {ord(code) | flag for code in "([<>l" for flag in (0, 0x80)}
NOISE = st.lists(st.sampled_from(sorted(set(range(256)) - GREEDY)), min_size=1, max_size=40).map(bytes)

RECEIVES: list[Callable[[socket], Any]] = [link.receive, link.receive_descriptors]


@contextmanager
def linked() -> Iterator[tuple[socket, socket]]:
    ours, theirs = link.pair()
    with closing(ours), closing(theirs):
        ours.settimeout(10)
        theirs.settimeout(10)
        yield ours, theirs


@settings(max_examples=50)
@given(st.lists(MESSAGES, min_size=1, max_size=4))
def test_messages_arrive_whole_one_by_one_and_both_ways(messages: list[link.Message]) -> None:
    with linked() as (ours, theirs):
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            for message in messages:
                sender.send(link.encode(message))
            assert [link.receive(receiver) for _ in messages] == messages


@settings(max_examples=50)
@given(MESSAGES, st.integers(0, 5))
def test_descriptors_arrive_with_their_message_as_copies(message: link.Message, count: int) -> None:
    with linked() as (ours, theirs):
        pipe = os.pipe()
        link.send_descriptors(ours, message, [pipe[1]] * count)
        received = link.receive_descriptors(theirs)
        assert received is not None
        os.close(pipe[1])
        try:
            assert (received[0], len(set(received[1]))) == (message, count)
            for descriptor in received[1]:
                os.write(descriptor, b"x")
            assert not count or os.read(pipe[0], 10) == b"x" * count
        finally:
            for descriptor in (pipe[0], *received[1]):
                os.close(descriptor)


def test_as_many_descriptors_as_the_kernel_takes_arrive() -> None:
    with linked() as (ours, theirs):
        link.send_descriptors(ours, {}, [0] * link.MOST_DESCRIPTORS)
        received = link.receive_descriptors(theirs)

    assert received is not None
    for descriptor in received[1]:
        os.close(descriptor)
    assert len(received[1]) == link.MOST_DESCRIPTORS


def test_the_longest_message_fits_the_kernels_buffer_and_a_longer_one_is_refused() -> None:
    frame = len(link.encode({"text": "x" * 1_000})) - 1_000
    longest = {"text": "x" * (link.LONGEST_MESSAGE - frame)}

    with linked() as (ours, theirs):
        ours.send(link.encode(longest))
        assert link.receive(theirs) == longest
        with pytest.raises(ValueError, match="204,801 bytes exceeds the limit of 204,800"):
            link.encode({"text": longest["text"] + "x"})
        with pytest.raises(ValueError, match="204,801 bytes exceeds the limit of 204,800"):
            link.send_descriptors(ours, {"text": longest["text"] + "x"}, [0])


@given(NOISE)
def test_noise_is_a_message_or_a_value_error(noise: bytes) -> None:
    try:
        message = link.decode(noise)
    except ValueError:
        return
    assert isinstance(message, dict)


@given(MESSAGES, st.data())
def test_a_message_cut_short_is_a_value_error(message: link.Message, data: st.DataObject) -> None:
    packet = link.encode(message)
    kept = data.draw(st.integers(0, len(packet) - 1))

    with pytest.raises(ValueError, match="."):
        link.decode(packet[:kept])


@pytest.mark.parametrize("receive", RECEIVES)
@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n", b'{"start": 1}', b"\x00", b"\xff" * 9, b"\x80\x04}."])
def test_garbage_from_the_other_side_is_a_value_error(receive: Callable[[socket], Any], garbage: bytes) -> None:
    with linked() as (ours, theirs):
        theirs.send(garbage)
        with pytest.raises(ValueError, match="."):
            receive(ours)
        theirs.send(link.encode({"after": "it"}))
        assert receive(ours), "the next message is not lost"


@pytest.mark.parametrize("value", [1, "start", ["start"], None])
def test_only_dicts_are_messages(value: object) -> None:
    with pytest.raises(ValueError, match=f"must be a dict, not {type(value).__name__}"):
        link.decode(link.encode(value))  # type: ignore[arg-type]


def test_what_is_not_plain_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="unmarshallable"):
        link.encode({"value": object()})


@pytest.mark.parametrize("receive", RECEIVES)
def test_a_closed_end_is_none_after_what_it_said(receive: Callable[[socket], Any]) -> None:
    with linked() as (ours, theirs):
        theirs.send(link.encode({"last": "words"}))
        theirs.close()
        assert receive(ours)
        assert receive(ours) is None


@pytest.mark.parametrize("receive", RECEIVES)
def test_an_end_that_closed_without_reading_is_none_too(receive: Callable[[socket], Any]) -> None:
    """The kernel says ECONNRESET there, once: a control process that was killed had not read everything."""
    with linked() as (ours, theirs):
        ours.send(link.encode({"never": "read"}))
        theirs.close()
        assert receive(ours) is None


def test_neither_end_is_inherited_by_programs() -> None:
    with linked() as (ours, theirs):
        assert not os.get_inheritable(ours.fileno())
        assert not os.get_inheritable(theirs.fileno())
