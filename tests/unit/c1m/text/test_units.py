"""Numbers as people write them: what is read, what is refused and why, and that c1m reads what it writes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from c1m.text.units import (
    format_bytes,
    format_count,
    format_duration,
    format_rate,
    parse_count,
    parse_duration,
    parse_rate,
)

Parser = Callable[[str], float]

# Text that is nearly right finds more than text that is merely random.
NEARLY = st.text("0123456789kKmMgGushinK/.,_- +-e٣", max_size=12)


def parsed_or_refused(parse: Parser, text: str) -> float | ValueError:
    try:
        return parse(text)
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("text", "count", "reason"),
    [
        ("1000000", 1_000_000, "digits"),
        ("1_000_000", 1_000_000, "as Python and Rust group them"),
        ("1,000,000", 1_000_000, "as c1m prints it"),
        ("1M", 1_000_000, "decimal mega, not 2**20"),
        ("1m", 1_000_000, "case does not matter: there is no milliconnection"),
        ("250k", 250_000, "kilo"),
        ("250K", 250_000, "kilo, as shouted"),
        ("2G", 2_000_000_000, "giga"),
        ("1.5M", 1_500_000, "a fraction that comes out whole"),
        ("1.1M", 1_100_000, "binary floats would make this 1100000.0000000002"),
        ("5.0", 5, "whole, however it is written"),
        ("0", 0, "zero is a number; whether it makes sense is for the caller"),
        ("007", 7, "no octal"),
        (" 10k\n", 10_000, "space around it is not part of it"),
        ("1" * 40, int("1" * 40), "Python integers do not end"),
    ],
)
def test_counts(text: str, count: int, reason: str) -> None:
    parsed = parse_count(text)

    assert (parsed, type(parsed)) == (count, int), reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing"),
        ("   ", "nothing but space"),
        ("k", "a suffix of nothing"),
        ("1x0", "not a number"),
        ("1.0001k", "1000.1 connections"),
        ("1.5", "half a connection"),
        ("0.0001k", "a tenth of one"),
        ("-1", "negative"),
        ("+1", "nobody signs a count"),
        ("nan", "float() would take it"),
        ("inf", "float() would take it"),
        ("1e6", "float() would take it; people who write it mean 1M"),
        ("0x10", "int(text, 0) would take it"),
        ("٣", "int() takes any script's digits"),
        ("1\N{KELVIN SIGN}", "lower() makes a k of it"),
        ("1 M", "two words"),
        ("1_", "a group of nothing"),
        ("1__0", "a group of nothing"),
        ("10,00", "a group of two: a typing error, or a decimal comma"),
        ("1,5M", "a decimal comma"),
        ("1MM", "two suffixes"),
        ("1MB", "connections, not bytes"),
        ("1.M", "a point without a fraction"),
        (".5M", "a fraction without a whole"),
        ("1" * 5_000, "more digits than int() reads, which would raise in its own words"),
    ],
)
def test_refused_counts(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"number.*; write 1000000, 1_000_000, 250k") as refusal:
        parse_count(text)

    assert str(refusal.value).startswith(repr(text)), reason


@pytest.mark.parametrize(
    ("text", "seconds", "reason"),
    [
        ("30s", 30.0, "seconds"),
        ("5m", 300.0, "minutes, not millions"),
        ("5min", 300.0, "the other way to write them"),
        ("1h30m", 5_400.0, "units add up"),
        ("1h1m1s1ms1us", 3_661.001001, "all of them"),
        ("1h5s", 3_605.0, "with one left out"),
        ("500ms", 0.5, "the m belongs to the s"),
        ("250us", 0.000250, "microseconds"),
        ("2", 2.0, "a bare number is seconds"),
        ("2.5", 2.5, "and may be a fraction"),
        ("0.1h", 360.0, "binary floats would make this 360.00000000000006 with other factors"),
        ("1.1s", 1.1, "the nearest float, as Python reads 1.1"),
        ("90m", 5_400.0, "more than an hour of minutes"),
        ("0s", 0.0, "no time at all"),
        ("21.1 s", 21.1, "as c1m prints it"),
        ("5 min 03 s", 303.0, "as c1m prints it"),
        ("1,000 h 00 min 00 s", 3_600_000.0, "as c1m prints it"),
    ],
)
def test_durations(text: str, seconds: float, reason: str) -> None:
    parsed = parse_duration(text)

    assert (parsed, type(parsed)) == (seconds, float), reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing, although every part of a duration may be left out"),
        (" ", "nothing"),
        ("s", "a unit of nothing"),
        ("-5s", "negative"),
        ("nan", "float() would take it"),
        ("inf", "float() would take it"),
        ("1e3", "float() would take it"),
        ("30m1h", "backwards: a typing error more often than a habit"),
        ("1m1m", "minutes twice"),
        ("1h30", "thirty of what?"),
        ("5 minutes", "not one of the units"),
        ("1d", "not one of the units"),
        ("5M", "millions of what?"),
        ("1:30", "hours or minutes?"),
        ("٣s", "another script's digits"),
        ("9" * 400, "more than a float holds"),
    ],
)
def test_refused_durations(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write 30s, 5m, 1h30m") as refusal:
        parse_duration(text)

    assert str(refusal.value).startswith(repr(text)), reason


@pytest.mark.parametrize(
    ("text", "per_second", "reason"),
    [
        ("50k", 50_000.0, "per second unless told otherwise"),
        ("50k/s", 50_000.0, "per second"),
        ("100/s", 100.0, "per second"),
        ("600/m", 10.0, "per minute"),
        ("600/min", 10.0, "the other way to write it"),
        ("1M/m", 1_000_000 / 60, "a million a minute: the nearest float"),
        ("360/h", 0.1, "per hour"),
        ("0.5/s", 0.5, "a rate need not be whole"),
        ("0", 0.0, "zero is a number; what it means is for the caller"),
        ("47,393/s", 47_393.0, "as c1m prints it"),
    ],
)
def test_rates(text: str, per_second: float, reason: str) -> None:
    parsed = parse_rate(text)

    assert (parsed, type(parsed)) == (per_second, float), reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing"),
        ("/s", "a rate of nothing"),
        ("50k/", "per what?"),
        ("50k/d", "per day is nobody's connection rate"),
        ("50k/M", "per million?"),
        ("50k/2s", "one period only"),
        ("-1/s", "negative"),
        ("nan/s", "float() would take it"),
        ("inf", "float() would take it"),
        ("9" * 400, "more than a float holds"),
    ],
)
def test_refused_rates(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="is not a rate; write 50k, 50k/s, 100/s or 600/m") as refusal:
        parse_rate(text)

    assert str(refusal.value).startswith(repr(text)), reason


@pytest.mark.parametrize(
    ("size", "text", "reason"),
    [
        (0, "0 B", "nothing"),
        (999, "999 B", "still bytes"),
        (1_000, "1 kB", "decimal, not 1,024"),
        (4_080.3, "4.08 kB", "bytes per connection are fractions"),
        (12.5, "12.5 B", "even small ones"),
        (999_499, "999 kB", "the last that rounds down"),
        (999_500, "1 MB", "never 1,000 kB"),
        (3_240_000_000, "3.24 GB", "three digits"),
        (32_400_000_000, "32.4 GB", "three digits"),
        (10**15, "1 PB", "the last unit"),
        (123 * 10**16, "1,230 PB", "beyond it: grouped, without an exponent"),
        (-12_500, "-12.5 kB", "a slab may shrink"),
    ],
)
def test_bytes_as_written(size: float, text: str, reason: str) -> None:
    assert format_bytes(size) == text, reason


@pytest.mark.parametrize(
    ("seconds", "text", "reason"),
    [
        (0, "0 s", "no time at all has no unit to be small in"),
        (1e-9, "0.001 us", "the clock's own step"),
        (1e-17, "0 s", "what is left of subtracting equal floats"),
        (0.00025, "250 us", "microseconds"),
        (0.35, "350 ms", "milliseconds"),
        (0.9994, "999 ms", "the last that rounds down"),
        (0.9996, "1 s", "never 1,000 ms"),
        (21.1, "21.1 s", "three digits"),
        (30, "30 s", "no digits that say nothing"),
        (59.94, "59.9 s", "the last that rounds down"),
        (59.96, "1 min 00 s", "never 60 s"),
        (303, "5 min 03 s", "whole seconds, as a clock shows them"),
        (3_599.6, "1 h 00 min 00 s", "never 60 min"),
        (90_061, "25 h 01 min 01 s", "no days"),
        (-0.35, "-350 ms", "two clocks may disagree"),
    ],
)
def test_durations_as_written(seconds: float, text: str, reason: str) -> None:
    assert format_duration(seconds) == text, reason


@pytest.mark.parametrize(
    ("per_second", "text", "reason"),
    [
        (0, "0/s", "nothing"),
        (1 / 60, "0.0167/s", "one a minute"),
        (0.00001234, "0.0000123/s", "no exponent, which nobody reads and parse_rate refuses"),
        (1.666, "1.67/s", "three digits while they matter"),
        (99.96, "100/s", "never 1e+02"),
        (47_393.4, "47,393/s", "whole from a hundred on"),
        (-3.0, "-3/s", "a difference of two rates"),
    ],
)
def test_rates_as_written(per_second: float, text: str, reason: str) -> None:
    assert format_rate(per_second) == text, reason


@given(st.integers(0, 10**29))
def test_a_count_survives_being_written_and_read(count: int) -> None:
    assert parse_count(format_count(count)) == count
    assert parse_count(str(count)) == count


@given(st.integers(0, 10**9), st.sampled_from([("k", 3), ("M", 6), ("G", 9)]))
def test_a_multiple_is_exact_to_its_last_digit(count: int, multiple: tuple[str, int]) -> None:
    suffix, digits = multiple
    whole, rest = divmod(count, 10**digits)

    assert parse_count(f"{whole}.{rest:0{digits}}{suffix}") == count


@given(st.floats(1e-6, 1e7))
@example(0.99949999999999)
@example(0.9995)
@example(59.95)
@example(59.949999999999996)
def test_a_duration_survives_being_written_and_read_but_for_rounding(seconds: float) -> None:
    text = format_duration(seconds)

    tolerance = 0.5000001 if seconds >= 59.9 else seconds * 0.0051
    assert abs(parse_duration(text) - seconds) <= tolerance
    assert not re.search(r"\b1,000 [um]s|\b60 (s|min)", text)


@given(st.floats(1e-6, 1e9))
def test_a_rate_survives_being_written_and_read_but_for_rounding(per_second: float) -> None:
    assert parse_rate(format_rate(per_second)) == pytest.approx(per_second, rel=0.0051)


@given(st.floats(0, 9.99e17))
def test_bytes_are_written_with_at_most_four_figures(size: float) -> None:
    number, unit = format_bytes(size).split()

    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}[unit]
    assert float(number.replace(",", "")) * scale == pytest.approx(size, rel=0.0051)
    assert float(number.replace(",", "")) < 1_000


@given(st.sampled_from([parse_count, parse_duration, parse_rate]), st.text() | NEARLY)
def test_any_text_is_a_number_or_a_sentence(parse: Parser, text: str) -> None:
    outcome = parsed_or_refused(parse, text)

    if isinstance(outcome, ValueError):
        assert type(outcome) is ValueError
        assert str(outcome).startswith((f"{text!r} is not a", f"{text!r} is longer than a year"))
        assert "; write " in str(outcome)
    else:
        assert 0 <= outcome < float("inf")
