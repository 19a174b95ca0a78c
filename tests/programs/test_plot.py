"""Figures over time as text: where the lines are, what they say of a run, and that they fit wherever they are shown."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import run_coord
from rich.console import Console

from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.timeline import HostState, Timeline, TimelineRow
from c1m.coordinator.report.block_chart import ASCII, BLOCKS, bars, events, highest, levels, ruler
from c1m.coordinator.report.summary_tables import picture
from c1m.coordinator.report.timeline_chart import LEAST_COLUMNS, curves
from c1m.coordinator.summary.codec import from_plain
from c1m.coordinator.summary.json_text import indented
from c1m.coordinator.summary.timeline import TimelineSummary

VALUES = st.none() | st.integers(0, 10**12)
ROWS = st.lists(st.tuples(st.floats(0.01, 1e4), VALUES), min_size=1, max_size=50).map(
    lambda rows: ([0.0, *sorted(at for at, _ in rows)], [0, *(value for _, value in rows)])
)


@pytest.mark.parametrize(
    ("seconds", "values", "told"),
    [
        ([0, 4], [0, 8], [2, 4, 6, 8]),
        ([0, 1, 4], [0, 6, 6], [6, 6, 6, 6]),
        ([0, 2, 4], [None, 4, 8], [None, 4, 6, 8]),
        ([0, 2, 4], [0, 4, None], [2, 4, 4, 4]),  # nothing newer is known
        ([0, 2, 4], [0, None, 8], [2, 4, 6, 8]),
        ([0, 4], [None, None], [None, None, None, None]),
    ],
)
def test_levels_lie_on_lines_between_known_moments(seconds: list[float], values: Any, told: list[float | None]) -> None:
    assert levels(seconds, values, 4) == told


@pytest.mark.parametrize(
    ("seconds", "values", "told"),
    [
        ([0, 1, 2, 3, 4], [0, 1, 0, 7, 2], [1, 0, 7, 2]),
        ([0, 4], [0, 8], [2, 2, 2, 2]),
        ([0, 2, 4], [0, None, 8], [2, 2, 2, 2]),  # counted over both intervals
        ([0, 0.5, 1, 4], [3, 1, 1, 0], [5, 0, 0, 0]),
    ],
)
def test_events_are_spread_over_the_interval_in_which_they_were_counted(
    seconds: list[float], values: Any, told: list[float]
) -> None:
    assert events(seconds, values, 4) == told


@pytest.mark.parametrize(
    ("seconds", "values", "told"),
    [
        ([0, 1, 2, 3, 4], [None, 1, None, 7, 2], [1, 0, 7, 2]),  # nothing was measured in the second one
        ([0, 2, 4], [None, 5, None], [5, 5, 0, 0]),
        ([0, 0.5, 1, 4], [None, 3, 9, 1], [9, 1, 1, 1]),
    ],
)
def test_what_was_measured_in_an_interval_stands_where_it_was(seconds: list[float], values: Any, told: list[float]) -> None:
    assert highest(seconds, values, 4) == told


@given(ROWS, st.integers(1, 200))
def test_no_event_is_lost_and_no_level_invented(rows: tuple[list[float], Any], width: int) -> None:
    seconds, values = rows
    known = [value for value in values if value is not None]

    counted = events(seconds, values, width)
    drawn = [value for value in levels(seconds, values, width) if value is not None]

    assert len(counted) == len(levels(seconds, values, width)) == width
    assert sum(value or 0 for value in counted) == pytest.approx(sum(known))
    assert all(min(known) - 1 <= value <= max(known) + 1 for value in drawn)


@given(st.lists(VALUES, max_size=80), st.integers(1, 4), st.sampled_from([BLOCKS, ASCII]))
def test_every_value_has_its_place_and_more_than_nothing_is_seen(values: list[int | None], height: int, glyphs: str) -> None:
    lines = bars(values, height, glyphs)

    assert [len(line) for line in lines] == [len(values)] * height
    for column, value in enumerate(values):
        stack = "".join(line[column] for line in lines)
        assert (stack.strip() == "?") == (value is None)
        assert (stack.strip() == "") == (value == 0)
    most = max((value for value in values if value is not None), default=0)
    if most:
        assert all(line[values.index(most)] == glyphs[-1] for line in lines)


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ([(0, "a"), (5, "b")], "a    b"),
        ([(0, "long word"), (2, "b"), (9, "c")], "long word"),  # no room for b, and c would touch
        ([(9.9, "right")], "         right"),
        ([(9.9, "much too long")], ""),
        ([], ""),
    ],
)
def test_words_stand_below_their_moments(marks: list[tuple[float, str]], told: str) -> None:
    assert ruler(marks, 10.0, 10, 15) == told


def timeline(**counters: list[int | None]) -> TimelineSummary:
    parts = {
        "turns": [{"seconds": 0.0, "doing": "opening"}, {"seconds": 2.0, "doing": "holding"}],
        "seconds": [0.0, 1.0, 2.0, 3.0],
        "established": [0, 500, 1_000, 1_000],
        "opened": [0, 500, 1_000, 1_000],
        "opened_per_second": [None, 500.0, 500.0, 0.0],
        "connect_latency_us": {"count": [0, 1, 1, 0], "p50": [], "p99": [None, 900, 50_000, None], "max": []},
        "failed": [0, 0, 3, 3],
        "dropped": [0, 0, 0, 0],
        "hosts": {"target t": {"slab_bytes": [None, 10**9, 11 * 10**8, 11 * 10**8], "counters": counters}},
    }
    return from_plain(parts, TimelineSummary)


def test_counters_that_should_stay_still_stand_below_the_curves() -> None:
    told = curves(timeline(ListenOverflows=[0, 0, 1_204, 0], ActiveOpens=[0, 500, 500, 0]), 70)

    labels = {line.split()[0]: line.split()[-1] for line in told if line.split()}
    assert labels["established"] == "1,000"
    assert (labels["opened/s"], labels["failed"], labels["ListenOverflows"]) == ("500/s", "3", "1,204")
    assert next(line for line in told if line.startswith("connect p99")).endswith("50 ms")
    assert "dropped" not in labels
    assert "ActiveOpens" not in labels  # every connection raises it
    overflows = next(line for line in told if line.startswith("ListenOverflows"))
    assert overflows.index("█") > len(overflows) // 3  # in the second of three seconds


@given(
    st.integers(0, 300),
    st.booleans(),
    st.dictionaries(st.sampled_from(["ListenDrops", "TCPTimeouts"]), st.just([0, 1, None, 2])),
)
def test_the_picture_fits_or_is_left_out(width: int, ascii_only: bool, counters: dict[str, list[int | None]]) -> None:
    told = curves(timeline(**counters), width, ascii_only=ascii_only)

    assert max((len(line) for line in told), default=0) <= width
    assert bool(told) == (width >= LEAST_COLUMNS + 4 + max(len("established"), *map(len, counters or [""])) + len("+100 MB"))
    assert not ascii_only or "".join(told).isascii()


HOSTS = st.none() | st.builds(
    HostState,
    st.integers(0, 9),
    st.none() | st.integers(0, 10**7),
    st.none() | st.integers(0, 10**10),
    counters=st.dictionaries(st.sampled_from(["ListenDrops", "ActiveOpens"]), st.integers(0, 10**6)),
)
COUNTS = st.integers(0, 10**7)
MOMENTS = st.builds(
    lambda opened, failed, host, slow: TimelineRow(
        opened, opened, failed, 0, None, None, hosts={"h": host} if host else {}, latencies={"connect_latency_us": slow}
    ),
    COUNTS,
    COUNTS,
    HOSTS,
    st.dictionaries(st.integers(1, 10**9), st.integers(1, 9), max_size=3),
)


@given(st.lists(MOMENTS, min_size=1, max_size=8), st.lists(st.floats(0.3, 9), min_size=8, max_size=8), st.integers(0, 200))
def test_any_run_can_be_drawn(moments: list[TimelineRow], pauses: list[float], width: int) -> None:
    """One of which nothing is known, too: ^C came at once."""
    made, now = Timeline(), 0.0
    made.begin(now, lambda: moments[0])
    for pause, there in zip(pauses, moments[1:], strict=False):
        now += pause
        made.turn(now, list(Doing)[len(made.rows) % len(Doing)])
        made.take(now, lambda: there)
    made.end(now, lambda: moments[-1])

    told = curves(made.to_summary(), width)

    assert max((len(line) for line in told), default=0) <= width


@pytest.mark.parametrize("missing", [None, from_plain({"seconds": [0.0]}, TimelineSummary)])
def test_there_is_no_picture_of_nothing(missing: TimelineSummary | None) -> None:
    assert curves(missing, 100) == []


@pytest.mark.parametrize(("encoding", "plain"), [("utf-8", False), ("iso8859-1", True), ("ascii", True)])
def test_a_terminal_without_blocks_gets_letters(encoding: str, plain: bool) -> None:
    class Encoded(StringIO):
        @property
        def encoding(self) -> str:  # type: ignore[override]
            return encoding

    shown = picture(timeline(), Console(file=Encoded(), width=80))

    assert str(shown[1]).isascii() is plain


def test_a_run_has_a_picture_on_a_narrow_terminal_that_takes_ascii_only(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    narrow = {"FORCE_COLOR": "1", "COLUMNS": "60", "PYTHONIOENCODING": "ascii"}  # the first makes a terminal of a pipe

    ended = run_coord("--total", "2000", "--ramp", "2s", "--hold", "1s", "--json", str(told), **narrow)

    found = json.loads(told.read_text())["timeline"]
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.isascii()
    assert "^opening" in ended.stdout
    assert (found["opened"][0], max(found["established"]), found["established"][-1]) == (0, 2000, 0)
    assert (found["opened"][-1], found["accepted"][-1]) == (2000, 2000)
    assert [turn["doing"] for turn in found["turns"]][0] == "opening"
    (host,) = found["hosts"].values()  # both nodes are on this one
    assert sum(events or 0 for events in host["counters"]["PassiveOpens"]) >= 2000
    assert max(level for level in host["sockets"] if level) >= 4000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_the_document_is_json_whatever_is_in_it(value: Any) -> None:
    assert json.loads(indented(value)) == value


def test_a_column_of_the_document_is_one_line() -> None:
    assert indented({"a": [1, 2, None], "b": {"c": [{"d": "[]"}], "e": {}}}) == (
        '{\n  "a": [1, 2, null],\n  "b": {\n    "c": [\n      {\n        "d": "[]"\n      }\n    ],\n    "e": {}\n  }\n}'
    )
