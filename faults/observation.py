"""What was seen of one cell, as it is kept: a line of JSON."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Observation:
    victim: str
    fault: str
    moment: str
    lease_seconds: float
    fault_seconds: float | None = None  # that it lasted; None: to the end
    on_loss: str = ""  # as the run was told; empty: as it does by default
    troubled: str = ""  # why the cell could not be tried
    noticed_seconds: float | None = None  # from the strike to the first line that tells of it
    noticed: str = ""  # that line
    verdict: str = ""
    exit_code: int | None = None  # of the coordinator; None: it never ended by itself
    reasons: list[str] = field(default_factory=list)
    ended_seconds: float | None = None  # from the strike until nothing of the run was left; None: it never was
    allowed_seconds: float = 0.0  # for that
    left: list[str] = field(default_factory=list)  # behind: processes, sockets, files, nodes that are busy
    orphans: int = 0  # connections of no process that the kernel was still trying to end
    journal: str = ""  # the verdict that c1m-coord show finds, or why it finds none
    unexplained: list[str] = field(default_factory=list)  # counts that do not add up
    broken: list[str] = field(default_factory=list)  # tracebacks, and programs that did not leave in order

    @property
    def name(self) -> str:
        return f"{self.victim}, {self.fault}, {self.moment}"
