"""The settings of a run, and how each is written on the command line and in TOML. The parsers raise ValueError."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from c1m.errors import UsageError
from c1m.measure.phase import Close, CloseOrder
from c1m.net.control_address import parse_control_address
from c1m.net.endpoints import parse_endpoint
from c1m.schedule.schedule import Arrival
from c1m.schedule.shapes import parse_shape
from c1m.text.escapes import parse_hexadecimal, parse_text
from c1m.text.units import parse_count, parse_duration, parse_rate
from c1m.traffic.heartbeat import LEAST_PAYLOAD, MOST_PAYLOAD
from c1m.wire import bounds

from .grammar import parse_answer, parse_backoff, parse_distribution, parse_lifetime, parse_storm
from .requirements import parse
from .spec import LISTS, WORDS, OnLoss, RunSpec, name_of

WORKER_PORT = 7100
TARGET_PORT = 7200


def one_of(kind: type[enum.Enum], what: str) -> Callable[[str], enum.Enum]:
    """Return a parser of the words for an enum. ``what``: what such a word is, for the error."""
    words = [word for word, value in WORDS.items() if isinstance(value, kind)]

    def parse(text: str) -> enum.Enum:
        if text not in words:
            raise ValueError(f"{text!r} is not {what}; write {' or '.join(words)}")
        return WORDS[text]

    return parse


def parse_flag(text: str) -> bool:
    """Parse a boolean as TOML and options give it."""
    if text not in ("True", "False"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "True"


def parse_host(text: str) -> str:
    """Parse an address or a name of a host, without a port."""
    try:
        return parse_endpoint(f"[{text}]:1" if ":" in text else f"{text}:1").host
    except ValueError:
        raise ValueError(f"{text!r} is not a host; write 10.0.0.5, srv or fd00::1") from None


def parse_keepalive(text: str) -> float:
    """Parse the interval of TCP keepalive. The kernel takes whole seconds that fit in 15 bits."""
    seconds = parse_duration(text)
    if seconds % 1 or not 1 <= seconds <= bounds.LONGEST_KEEPALIVE_SECONDS:
        raise ValueError(
            f"{text!r} is not possible; the kernel takes whole seconds, from 1 to {bounds.LONGEST_KEEPALIVE_SECONDS:,}"
        )
    return seconds


def between(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of a count that must be in this range."""

    def parse_and_check(text: str) -> int:
        value = parse_count(text)
        if not least <= value <= most:
            raise ValueError(f"{text!r} is not possible; it must be {least:,} to {most:,}")
        return value

    return parse_and_check


def at_least(parse: Callable[[str], Any], least: float) -> Callable[[str], Any]:
    """Return a parser that refuses smaller values."""

    def parse_and_check(text: str) -> Any:
        value = parse(text)
        if value < least:
            raise ValueError(f"{text!r} is too little; it must be at least {least:g}")
        return value

    return parse_and_check


def at_most(parse: Callable[[str], Any], most: float) -> Callable[[str], Any]:
    """Return a parser that refuses larger values."""

    def parse_and_check(text: str) -> Any:
        value = parse(text)
        if value > most:
            raise ValueError(f"{text!r} is too much; it must be at most {most:,.12g}")
        return value

    return parse_and_check


def parse_directory(text: str) -> Path:
    """Parse the path of a directory."""
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is no directory; write one that c1m-coord pki issue has made")
    return Path(text)


MOST_SEED = 2**32 - 1

PARSERS: Mapping[str, Callable[[str], Any]] = {
    "total": between(1, bounds.MOST_CONNECTIONS),
    "worker": lambda text: parse_control_address(text, WORKER_PORT),
    "target": lambda text: parse_control_address(text, TARGET_PORT),
    "endpoint": parse_endpoint,
    "tls": parse_directory,
    "data_host": parse_host,
    "rate": at_least(parse_rate, 0.001),
    "ramp": at_least(parse_duration, 0.001),
    "stage": parse_shape,
    "arrival": one_of(Arrival, "a way to arrive"),
    "hold": at_least(parse_duration, 0),
    "in_flight": between(1, bounds.MOST_IN_FLIGHT),
    "connect_timeout": at_least(parse_duration, 0.01),
    "lease": at_most(at_least(parse_duration, 2), bounds.LONGEST_LEASE_SECONDS),
    "close": one_of(Close, "a way to close"),
    "close_order": one_of(CloseOrder, "an order to close in"),
    "seed": at_most(parse_count, MOST_SEED),
    "probe_ghosts": parse_flag,
    "close_rate": at_most(at_least(parse_rate, 1), bounds.FASTEST_CLOSE),
    "heartbeat": at_least(parse_duration, 0.1),
    "payload": between(LEAST_PAYLOAD, MOST_PAYLOAD),
    "send": parse_text,
    "send_hex": parse_hexadecimal,
    "expect": parse_answer,
    "keepalive": parse_keepalive,
    "server_push": at_most(at_least(parse_rate, 1 / 3600), bounds.MOST_PUSHES),
    "require": parse,
    "lifetime": parse_lifetime,
    "downtime": parse_distribution,
    "reopen": parse_flag,
    "backoff": parse_backoff,
    "storm": parse_storm,
    "trickle": at_most(at_least(parse_rate, 0.001), bounds.MOST_TRICKLE),
    "half_open": parse_flag,
    "on_loss": one_of(OnLoss, "a policy for lost nodes"),
}

assert set(PARSERS) == {field.name for field in fields(RunSpec)}


def check_names(where: str, layer: Mapping[str, Any]) -> None:
    """Raise UsageError for a setting that does not exist, with the most similar name."""
    for name in layer:
        if name.replace("-", "_") not in PARSERS:
            close = difflib.get_close_matches(name, PARSERS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"the settings are {', '.join(PARSERS)}"
            raise UsageError(f"{where}: there is no setting {name!r}; {hint}")


def parsed(where: str, name: str, value: Any) -> Any:
    """Return the value of a setting. Raises UsageError, with the place and the reason, for a value that cannot be parsed."""
    try:
        if name in LISTS:
            items = value if isinstance(value, (list, tuple)) else [value]
            return tuple(PARSERS[name](text_of(item)) for item in items)
        return PARSERS[name](text_of(value))
    except ValueError as error:
        raise UsageError(f"{where}: {name_of(name)}: {error}") from None


def text_of(value: Any) -> str:
    """Return a value as text. Numbers and booleans of TOML become what is written on the command line."""
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"{value!r} is neither a text nor a number; write it as on the command line")  # noqa: TRY004
    return str(value)
