"""The grammar of settings that take more than a number: lifetimes, backoffs, storms and answers. Pure; all raise ValueError."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from c1m.text.escapes import Text, parse_text
from c1m.text.units import parse_duration
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import EXPONENTIAL, FIXED, UNIFORM, Distribution
from c1m.traffic.heartbeat import Expect
from c1m.traffic.storm import CLIENTS, TARGET, Storm
from c1m.wire.bounds import LEAST_LIFETIME

DISTRIBUTION_FORMS: Final = "write fixed:60s, uniform:30s-90s or exp:120s"
BACKOFF_FORMS: Final = "write 100ms-30s: the bound of the first wait, and of the longest"
STORM_FORMS: Final = "write at=60s,drop=100%,return=5s, or at=60s,drop=100%,by=target"


def parse_distribution(text: str) -> Distribution:
    """Parse "fixed:60s", "uniform:30s-90s" or "exp:120s"; a duration alone is a fixed one."""
    kind, colon, rest = text.strip().partition(":")
    if not colon:
        kind, rest = FIXED, kind
    if kind not in (FIXED, UNIFORM, EXPONENTIAL):
        raise ValueError(f"{kind!r} is no way for times to be distributed; {DISTRIBUTION_FORMS}")
    first, dash, second = rest.partition("-")
    if bool(dash) != (kind == UNIFORM):
        ends = "one end, and a uniform time has two" if kind == UNIFORM else f"two ends, and a time that is {kind} has one"
        raise ValueError(f"{text!r} has {ends}; {DISTRIBUTION_FORMS}")
    low = parse_duration(first)
    high = parse_duration(second) if dash else low
    if low > high:
        raise ValueError(f"{text!r} ends before it begins; {DISTRIBUTION_FORMS}")
    if kind == EXPONENTIAL and not low:
        raise ValueError(f"{text!r} has a mean of zero; {DISTRIBUTION_FORMS}")
    return Distribution(kind, low, high)


def parse_lifetime(text: str) -> Distribution:
    """Parse a distribution of lifetimes, which must be longer than zero."""
    lifetime = parse_distribution(text)
    if lifetime.mean < LEAST_LIFETIME:
        raise ValueError(f"{text!r} is no time to live; {DISTRIBUTION_FORMS}")
    return lifetime


def parse_backoff(text: str) -> Backoff:
    """Parse "100ms-30s": the first and the longest wait."""
    first, dash, cap = text.strip().partition("-")
    if not dash:
        raise ValueError(f"{text!r} is no backoff; {BACKOFF_FORMS}")
    backoff = Backoff(parse_duration(first), parse_duration(cap))
    if not 0 < backoff.first <= backoff.cap:
        raise ValueError(f"{text!r} does not grow from more than 0 s; {BACKOFF_FORMS}")
    return backoff


def parse_storm(text: str) -> Storm:
    """Parse "at=60s,drop=100%,return=5s". By default all connections leave, and return at once."""
    words: dict[str, str] = {}
    for item in text.split(","):
        name, _, value = item.strip().partition("=")
        if name not in ("at", "drop", "return", "by"):
            raise ValueError(f"{text!r}: a storm has no {item.strip()!r}; {STORM_FORMS}")
        if name in words:
            raise ValueError(f"{text!r} says {name} twice; {STORM_FORMS}")
        words[name] = value
    if "at" not in words:
        raise ValueError(f"{text!r} does not say when; {STORM_FORMS}")
    by = words.get("by", CLIENTS)
    if by not in (CLIENTS, TARGET):
        raise ValueError(f"{by!r} cannot make a storm; write by=clients or by=target")
    if by == TARGET and "return" in words:
        raise ValueError(f"{text!r}: after a storm by the target clients come back as --reopen lets them, without return=")
    return Storm(
        at=parse_duration(words["at"]),
        share=parse_share(words.get("drop", "100%")),
        return_seconds=parse_duration(words.get("return", "0s")),
        by=by,
    )


def parse_share(text: str) -> float:
    """Parse a share above 0 and up to 1, such as "35%" or "12.5%"."""
    number = text.strip().removesuffix("%")
    digits = number.replace(".", "", 1)
    if number == text.strip() or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text!r} is no share; write a percentage, such as 100% or 12.5%")
    share = float(number) / 100
    if not 0 < share <= 1:
        raise ValueError(f"{text!r} is no share of something; write more than 0% and at most 100%")
    return share


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
    r"""Parse the expected answer. A prefix that equals one of the words is written with an escape: \x6eone. Raises
    ValueError.
    """
    if text in WORDS:
        return Answer(WORDS[text])
    if not text:
        raise ValueError("an empty prefix says nothing; write echo, none, any, or how an answer begins, such as +PONG")
    return Answer(Expect.PREFIX, bytes(parse_text(text)))
