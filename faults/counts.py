"""Whether the counts of a summary add up: a sentence for each that does not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

SAME = ("verdict", "exit_code", "reasons", "planned", "attempted", "failed", "dropped", "closed", "established_peak", "workers")


def unexplained(summary: Mapping[str, Any]) -> list[str]:
    """What a lost worker's connections came to nobody knows; all others were closed, dropped, or never came to be."""
    told = []
    ends = summary["closed"] + sum(summary["failed"].values()) + sum(summary["dropped"].values())
    lost = [worker["node"] for worker in summary["workers"] if worker["lost"]]
    if ends > summary["attempted"]:
        told.append(f"{summary['attempted']:,} connections were attempted, and {ends:,} ended")
    if ends < summary["attempted"] and not lost:
        told.append(f"{summary['attempted']:,} connections were attempted, no worker was lost, and {ends:,} ended")
    held = [worker["established_at_hold_end"] for worker in summary["workers"]]
    if summary["established_at_hold_end"] is not None and summary["established_at_hold_end"] != sum(each or 0 for each in held):
        told.append(f"{summary['established_at_hold_end']:,} were established at the end of the hold, by worker {held}")
    compared = summary["reconciliation"]
    if compared and compared["unexplained"] and not summary["reasons"]:
        told.append(f"{compared['unexplained']:,} connections are unexplained, and nothing is said about it")
    return told


def misdated(summary: Mapping[str, Any], seconds: float) -> list[str]:
    """``seconds``: that the coordinators of the run were there, by a clock that nothing happened to."""
    began, ended = (datetime.fromisoformat(summary[name]) for name in ("started_at", "ended_at"))
    lasted = (ended - began).total_seconds()
    return [] if 0 <= lasted <= seconds else [f"by its summary the run lasted {lasted:.1f} s, and it was {seconds:.1f} s"]


def differences(summary: Mapping[str, Any], shown: Mapping[str, Any]) -> list[str]:
    """Between what a run's summary says and what its journal does."""
    return [
        f"{name} is {summary[name]!r} in the summary, and {shown.get(name)!r} in the journal"
        for name in SAME
        if summary[name] != shown.get(name)
    ]
