"""Whole runs over simulated nodes: what each comes to, in virtual time."""

from __future__ import annotations

from simulated import play


def test_a_run_that_passes() -> None:
    ran = play()

    assert (ran.verdict, ran.reasons) == ("passed", "")
    assert ran.summary["established_at_hold_end"] == 100
    assert ran.view.steps == ["opening", "holding", "closing"]
