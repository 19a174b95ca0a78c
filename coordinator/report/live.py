"""The view of a running run: on a terminal a table that is redrawn, otherwise a line every LINE_SECONDS."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.latency_kinds import LABELS, shown
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.ledger.timeline import Timeline
from c1m.measure.latency import percentile
from c1m.measure.source_latency import slowest_of_each_kind
from c1m.text.units import format_duration, format_rate

from .doing_words import WORDS
from .live_status import status
from .timeline_chart import curves

LINE_SECONDS = 2.0  # between two lines without a terminal
PICTURE_SHARE = 0.05  # of the coordinator's time: 600 rows of ten hosts take 0.1 s to draw
RATE_SECONDS = 1.0  # the least time over which a rate is computed


class Rates:
    """Computes how many connections were opened per second, for each name, over at least RATE_SECONDS."""

    def __init__(self) -> None:
        self.looks: dict[str, tuple[float, int]] = {}
        self.rates: dict[str, float] = {}

    def look(self, name: str, opened: int, now: float) -> float:
        """Return the newest rate of openings per second for ``name``; 0 before there is one.

        ``opened`` is the count of connections opened so far, at the time ``now``.
        """
        then, before = self.looks.setdefault(name, (now, opened))
        if now - then >= RATE_SECONDS:
            self.rates[name] = (opened - before) / (now - then)
            self.looks[name] = (now, opened)
        return self.rates.get(name, 0.0)


class WorkerSlowness:
    """Computes the p99 latency of each worker, and again only when new latencies have come: it can take 0.1 ms."""

    def __init__(self) -> None:
        self.looks: dict[tuple[str, str], tuple[Mapping[int, int], str]] = {}

    def look(self, entry: NodeRecord, kind: str) -> str:
        """Return a worker's p99 of one kind of latency as text; empty if none was measured."""
        counts = entry.histograms.get(kind, {})
        if not counts:
            return ""
        known, text = self.looks.get((entry.name, kind), ({}, ""))
        if counts is not known:
            text = format_duration(percentile(counts, 99) / 1e6)
            self.looks[entry.name, kind] = counts, text
        return text


class TimeLeft:
    """Estimates the time left in the present step of the run from its progress since the step was first seen.

    A resumed run begins midway in a step.
    """

    def __init__(self) -> None:
        self.doing: Doing | None = None
        self.began, self.first = 0.0, 0.0

    def is_new(self, doing: Doing, now: float, progress: float | None) -> bool:
        """Return True if the run has entered another step, and start the estimate for that step; else False."""
        if doing == self.doing:
            return False
        self.doing, self.began, self.first = doing, now, progress or 0.0
        return True

    def text(self, now: float, progress: float | None) -> str:
        """Return the estimated time left in the present step, as text; empty while it is unknown."""
        if progress is None or not self.first + 0.01 < progress < 1:
            return ""
        return f"{format_duration(round((now - self.began) / (progress - self.first) * (1 - progress)))} left"


def slowest_sources(ledger: Ledger) -> list[str]:
    """Return one line for each kind of latency that names the source address with the highest p99.

    The list is empty if there is only one source address.
    """
    slowest = slowest_of_each_kind(each for entry in ledger.workers for each in entry.slowest.values())
    if sum(len(entry.sources) for entry in ledger.workers) == len(slowest):
        return []
    return [
        f"slowest {LABELS[kind]}s from {slowest[kind].source} (p99 {format_duration(slowest[kind].p99_us / 1e6)})"
        for kind in shown(slowest)
    ]


def kinds_by_worker(ledger: Ledger) -> list[str]:
    """Return the kinds of latency to show for each worker in the live table; none if there is only one worker."""
    workers = ledger.workers
    return shown({kind for entry in workers for kind, counts in entry.histograms.items() if counts}) if len(workers) > 1 else []


