"""Reports what keeps an asyncio loop from running: ``python loop_watchdog.py REPORT MODULE [WORD ...]`` runs a module under it.

A callback blocks if it takes more than MOST_SECONDS of this thread's CPU time: wall time would count a busy machine as well.
REPORT gets a JSON list of such callbacks, the longest first: its CPU seconds, and the stack that was seen most often while it
ran.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

MOST_SECONDS = 0.05
LOOK_SECONDS = 0.01
DEPTH = 12  # frames of a stack that are kept


class Watchdog:
    """The callbacks of the main thread's loop that blocked it."""

    def __init__(self) -> None:
        self.blocked: list[tuple[float, str, str]] = []  # CPU seconds, stack, callback
        self.running = 0  # number of the callback that runs now; 0: none
        self.seen: Counter[str] = Counter()  # stacks of that callback
        self.main = threading.main_thread().ident

    def install(self) -> None:
        """Time every callback of every loop from now on, and look at the main thread from another one."""
        run = asyncio.events.Handle._run

        def timed(handle: asyncio.events.Handle) -> None:
            self.running += 1
            self.seen = Counter()
            began = time.thread_time()
            run(handle)
            if (took := time.thread_time() - began) > MOST_SECONDS and threading.get_ident() == self.main:
                stack = self.seen.most_common(1)
                self.blocked.append((took, stack[0][0] if stack else "", repr(handle)[:200]))

        setattr(asyncio.events.Handle, "_run", timed)  # noqa: B010 - mypy takes the parameter's name for part of its type
        threading.Thread(target=self.look, daemon=True).start()

    def look(self) -> None:
        """Keep looking at the stack of the main thread."""
        while True:
            time.sleep(LOOK_SECONDS)
            if self.main is not None and (frame := sys._current_frames().get(self.main)):
                lines = reversed(traceback.extract_stack(frame)[-DEPTH:])
                self.seen[" < ".join(f"{line.name} ({Path(line.filename).name}:{line.lineno})" for line in lines)] += 1

    def report(self) -> str:
        """Return the blocking callbacks as JSON, the longest first."""
        found = [
            {"seconds": round(took, 3), "stack": stack, "callback": name}
            for took, stack, name in sorted(self.blocked, reverse=True)
        ]
        return json.dumps(found, indent=1)


def main() -> None:
    report, module, *words = sys.argv[1:]
    watchdog = Watchdog()
    watchdog.install()
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__")
    finally:
        Path(report).write_text(watchdog.report(), encoding="utf-8")


if __name__ == "__main__":
    main()
