"""What may be written for others, and to what: by the table of limits, and never lower than it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from low_host import CONNTRACK, SOMAXCONN, SYN_BACKLOG

from c1m.app.state_directory import state_directory
from c1m.limits.sysctls import SYSCTLS
from c1m.limits.tunable import DECISIONS, PORT_RANGE, TUNABLE, raised


def test_nodes_write_what_the_table_names_and_nothing_else() -> None:
    assert {SOMAXCONN, SYN_BACKLOG, PORT_RANGE, CONNTRACK, "fs.file-max", "fs.nr_open"} <= TUNABLE <= set(SYSCTLS)
    assert not TUNABLE & {"kernel.core_pattern", "net.ipv4.tcp_ehash_entries", *DECISIONS}


FIGURES = st.integers(0, 2**63 - 1)


@given(FIGURES, FIGURES)
def test_nothing_is_lowered(now: int, wanted: int) -> None:
    assert raised(SOMAXCONN, str(now), str(wanted)) == str(max(now, wanted))


@given(*[st.lists(FIGURES, min_size=3, max_size=3)] * 2)
def test_of_three_figures_none_is_lowered(now: list[int], wanted: list[int]) -> None:
    made = raised("net.ipv4.tcp_mem", " ".join(map(str, now)), " ".join(map(str, wanted)))

    assert [int(word) for word in made.split()] == [max(pair) for pair in zip(now, wanted)]


def test_a_range_of_ports_grows_on_both_sides() -> None:
    assert raised(PORT_RANGE, "32768 60999", "1024 50000") == "1024 60999"


@pytest.mark.parametrize("wanted", ["", "many", "-1", "1 2", "1;2", "64\n65", "64 ", "9" * 20, "٣"])
def test_what_is_no_figure_is_not_written(wanted: str) -> None:
    with pytest.raises(ValueError, match=r"figure|whole number"):
        raised(SOMAXCONN, "64", wanted)


@pytest.mark.parametrize("told", ["", "state"])
def test_records_are_where_it_does_not_matter_where_a_node_was_started(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", told)

    assert state_directory().is_absolute()
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert state_directory() == Path("/var/state/c1m")
