"""The grammar of settings that take more than a number, such as lifetimes, storms and answers. Pure; all raise ValueError."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from c1m.text.escapes import Text, parse_text
from c1m.text.units import parse_duration
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import EXPONENTIAL, FIXED, UNIFORM, Distribution
from c1m.traffic.heartbeat import Expect
from c1m.traffic.storm import CLIENTS, TARGET, Storm
from c1m.wire.bounds import LEAST_LIFETIME

LONGEST_LABEL: Final = 200  # characters: a list of runs has them all

DISTRIBUTION_FORMS: Final = "write fixed:60s, uniform:30s-90s or exp:120s"
BACKOFF_FORMS: Final = "write 100ms-30s: the upper bounds of the first wait and of the longest"
LABEL_FORMS: Final = "write KEY=VALUE, such as ticket=C1M-4711"
STORM_FORMS: Final = "write at=60s,drop=100%,return=5s, or at=60s,drop=100%,by=target"


def parse_distribution(text: str) -> Distribution:
    """Return the distribution of times that a text such as "fixed:60s", "uniform:30s-90s" or "exp:120s" describes.

    A duration alone is a fixed one. Raises ValueError for other texts.
    """
    kind, colon, rest = text.strip().partition(":")
    if not colon:
        kind, rest = FIXED, kind
    if kind not in (FIXED, UNIFORM, EXPONENTIAL):
        raise ValueError(f"{kind!r} is not a distribution of times; {DISTRIBUTION_FORMS}")
    first, dash, second = rest.partition("-")
    if bool(dash) != (kind == UNIFORM):
        wanted = "a uniform time needs two ends" if kind == UNIFORM else "only a uniform time has two ends"
        raise ValueError(f"{text!r}: {wanted}; {DISTRIBUTION_FORMS}")
    low = parse_duration(first)
    high = parse_duration(second) if dash else low
    if low > high:
        raise ValueError(f"{text!r} ends before it begins; {DISTRIBUTION_FORMS}")
    if kind == EXPONENTIAL and not low:
        raise ValueError(f"{text!r} has a mean of zero; {DISTRIBUTION_FORMS}")
    return Distribution(kind, low, high)


def parse_lifetime(text: str) -> Distribution:
    """Return the distribution of lifetimes that a text such as "60s" or "exp:120s" describes.

    Raises ValueError for a mean that is too short, and for other texts.
    """
    lifetime = parse_distribution(text)
    if lifetime.mean < LEAST_LIFETIME:
        raise ValueError(f"{text!r} is too short for a lifetime; {DISTRIBUTION_FORMS}")
    return lifetime


def parse_backoff(text: str) -> Backoff:
    """Return the first and the longest wait before a connection is reopened, from a text such as "100ms-30s".

    Raises ValueError for other texts.
    """
    first, dash, cap = text.strip().partition("-")
    if not dash:
        raise ValueError(f"{text!r} is not a backoff; {BACKOFF_FORMS}")
    backoff = Backoff(parse_duration(first), parse_duration(cap))
    if not 0 < backoff.first <= backoff.cap:
        raise ValueError(f"{text!r} must begin above 0 s and not end before it begins; {BACKOFF_FORMS}")
    return backoff


def parse_storm(text: str) -> Storm:
    """Return the storm that a text such as "at=60s,drop=100%,return=5s" describes: when which share of connections drops.

    By default all connections leave, and return at once. Raises ValueError for other texts.
    """
    words: dict[str, str] = {}
    for item in text.split(","):
        name, _, value = item.strip().partition("=")
        if name not in ("at", "drop", "return", "by"):
            raise ValueError(f"{text!r}: {item.strip()!r} is not a part of a storm; {STORM_FORMS}")
        if name in words:
            raise ValueError(f"{text!r} has {name} twice; {STORM_FORMS}")
        words[name] = value
    if "at" not in words:
        raise ValueError(f"{text!r} does not say when; {STORM_FORMS}")
    by = words.get("by", CLIENTS)
    if by not in (CLIENTS, TARGET):
        raise ValueError(f"a storm is not made by {by!r}; write by=clients or by=target")
    if by == TARGET and "return" in words:
        raise ValueError(f"{text!r}: clients return from a storm by the target when --reopen lets them; leave return= out")
    return Storm(
        at=parse_duration(words["at"]),
        share=parse_share(words.get("drop", "100%")),
        return_seconds=parse_duration(words.get("return", "0s")),
        by=by,
    )


@dataclass(frozen=True, slots=True)
class Label:
    """What people and programs call a run by, besides its id."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


def parse_label(text: str) -> Label:
    """Parse "ticket=C1M-4711". A key has letters, digits, dots, dashes and underscores; a value is a line of text."""
    key, equals, value = text.partition("=")
    if not equals or not value.strip() or not re.fullmatch(r"[\w.-]+", key, re.ASCII):
        raise ValueError(f"{text!r} is not a label; {LABEL_FORMS}")
    if not value.isprintable() or len(text) > LONGEST_LABEL:
        raise ValueError(f"a label is one line of at most {LONGEST_LABEL} characters; {LABEL_FORMS}")
    return Label(key, value)


def parse_share(text: str) -> float:
    """Return the share, above 0 and up to 1, that a percentage such as "35%" or "12.5%" describes.

    Raises ValueError for other texts, and for a share that is out of range.
    """
    number = text.strip().removesuffix("%")
    digits = number.replace(".", "", 1)
    if number == text.strip() or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text!r} is not a share; write a percentage, such as 100% or 12.5%")
    share = float(number) / 100
    if not 0 < share <= 1:
        raise ValueError(f"{text!r} is out of range; write more than 0% and at most 100%")
    return share


WORDS = {"echo": Expect.ECHO, "none": Expect.NONE, "any": Expect.ANY}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that a heartbeat expects: any, none, its echo, or one that begins with ``prefix``."""

    expect: Expect
    prefix: bytes = b""

    def __str__(self) -> str:
        words = [word for word, expect in WORDS.items() if expect is self.expect]
        if words:
            return words[0]
        shown = str(Text(self.prefix))
        return f"\\x{self.prefix[0]:02x}{shown[1:]}" if shown in WORDS else shown


def parse_answer(text: str) -> Answer:
    r"""Parse the expected answer. A prefix that equals one of the words is written with an escape, such as \x6eone."""
    if text in WORDS:
        return Answer(WORDS[text])
    if not text:
        raise ValueError("every answer has an empty prefix; write echo, none, any, or how an answer begins, such as +PONG")
    return Answer(Expect.PREFIX, bytes(parse_text(text)))
