"""Observations in a file, a line each: more may be added at any time, and of one cell the newest counts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from observation import Observation


def read(path: Path) -> dict[str, Observation]:
    """By the names of their cells."""
    lines = path.read_text().splitlines() if path.exists() else []
    seen = [Observation(**json.loads(line)) for line in lines]
    return {each.name: each for each in seen}


def add(path: Path, seen: Observation) -> None:
    with path.open("a") as file:
        file.write(json.dumps(asdict(seen)) + "\n")
