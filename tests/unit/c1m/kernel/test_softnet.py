"""softnet_stat: what kernels of several ages write, what they never do, and what this one counts."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel.packet_drops import Softnet, parse_softnet, read_softnet

WORD = st.integers(0, 2**32 - 1)


def row(*words: int, columns: int) -> str:
    return " ".join(f"{word:08x}" for word in (*words, *[0] * (columns - len(words)))) + "\n"


LINUX_6_18 = """\
038596b9 00000234 00000045 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
0382b98c 0000031b 00000039 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000
"""  # noqa: E501

# The 13th column numbers the processor, from 5.10 on: the third of four is off.
OFFLINE_5_10 = """\
0000aff7 00000000 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
0000b3a1 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001
00009c04 00000003 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000003
"""


@pytest.mark.parametrize(
    ("text", "softnet", "reason"),
    [
        (LINUX_6_18, Softnet(0x38596B9 + 0x382B98C, 0x234 + 0x31B, 0x45 + 0x39), "6.18, 15 columns, after mass closes"),
        (OFFLINE_5_10, Softnet(0xAFF7 + 0xB3A1 + 0x9C04, 3, 3), "5.10, 13 columns, a processor is off"),
        (row(0x10, 2, 3, columns=11), Softnet(16, 2, 3), "3.11 to 5.9"),
        (row(0x10, 2, 3, columns=10), Softnet(16, 2, 3), "2.6.35 to 3.10"),
        (row(0x10, 2, 3, columns=9), Softnet(16, 2, 3), "2.6.32"),
        (row(0x10, 2, 3, columns=3), Softnet(16, 2, 3), "no more than what is needed"),
        (row(0x10, 2, 3, columns=40), Softnet(16, 2, 3), "a kernel to come"),
        (2 * row(*[0xFFFFFFFF] * 3, columns=15), Softnet(*[2 * 0xFFFFFFFF] * 3), "a sum may be wider than its columns"),
    ],
)
def test_softnet_is_parsed(text: str, softnet: Softnet, reason: str) -> None:
    assert parse_softnet(text) == softnet, reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not"),  # a machine has a processor
        ("\n", "'' is not a line of softnet_stat"),
        (LINUX_6_18 + "\n", "'' is not a line"),
        (row(0x10, 2, columns=2), "'00000010 00000002' is not a line"),
        ("0000001 00000000 00000000\n", "is not a line"),
        ("000000001 00000000 00000000\n", "is not a line"),
        ("0x000001 00000000 00000000\n", "is not a line"),
        ("-0000001 00000000 00000000\n", "is not a line"),
        ("0000000g 00000000 00000000\n", "is not a line"),
        ("00000001 00000000 00000000 cpu0\n", "is not a line"),
        ("\u0661" * 8 + " 00000000 00000000\n", "is not a line"),
    ],
)
def test_what_is_not_softnet_stat_is_a_value_error(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_softnet(text)


@given(st.text() | st.text("0123456789abcdef \n"))
def test_any_text_gives_counts_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        found = parse_softnet(text)
        assert min(found.processed, found.dropped, found.squeezed) >= 0


@pytest.mark.parametrize("text", [LINUX_6_18, OFFLINE_5_10])
def test_a_text_cut_at_any_byte_never_tells_more_than_the_whole(text: str) -> None:
    whole = parse_softnet(text)

    for end in range(len(text)):
        with suppress(ValueError):
            cut = parse_softnet(text[:end])
            assert (cut.processed <= whole.processed) & (cut.dropped <= whole.dropped) & (cut.squeezed <= whole.squeezed)


@given(st.lists(st.tuples(WORD, WORD, WORD), min_size=1, max_size=6), st.integers(3, 15))
def test_processors_are_summed(rows: list[tuple[int, int, int]], columns: int) -> None:
    text = "".join(row(*words, columns=columns) for words in rows)

    assert parse_softnet(text) == Softnet(*map(sum, zip(*rows)))


def test_this_kernel_counts_packets_over_loopback() -> None:
    before = read_softnet()
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        stack.enter_context(socket.create_connection(listener.getsockname()))
    after = read_softnet()

    assert before is not None
    assert after is not None
    assert after.processed > before.processed