class TimelinePicture:
    """The chart of a run's timeline so far.

    It is redrawn when the timeline has a new row, but takes at most PICTURE_SHARE of the time.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.next = 0.0
        self.drawn: tuple[float, int] | None = None  # newest row, width
        self.text = Text()

    def of(self, timeline: Timeline) -> Text:
        """Return the chart of the timeline as text, redrawn if there are new rows and enough time has passed."""
        wanted = (timeline.rows[-1][0], self.console.width) if timeline.rows else None
        began = time.monotonic()
        if wanted != self.drawn and began >= self.next:
            lines = curves(timeline.to_summary(), self.console.width, ascii_only=self.console.options.ascii_only)
            self.drawn, self.text = wanted, Text("\n".join(lines), no_wrap=True)
            self.next = time.monotonic() + (time.monotonic() - began) / PICTURE_SHARE
        return self.text


class Terminal:
    """Shows the progress of a run on a terminal, as a table that is redrawn in place."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.picture = TimelinePicture(live.console)
        self.rates = Rates()
        self.slownesses = WorkerSlowness()
        self.time_left = TimeLeft()

    def say(self, sentence: str) -> None:
        """Print a sentence above the table."""
        self.live.console.print(sentence, markup=False)

    def show(self, ledger: Ledger, doing: Doing, progress: float | None) -> None:
        """Redraw the table of nodes, the progress bar and the chart. Returns nothing.

        ``doing`` names the present step; its ``progress`` is 0 to 1; None: unknown.
        """
        now = time.monotonic()
        self.time_left.is_new(doing, now, progress)
        table = Table(box=None, pad_edge=False, header_style="dim")
        following, kinds = ledger.has_stages, kinds_by_worker(ledger)
        columns = ("node", "planned", *(["scheduled"] if following else []), "open", "rate", "in flight", "failed", "dropped")
        for column in (*columns, *(f"{LABELS[kind]} p99" for kind in kinds)):
            table.add_column(column, justify="left" if column == "node" else "right", overflow="fold")
        for entry in ledger.entries:
            table.add_row(*self.row(entry, now, kinds, following=following))
        bar = Table.grid(padding=(0, 1))
        left = self.time_left.text(now, progress)
        bar.add_row(f"[bold]{WORDS[doing]}[/bold]", "" if progress is None else ProgressBar(1.0, progress, 40), left)
        below = [Text(", ".join(parts)) for parts in (status(ledger), slowest_sources(ledger)) if parts]
        self.live.update(Group(table, bar, *below, self.picture.of(ledger.timeline)))

    def row(self, entry: NodeRecord, now: float, kinds: Sequence[str], *, following: bool) -> list[str]:
        """Return the texts of a node's row in the live table: counts, rate, and p99 of each kind of latency.

        ``following``: include the count that the schedule asks for, which only workers report.
        """
        tally = entry.sample.tally
        return [
            escape(entry.name) + (" [red]lost[/red]" if entry.lost else ""),
            f"{entry.planned:,}",
            *([count_or_blank(None if entry.lost else entry.sample.scheduled)] if following else []),
            f"was {tally.open:,}" if entry.lost else f"{tally.open:,}",
            "" if entry.lost else format_rate(self.rates.look(entry.name, tally.opened, now)),
            "" if entry.lost else f"{tally.in_flight:,}",
            f"{sum(tally.failed.values()):,}",
            f"{sum(tally.dropped.values()):,}",
            *(self.slownesses.look(entry, kind) for kind in kinds),
        ]


class Lines:
    """Shows the progress of a run without a terminal: one line when it enters another step, and one periodically."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.printed = 0.0  # the time of the newest line
        self.rates = Rates()
        self.time_left = TimeLeft()

    def say(self, sentence: str) -> None:
        """Print a sentence as a line of its own."""
        self.console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def show(self, ledger: Ledger, doing: Doing, progress: float | None) -> None:
        """Print a line on the progress of the run if one is due. Returns nothing.

        ``doing`` names the present step; its ``progress`` is 0 to 1; None: unknown.
        """
        now = time.monotonic()
        tally = ledger.tally
        rate = self.rates.look("all", tally.opened, now)
        if not self.time_left.is_new(doing, now, progress) and now - self.printed < LINE_SECONDS:
            return
        self.printed = now
        wanted = ledger.scheduled or 0 if ledger.has_stages else ledger.planned
        parts = [
            WORDS[doing] if progress is None else f"{WORDS[doing]} {progress:.0%}",
            f"{ledger.established:,} of {wanted:,} {'scheduled' if ledger.has_stages else 'established'}",
            f"{sum(tally.failed.values()):,} failed",
            f"{sum(tally.dropped.values()):,} dropped",
            f"{len(ledger.losses)} of {len(ledger.entries)} nodes lost" if ledger.losses else "",
            *status(ledger),
            format_rate(rate) if doing is Doing.OPENING else "",
            self.time_left.text(now, progress),
        ]
        self.say(", ".join(part for part in parts if part))


def count_or_blank(count: int | None) -> str:
    """Return a number as text with separators of thousands; an empty string for None."""
    return "" if count is None else f"{count:,}"


@contextmanager
def view(console: Console) -> Iterator[Terminal | Lines]:
    """Context manager that yields the display of a run's progress that suits stderr: a live table, or lines.

    A dumb terminal (TERM=dumb) cannot redraw in place, and gets lines.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(console)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield Terminal(live)
