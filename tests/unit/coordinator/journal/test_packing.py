"""Whatever nodes say comes out of the journal as it went in."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.journal.codec import SampleCompression

MESSAGES = st.lists(
    st.tuples(st.sampled_from(("worker a:1", "worker b:1", "target c:1")), st.binary(max_size=300)), max_size=30
)


@given(MESSAGES)
def test_what_was_packed_is_unpacked(messages: list[tuple[str, bytes]]) -> None:
    packing, unpacking = SampleCompression(), SampleCompression()

    packed = [(node, packing.pack(node, message)) for node, message in messages]

    assert [(node, unpacking.unpack(node, each)) for node, each in packed] == messages


def test_what_a_node_says_again_takes_little() -> None:
    packing, message = SampleCompression(), bytes(range(256)) * 20

    packing.pack("worker a:1", message)

    assert len(packing.pack("worker a:1", message[:-1] + b"!")) < 60


def test_what_was_damaged_is_not_taken_for_a_message() -> None:
    packed = bytearray(SampleCompression().pack("worker a:1", b"a message of a node"))
    packed[-1] ^= 1

    with pytest.raises(zlib.error):
        SampleCompression().unpack("worker a:1", bytes(packed))
