"""What is wrong with what was seen of a cell, a sentence each. Pure."""

from __future__ import annotations

from observation import Observation

NOTICED_WITHIN_SECONDS = 5.0

# A node whose control is gone has to be noticed while connections are opened and held; before and after, calls to it fail.
GONE = ("SIGKILL", "SIGSTOP", "link cut", "blackhole")
NODES = ("worker control", "target control", "worker machine", "target machine")
CODES = (0, 1, 3, 4)  # of a coordinator that nothing happened to


def complaints(seen: Observation) -> list[str]:
    if seen.troubled:
        return [f"could not be tried: {seen.troubled}"]
    told = [*seen.left, *seen.unexplained, *seen.broken]
    if seen.ended_seconds is None:
        told.append(f"was not over {seen.allowed_seconds:.1f} s after the strike")
    elif seen.ended_seconds > seen.allowed_seconds:
        told.append(f"was over only {seen.ended_seconds:.1f} s after the strike, and had {seen.allowed_seconds:.1f} s")
    told += noticing(seen)
    told += judging(seen)
    return told


def noticing(seen: Observation) -> list[str]:
    if seen.victim not in NODES or seen.fault not in GONE or seen.moment not in ("ramp", "hold"):
        return []
    if seen.fault_seconds is not None and seen.fault_seconds < NOTICED_WITHIN_SECONDS:
        return []  # it was over before anybody had to notice
    if seen.noticed_seconds is None:
        return ["nobody noticed"]
    if seen.noticed_seconds > NOTICED_WITHIN_SECONDS:
        return [f"was noticed only after {seen.noticed_seconds:.1f} s"]
    return []


def judging(seen: Observation) -> list[str]:
    if seen.victim == "coordinator" and seen.fault == "SIGKILL":
        return [] if seen.journal in ("incomplete", "none") else [f"the journal of the killed coordinator is {seen.journal!r}"]
    told = []
    if seen.fault == "SIGKILL, attach" and seen.moment != "prepare" and seen.exit_code != 0:
        told.append(f"was taken over, and ended with {seen.exit_code}: {'; '.join(seen.reasons)}")
    if seen.exit_code not in CODES:
        told.append(f"the coordinator ended with {seen.exit_code}")
    journals = {seen.verdict or "none"}  # a run that never was leaves none
    if seen.fault == "disk full":
        journals |= {"incomplete", "none"}
    if seen.journal not in journals:
        told.append(f"the verdict was {seen.verdict!r}, and the journal says {seen.journal!r}")
    return told
