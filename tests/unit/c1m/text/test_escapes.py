"""Bytes as people write them: every bytes can be written, and what was written is read as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.spec.grammar import Answer, parse_answer
from c1m.text.escapes import Hexadecimal, Text, parse_hexadecimal, parse_text
from c1m.traffic.heartbeat import Expect

ANSWERS = st.one_of(
    st.sampled_from([Answer(Expect.ECHO), Answer(Expect.NONE), Answer(Expect.ANY), Answer(Expect.PREFIX, b"none")]),
    st.binary(min_size=1, max_size=30).map(lambda prefix: Answer(Expect.PREFIX, prefix)),
)


@given(st.binary(max_size=50))
def test_what_is_shown_is_read_back(data: bytes) -> None:
    assert parse_text(str(Text(data))) == data
    assert parse_hexadecimal(str(Hexadecimal(data))) == data
    assert str(Text(data)).isprintable()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"PING\r\n", b"PING\r\n"),
        (r"\x00\xfF", b"\x00\xff"),
        (r"a\\n", b"a\\n"),  # a backslash, and an n
        ("grüß", "grüß".encode()),
    ],
)
def test_escapes(written: str, meant: bytes) -> None:
    assert parse_text(written) == meant


@pytest.mark.parametrize("written", [r"\q", "\\", r"\x4", r"\xzz"])
def test_an_escape_that_is_none_is_a_sentence(written: str) -> None:
    with pytest.raises(ValueError, match="is not an escape"):
        parse_text(written)


def test_what_is_not_hexadecimal_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="is not hexadecimal"):
        parse_hexadecimal("5g")


@given(ANSWERS)
def test_answers_are_read_as_they_are_shown(answer: Answer) -> None:
    assert parse_answer(str(answer)) == answer
