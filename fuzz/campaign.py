"""One target and many inputs: from its corpus, from its seeds changed, and made anew; bounded in time and memory.

An input that crashes the interpreter itself would take the campaign with it. So a campaign runs in a process of its own, and
says what it is about to try in memory that it shares with whoever started it.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

from chance import mutated
from fuzzed import Target

CORPUS = Path(__file__).parent / "corpus"
HANG_SECONDS = 10  # of CPU, not of the clock: the machine may be busy
ROOM_BYTES = 1 << 30  # of address space beyond what the interpreter has
LONGEST_INPUT = 8192
MOST_KEPT = 25  # files of a target's corpus, but for those that found something
FOUND = "found-"  # how the names of those begin


class Hang(BaseException):
    """An input took longer than HANG_SECONDS of CPU. No Exception, lest a target take it for a refusal."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``defect`` is the traceback, empty for none; ``data`` the input that found it."""

    inputs: int
    seconds: float
    defect: str = ""
    data: bytes = b""


def corpus_of(target: Target, corpus: Path = CORPUS) -> list[Path]:
    return sorted((corpus / target.name).glob("*"))


def inputs(target: Target, chance: Random, kept: list[bytes]) -> Iterator[bytes]:
    """For ever; ``kept`` may grow meanwhile."""
    yield from list(kept)
    yield from target.seeds
    while True:
        known = kept or target.seeds
        if chance.random() < 0.5 or not known:
            yield target.make(chance)[:LONGEST_INPUT]
        else:
            yield mutated(chance.choice(known), chance, chance.choice(known))[:LONGEST_INPUT]


def run(target: Target, seed: int, most: int, seconds: float, corpus: Path | None, told: mmap.mmap | None = None) -> Outcome:
    """Up to ``most`` inputs or ``seconds``, or until one is a defect. What is new goes into the ``corpus``, if there is one."""
    paths = corpus_of(target, corpus) if corpus else []
    kept = [path.read_bytes() for path in paths]
    words = set()
    begun = time.monotonic()
    count = 0
    for data in inputs(target, Random(f"{target.name} {seed}"), kept):
        if count >= most or time.monotonic() - begun > seconds:
            break
        if told is not None:
            told.seek(0)
            told.write(len(data).to_bytes(4) + data)
        try:
            with patience():
                word = target.check(data)
        except (Exception, Hang):
            return Outcome(count + 1, time.monotonic() - begun, traceback.format_exc(), data)
        count += 1
        if word not in words:
            words.add(word)
            if corpus and data not in kept and len(kept) < MOST_KEPT:
                kept.append(data)
                keep(target, data, corpus)
    return Outcome(count, time.monotonic() - begun)


def keep(target: Target, data: bytes, corpus: Path, prefix: str = "") -> Path:
    path = corpus / target.name / f"{prefix}{hashlib.sha256(data).hexdigest()[:12]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@contextmanager
def patience() -> Iterator[None]:
    """Raises Hang in the middle of what takes too long."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {HANG_SECONDS} s of CPU for one input")

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def apart(target: Target, seed: int, most: int, seconds: float, corpus: Path) -> Outcome:
    """``run`` in a process of its own, whose death is a defect as well. An input that is one goes into the corpus."""
    told = mmap.mmap(-1, LONGEST_INPUT + 4)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        limit_memory()
        outcome = run(target, seed, most, seconds, corpus, told)
        with os.fdopen(writing, "w") as pipe:
            pipe.write(f"{outcome.inputs} {outcome.seconds} {outcome.defect}")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    data = told[4 : 4 + int.from_bytes(told[:4])]
    if status or not answer:
        code = os.waitstatus_to_exitcode(status)
        outcome = Outcome(0, 0.0, f"the interpreter ended with {code}: a signal, if it is negative", data)
    else:
        count, took, defect = answer.split(" ", 2)
        outcome = Outcome(int(count), float(took), defect, data if defect else b"")
    if outcome.defect:
        keep(target, outcome.data, corpus, FOUND)
    return outcome


def limit_memory() -> None:
    """What asks for more gets a MemoryError, which no target takes for a refusal."""
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * mmap.PAGESIZE + ROOM_BYTES, resource.RLIM_INFINITY))
    sys.setrecursionlimit(1000)
