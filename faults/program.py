"""A program under test: a session of processes, and what it says, each line with the moment at which it came."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from patience import eventually

LEAVE_SECONDS = 15.0


class Line(NamedTuple):
    at: float  # monotonic
    text: str


class Program:
    """Its children are found by the session that it leads, which they cannot leave by losing their parent."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], stdout: int = subprocess.PIPE
    ) -> None:
        self.name = name
        self.folder = folder
        self.lines: list[Line] = []
        self.idle: frozenset[int] = frozenset()  # its processes when it has nothing to do
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT if stdout == subprocess.PIPE else subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        output = self.process.stdout or self.process.stderr
        assert output is not None
        self.output = output
        self.ended_at = 0.0  # monotonic; 0: it has not
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        for text in self.output:
            self.lines.append(Line(time.monotonic(), text.rstrip("\n")))

    def said(self, wanted: Callable[[str], bool], after: float = 0.0) -> Line | None:
        """The first such line."""
        return next((line for line in self.lines if line.at >= after and wanted(line.text)), None)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> bool:
        if self.process.poll() is not None and not self.ended_at:
            self.ended_at = time.monotonic()
        return bool(self.ended_at)

    def members(self) -> dict[int, str]:
        """pid -> name of every process of it."""
        return {pid: name for pid, (name, session) in processes().items() if session == self.pid}

    def is_free(self) -> bool:
        """Nothing of it runs that did not when it had nothing to do; of one that has ended, nothing at all."""
        return set(self.members()) <= (set() if self.ended() else self.idle)

    def leave(self) -> int | None:
        """Its exit code when it is told to leave; None: it did not, and was killed, with whatever was left of it."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        left = eventually(self.ended, LEAVE_SECONDS)
        self.kill()
        return self.process.returncode if left else None

    def kill(self) -> None:
        """All of it, stopped or not."""
        while there := self.members():
            for pid in there:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()
        self.reader.join()  # whoever had the other end of the pipe is gone
        self.output.close()


def processes() -> dict[int, tuple[str, int]]:
    """pid -> name and session of all that run; a zombie does not."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/stat") as stat:
                before, _, after = stat.read().rpartition(")")
                state, _, _, session = after.split()[:4]
                if state != "Z":
                    found[int(entry)] = (before.partition("(")[2], int(session))
    return found
