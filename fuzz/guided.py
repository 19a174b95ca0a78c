"""A campaign whose inputs are chosen by what they cover, by atheris: slower for each input, better over hours."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

from campaign import CORPUS, FOUND, HANG_SECONDS, LONGEST_INPUT, ROOM_BYTES
from fuzzed import Target


def guided(target: Target, seconds: float) -> int:
    """Never returns: libFuzzer ends the process. What it covers goes beside the corpus, and what it finds into it."""
    atheris.instrument_all()
    covered = Path(tempfile.gettempdir(), f"c1m-fuzz-{target.name}")
    covered.mkdir(exist_ok=True)
    bounds = {
        "max_total_time": int(seconds),
        "max_len": LONGEST_INPUT,
        "timeout": HANG_SECONDS,
        "rss_limit_mb": ROOM_BYTES >> 19,
        "artifact_prefix": f"{CORPUS / target.name / FOUND}",
    }
    words = [sys.argv[0], *(f"-{name}={value}" for name, value in bounds.items()), str(covered), str(CORPUS / target.name)]
    atheris.Setup(words, lambda data: target.check(data) and None)
    atheris.Fuzz()
    return 0
