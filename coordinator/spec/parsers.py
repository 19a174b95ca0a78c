"""Parsers of settings that are a number, a word or a name, as on the command line and in TOML. All raise ValueError."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any

from c1m.net.control_address import ControlAddress, parse_control_address
from c1m.net.endpoints import parse_endpoint
from c1m.text.units import parse_count, parse_duration
from c1m.wire import bounds

from .words import WORDS

WORKER_PORT = 7100
TARGET_PORT = 7200


def parse_worker(text: str) -> ControlAddress:
    """Parse the control address of a worker, with the usual port unless it names one."""
    return parse_control_address(text, WORKER_PORT)


def parse_target(text: str) -> ControlAddress:
    """Parse the control address of a target, with the usual port unless it names one."""
    return parse_control_address(text, TARGET_PORT)


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
