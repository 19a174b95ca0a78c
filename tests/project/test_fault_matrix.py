"""Some cells of the fault matrix (faults/), smaller than there: nothing hangs, nothing is left, every count is explained."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell import Cell, cell
from counts import differences, misdated, unexplained
from judgement import complaints
from matrix import cells
from observation import Observation
from page import BEGIN, END, written
from remains import parse_sockets
from series import some
from trial import attempt

SMALL: dict[str, Any] = {"total": 600, "ramp_seconds": 2, "hold_seconds": 5, "close_rate": 1000, "lease_seconds": 4}
TRIED = [("coordinator", "SIGKILL", "ramp"), ("worker control", "blackhole", "hold"), ("target machine", "link cut", "prepare")]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft"), reason="namespaces take root, and a blackhole nft")
def test_some_cells_have_no_complaints() -> None:
    seen: list[Observation] = []

    attempt([replace(cell(*names), **SMALL) for names in TRIED], len(TRIED), seen.append)

    assert {each.name: complaints(each) for each in seen} == {", ".join(names): [] for names in TRIED}


def test_the_matrix_is_every_victim_fault_and_moment_that_there_are() -> None:
    names = [each.unseen().name for each in cells()]

    assert len(set(names)) == len(names)
    assert "acceptor, blackhole, close" in names
    assert "coordinator, disk full, ramp" in names
    assert "worker control, disk full, ramp" not in names


@given(seed=st.integers(0, 2**32))
def test_a_seed_repeats_a_series(seed: int) -> None:
    assert some(5, seed) == some(5, seed)


SUMMARY = {
    "attempted": 10,
    "closed": 5,
    "failed": {"ECONNREFUSED": 2},
    "dropped": {"peer_reset": 3},
    "established_at_hold_end": 5,
    "reconciliation": None,
    "workers": [
        {"node": "a", "established_at_hold_end": 5, "lost": None},
        {"node": "b", "established_at_hold_end": None, "lost": None},
    ],
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"closed": 4}, "10 connections were attempted, no worker was lost, and 9 ended"),
        ({"closed": 6}, "10 connections were attempted, and 11 ended"),
        ({"established_at_hold_end": 6}, "6 were established at the end of the hold, by worker [5, None]"),
    ],
)
def test_counts_that_do_not_add_up_are_told(change: dict[str, Any], told: str) -> None:
    assert unexplained({**SUMMARY, **change}) == ([told] if told else [])


def test_of_a_lost_worker_nobody_knows_what_its_connections_came_to() -> None:
    workers = [SUMMARY["workers"][0], {**SUMMARY["workers"][1], "lost": "since 3 s"}]  # type: ignore[index]

    assert unexplained({**SUMMARY, "closed": 1, "workers": workers}) == []


@pytest.mark.parametrize(("ended", "right"), [("20:00:09", True), ("20:00:11", False), ("19:59:59", False)])
def test_a_run_lasted_no_longer_than_its_coordinator_was_there(ended: str, right: bool) -> None:
    summary = {"started_at": "2026-11-24T20:00:00.000+00:00", "ended_at": f"2026-11-24T{ended}.000+00:00"}

    assert (misdated(summary, 10) == []) is right


def test_a_journal_that_tells_another_story_is_told() -> None:
    whole = dict.fromkeys(("verdict", "exit_code", "reasons", "planned", "established_peak"), 1) | SUMMARY

    assert differences(whole, whole) == []
    assert differences(whole, {**whole, "closed": 4}) == ["closed is 5 in the summary, and 4 in the journal"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"ended_seconds": None}, "was not over 15.0 s after the strike"),
        ({"ended_seconds": 15.1}, "was over only 15.1 s after the strike, and had 15.0 s"),
        ({"noticed_seconds": None}, "nobody noticed"),
        ({"noticed_seconds": None, "fault_seconds": 4.9}, ""),
        ({"noticed_seconds": 5.1}, "was noticed only after 5.1 s"),
        ({"exit_code": -11}, "the coordinator ended with -11"),
        ({"journal": "none"}, "the verdict was 'degraded', and the journal says 'none'"),
        ({"troubled": "no nft"}, "could not be tried: no nft"),
    ],
)
def test_what_is_wrong_with_a_cell_is_told(change: dict[str, Any], told: str) -> None:
    good = Observation("worker control", "SIGKILL", "hold", 5, noticed_seconds=1, ended_seconds=9, allowed_seconds=15)
    good.verdict, good.exit_code, good.journal = "degraded", 4, "degraded"

    assert complaints(replace(good, **change)) == ([told] if told else [])


def test_the_page_keeps_what_stands_around_its_table() -> None:
    tried: list[Cell] = cells()
    page = written(f"before\n{BEGIN}\nwhat was there\n{END}\nafter\n", tried, {})

    assert page.startswith(f"before\n{BEGIN}\n")
    assert page.endswith(f"\n{END}\nafter\n")
    assert "what was there" not in page
    assert page.count("\n| ") == len(tried) + 1
    with pytest.raises(ValueError, match="has no lines"):
        written("nothing", tried, {})


def test_sockets_are_read_with_their_owners() -> None:
    text = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0200D20A:1C20 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2711 1 0000000000000000 100 0 0 10 0
   1: 0200D30A:4E20 0300D30A:0400 04 00000000:00000000 01:00000018 00000000     0        0 0 2 0000000000000000
"""

    found = parse_sockets(text)

    assert [(each.port, each.state, each.inode) for each in found] == [(7200, "LISTEN", 2711), (20_000, "FIN_WAIT1", 0)]
