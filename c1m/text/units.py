"""Parses and formats numbers as people write them: counts, durations, rates and bytes.

This module can parse what it formats for counts, rates and durations. Multiples are decimal: 1k is 1,000 connections and 1
kB is 1,000 bytes. Arithmetic is exact until the last step, so "0.1h" is 360.0 seconds and "1.1M" is a whole number.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

# The longest number in characters; people do not write longer ones. The bound keeps values inside a float (1e308) and below the
# 4,300 digits that int() accepts, so that int()'s own error never reaches the user.
LONGEST_TEXT: Final = 40

# The longest run is a year. The bound keeps times inside the range of nanoseconds in protobuf and the kernel.
LONGEST_SECONDS: Final = 366 * 86_400

COUNT_FORMS: Final = "write 1000000, 1_000_000, 250k, 1.5M or 2G"
DURATION_FORMS: Final = "write 30s, 5m, 1h30m, 500ms, 250us, or plain seconds such as 2.5"
BYTES_FORMS: Final = "write 4500, 512 B, 4.2kB, 1.5GB or 2GiB"
NUMBER_FORMS: Final = "write 1000000, 1_000_000, 250k, 1.5M or 0.25"
BITS_FORMS: Final = "write 100M, 1G or 2.5Gbit/s; bits a second, not bytes"
RATE_FORMS: Final = "write 50k, 50k/s, 100/s or 600/m"

MULTIPLES: Final = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
PERIOD_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600}
UNIT_BYTES: Final = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1_000**power for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}ib": 1_024**power for power, letter in enumerate("kmgtp", 1)},
}
UNIT_SECONDS: Final = (
    ("h", Fraction(3_600)),
    ("m(?:in)?", Fraction(60)),
    ("s", Fraction(1)),
    ("ms", Fraction(1, 1_000)),
    ("us", Fraction(1, 1_000_000)),
)

# [0-9] rather than \d, and [kKmMgG] rather than IGNORECASE: the shorter forms also match digits of other scripts and, for k,
# the Kelvin sign.
_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:_[0-9]+)*)(?:\.[0-9]+)?"
_COUNT = re.compile(rf"({_NUMBER})([kKmMgG]?)")
_RATE = re.compile(rf"({_NUMBER})([kKmMgG]?)(?:/(s|m|min|h))?")
_BITS = re.compile(rf"({_NUMBER}) ?([kKMG]?)(?:bit(?:/s)?)?")
_BYTES = re.compile(rf"({_NUMBER}) ?((?:[kKMGTP]i?)?B|)")
_SECONDS = re.compile(_NUMBER)
_DURATION = re.compile(" ?".join(rf"(?:({_NUMBER}) ?{unit})?" for unit, _ in UNIT_SECONDS))


def parse_count(text: str) -> int:
    """Return the whole number, zero or more, in a text such as "1000000", "1_000_000", "250k", "1.5M" or "2G".

    Raises ValueError for other text.
    """
    match = _matched(_COUNT, text)
    if match is None:
        raise ValueError(f"{text!r} is not a number of zero or more; {COUNT_FORMS}")
    number = _fraction(match[1]) * MULTIPLES[match[2].lower()]
    if number.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number; {COUNT_FORMS}")
    return number.numerator


def parse_duration(text: str) -> float:
    """Return the seconds in a text such as "30s", "5m", "1h30m", "500ms", "250us" or "2.5", up to LONGEST_SECONDS.

    Raises ValueError for other text.
    """
    seconds = _seconds(text)
    if seconds > LONGEST_SECONDS:
        raise ValueError(f"{text!r} is longer than a year, the longest run; {DURATION_FORMS}")
    return float(seconds)


def _seconds(text: str) -> Fraction:
    if bare := _matched(_SECONDS, text):
        return _fraction(bare[0])
    match = _matched(_DURATION, text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration; {DURATION_FORMS}")
    parts = zip(match.groups(), UNIT_SECONDS, strict=True)
    return sum((_fraction(number) * seconds for number, (_, seconds) in parts if number), Fraction())


def parse_rate(text: str) -> float:
    """Return the times per second, zero or more, in a text such as "50k", "50k/s", "600/m" or "30/h".

    Raises ValueError for other text.
    """
    match = _matched(_RATE, text)
    if match is None:
        raise ValueError(f"{text!r} is not a rate; {RATE_FORMS}")
    return float(_fraction(match[1]) * MULTIPLES[match[2].lower()] / PERIOD_SECONDS[match[3] or "s"])


def parse_number(text: str) -> float:
    """Return the number, zero or more, in a text such as "1000000", "250k" or "0.25". Raises ValueError for other text."""
    match = _matched(_COUNT, text)
    if match is None:
        raise ValueError(f"{text!r} is not a number of zero or more; {NUMBER_FORMS}")
    return float(_fraction(match[1]) * MULTIPLES[match[2].lower()])


def parse_bytes(text: str) -> float:
    """Return the number of bytes, zero or more, in a text such as "4500", "512 B", "4.2kB" or "2GiB".

    Raises ValueError for other text.
    """
    match = _matched(_BYTES, text)
    if match is None:
        raise ValueError(f"{text!r} is not a number of bytes; {BYTES_FORMS}")
    return float(_fraction(match[1]) * UNIT_BYTES[match[2].lower()])


def parse_bits(text: str) -> float:
    """Return the bits a second, zero or more, in a text such as "100M", "2.5Gbit/s" or "64 kbit".

    Raises ValueError for other text.
    """
    match = _matched(_BITS, text)
    if match is None:
        raise ValueError(f"{text!r} is not a bandwidth; {BITS_FORMS}")
    return float(_fraction(match[1]) * MULTIPLES[match[2].lower()])


def format_count(count: int) -> str:
    """Return a count as text with every digit, grouped: "1,000,000"."""
    return f"{count:,}"


def format_bytes(size: float) -> str:
    """Return a number of bytes as text with three digits in a decimal unit: "3.24 GB", "512 B", "-12.5 kB"."""
    if size < 0:
        return "-" + format_bytes(-size)
    return _scaled(size, ("B", "kB", "MB", "GB", "TB", "PB"))


def format_bits(per_second: float) -> str:
    """Return a number of bits a second as text with three digits in a decimal unit: "100 Mbit/s", "52 bit/s"."""
    return _scaled(per_second, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"))


def format_duration(seconds: float) -> str:
    """Return seconds as text: three digits below a minute ("21.1 s", "350 ms"), whole seconds above ("5 min 03 s")."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    seconds = round(seconds, 9)  # clocks tick in nanoseconds
    if seconds == 0:
        return "0 s"
    if seconds < 59.95:
        return _scaled(seconds * 1e6, ("us", "ms", "s"))
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min {rest:02} s" if hours else f"{minutes} min {rest:02} s"


def format_rate(per_second: float) -> str:
    """Return a rate per second as text: "47,393/s" from a hundred on, three digits below: "1.67/s"."""
    return f"{per_second:,.0f}/s" if abs(per_second) >= 100 else f"{_three_digits(per_second)}/s"


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    bare = text.strip()
    return pattern.fullmatch(bare) if len(bare) <= LONGEST_TEXT else None


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", "").replace("_", ""))


def _scaled(value: float, units: tuple[str, ...]) -> str:
    """Return a value, given in the first unit, as text in the smallest unit that makes it less than 1,000."""
    steps = 0
    while value >= 999.5 and steps < len(units) - 1:
        value, steps = value / 1_000, steps + 1
    return f"{_three_digits(value)} {units[steps]}"


def _three_digits(value: float) -> str:
    """Return a number as text with three significant digits and no exponent: "3.24", "30", "1,230,000", "0.00012"."""
    return f"{Decimal(f'{value:.3g}'):,f}"
