"""The answer to a heartbeat as an operator names it: echo, none, any, or how it begins. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from c1m.text.escapes import Text, parse_text
from c1m.traffic.heartbeat import Expect

WORDS = {"echo": Expect.ECHO, "none": Expect.NONE, "any": Expect.ANY}


@dataclass(frozen=True, slots=True)
class Answer:
    expect: Expect
    prefix: bytes = b""

    def __str__(self) -> str:
        words = [word for word, expect in WORDS.items() if expect is self.expect]
        if words:
            return words[0]
        shown = str(Text(self.prefix))
        return f"\\x{self.prefix[0]:02x}{shown[1:]}" if shown in WORDS else shown


def parse_answer(text: str) -> Answer:
    r"""A prefix that is one of the words is written with an escape: \x6eone. Raises ValueError."""
    if text in WORDS:
        return Answer(WORDS[text])
    if not text:
        raise ValueError("an empty prefix says nothing; write echo, none, any, or how an answer begins, such as +PONG")
    return Answer(Expect.PREFIX, bytes(parse_text(text)))
