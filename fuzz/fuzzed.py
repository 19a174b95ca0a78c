"""What a fuzzing target is: how its inputs are made, and what must be true of each of them, whatever it holds.

``check`` gives a word for what became of an input: the value that it makes, or where it was refused. Of inputs with the same
word one is kept in the corpus. It raises what only a defect raises.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # where files cost no disk
LONGEST_SENTENCE = 20_000  # characters of a refusal, however long the input


@dataclass(frozen=True, slots=True)
class Target:
    """``make`` makes an input anew; ``seeds`` are some that are right, from which others are made by changing them."""

    name: str
    seeds: Sequence[bytes]
    make: Callable[[Random], bytes]
    check: Callable[[bytes], str]


def room() -> Path:
    """A directory for files that are tried, until this process ends."""
    made = tempfile.mkdtemp(prefix="c1m-fuzz-", dir=MEMORY)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def tried(parse: Callable[..., object], *words: object, refusals: tuple[type[Exception], ...] = (ValueError,)) -> str:
    """What became of it: the name of the value's class, or the place that refused it. A refusal is a sentence, hence a line."""
    try:
        return type(parse(*words)).__name__
    except refusals as refusal:
        sentence = str(refusal)
        if not sentence or len(sentence) > LONGEST_SENTENCE:
            raise AssertionError(f"a refusal of {len(sentence):,} characters is no sentence") from refusal
        last = traceback.extract_tb(refusal.__traceback__)[-1]
        return f"{last.name}:{last.lineno}"


def each(parsers: Sequence[Callable[[str], object]], text: str) -> str:
    """The same text for several languages."""
    return " ".join(tried(parse, text) for parse in parsers)
