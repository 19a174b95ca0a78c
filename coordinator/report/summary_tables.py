"""The summary for people: a table of the results, one of the nodes, and the verdict with its reasons."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from c1m.coordinator.ledger.latency_kinds import CONNECT, FIRST_BYTE, HEARTBEAT, LABELS, prefix, shown
from c1m.coordinator.results.slow_sources import count_name, slowest_name
from c1m.coordinator.spec.metrics import Figure
from c1m.text.units import format_bytes, format_duration, format_rate

from .format import count, counts, duration, percentiles
from .memory_tables import memory_of_nodes
from .timeline_chart import curves

COLOURS = {
    "passed": "green",
    "failed": "red",
    "refused": "yellow",
    "degraded": "yellow",
    "interrupted": "yellow",
    "incomplete": "yellow",
}

MOST_SOURCES = 4  # in one row; the summary as JSON has more


def print_report(summary: dict[str, Any], console: Console) -> None:
    """Print the report of a finished run, made from its JSON summary, on the console. Returns nothing."""
    console.print(Group(*parts(summary, console)))


def parts(summary: dict[str, Any], console: Console) -> list[RenderableType]:
    """Return all texts, tables and charts of the report on a run, in the order in which they are printed."""
    return [
        *([] if summary["verdict"] == "refused" else measured(summary, console)),  # a refused run has measured nothing
        verdict_line(summary),
        *(f"  - {escape(reason)}" for reason in [*summary["reasons"], *journal_notice(summary)]),
        *(f"  note: {escape(note)}" for note in summary["notes"]),
    ]


def measured(summary: dict[str, Any], console: Console) -> list[RenderableType]:
    """Return the tables and the chart of what a run measured."""
    shown: list[RenderableType] = [figures(summary)]
    if summary["workers"]:
        shown.append(nodes(summary))
    return [*shown, *picture(summary["timeline"], console), *memory_of_nodes(summary), ""]


def journal_notice(summary: dict[str, Any]) -> list[str]:
    """Return a sentence if the journal of the run ends before the run did, unless the summary's reasons include it already."""
    kept = summary["journal"]
    if kept is None or kept["complete"] or kept["reason"] in summary["reasons"]:
        return []
    return [f"c1m-coord show has the run until {kept['ends_at'] or 'its beginning'} only: {kept['reason']}"]


def figures(summary: dict[str, Any]) -> Table:
    """Return the table of a run's results, one labelled row for each."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in rows(summary):
        table.add_row(name, escape(value))
    return table


def rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the results of a run as pairs of label and text, in the order in which people ask for them."""
    found = summary["reconciliation"]
    target = summary["target"] or {}
    result = [
        ("run", summary["run_id"]),
        *(("taken over", takeover(each)) for each in summary["takeovers"]),
        ("planned", count(summary["planned"])),
        (
            "established",
            f"{count(summary['established_peak'])}, at the end of the hold {count(summary['established_at_hold_end'])}",
        ),
        *(("lost", loss) for loss in losses(summary)),
        *turnover(summary),
        ("failed", counts(summary["failed"])),
        *troubled(summary),
        ("dropped", counts(summary["dropped"])),
        ("busy ports skipped", count(summary["skipped_ports"])),
        ("opened in", ramp(summary)),
        *([("stages", stages(summary))] if followed(summary) else []),
        ("closed in", duration(summary["teardown_seconds"])),
        ("connect latency", percentiles(summary["connect_latency_us"])),
    ]
    if summary["spec"]["rate_per_second"] or summary["spec"]["ramp_seconds"] or followed(summary):
        # Without a pace a connect is due when it is called, so this would be the same.
        result.append(("... from when due", percentiles(summary["connect_latency_from_due_us"])))
    result += by_source(summary["sources"], CONNECT)
    if beats := summary["heartbeats"]:
        result += [("heartbeats", heartbeats(beats)), ("heartbeat RTT", percentiles(summary["heartbeat_rtt_us"]))]
        result += by_source(summary["sources"], HEARTBEAT)
    if probing := summary["keepalive"]:
        result.append(("keepalive", f"{count(probing['probes_sent'])} probes, {probing['timed_out']:,} connections timed out"))
    if pushed := summary["pushes"]:
        both = f"{pushed['sent']:,} sent by the target, {pushed['received']:,} received by the clients"
        result.append(("pushes", both + (f", {pushed['held_back']:,} held back" if pushed["held_back"] else "")))
    if summary["bytes_sent"] or summary["bytes_received"]:
        both = f"{count(summary['bytes_sent'])} sent by the clients, {count(summary['bytes_received'])} received"
        result.append(("bytes", both))
    if summary["first_byte_us"]["count"] and not beats:
        result.append(("first byte", percentiles(summary["first_byte_us"])))
        result += by_source(summary["sources"], FIRST_BYTE)
    if summary["alive_after_us"]["count"]:
        result.append(("dropped at age", percentiles(summary["alive_after_us"])))
    if steps := [
        f"{number:,} {name.replace('_seconds', ' s or more').replace('_', ' ')}"
        for name, number in summary["syn_retransmissions"].items()
        if number
    ]:
        result.append(("SYNs sent again", ", ".join(steps)))
    result.append(("accepted", count(target.get("accepted"))))
    if (delay := target.get("accept_delay_us")) and delay["count"]:
        result.append(("accept delay", f"{percentiles(delay)} (the longest of each batch)"))
    if found:
        counted = (
            f"clients {count(found['client_established'])}, their kernels {count(found['client_kernel_established'])}; "
            f"acceptors {count(found['target_open'])}, their kernel {count(found['kernel_established'])}"
        )
        result += [("counted", counted), ("reconciled", "; ".join(found["explanation"]))]
    return result + [("required", required(judgement)) for judgement in summary["criteria"]]


def takeover(found: dict[str, Any]) -> str:
    """Return a text that says when another coordinator took the run over, and for which time there are no samples."""
    begin, end = duration(found["silent_from_seconds"]), duration(found["silent_to_seconds"])
    return f"at {found['at']}; no samples from {begin} to {end} after the start"


def required(judgement: dict[str, Any]) -> str:
    """Return a text on one requirement of the user: the criterion, whether it was met, and the value that decided."""
    value = judgement["value"]
    shown = "unknown" if value is None else Figure(tuple(judgement["figure"].split("."))).format(value)
    return f"{judgement['criterion']}: {'met' if judgement['met'] else 'not met'}, {shown}"


def followed(summary: dict[str, Any]) -> bool:
    """Return True if the run followed stages, given at the start or by a retarget."""
    return bool(summary["spec"]["stage"] or summary["retargets"])


def stages(summary: dict[str, Any]) -> str:
    """Return a text that lists each stage of the run and when it was reached."""
    return ", ".join(
        f"{stage['total']:,} "
        + ("not reached" if stage["reached_seconds"] is None else f"at {duration(stage['reached_seconds'])}")
        for stage in summary["stages"]
    )


def losses(summary: dict[str, Any]) -> list[str]:
    """Return a text for each lost node: when it was lost, its share, and which workers took the share over."""
    return [
        f"{loss['node']}, {'before the start' if loss['at_seconds'] is None else 'after ' + duration(loss['at_seconds'])}"
        + ("" if loss["share"] is None else f", with a share of {count(loss['share'])}")
        + "".join(f", {count(taken)} of it taken over by {name}" for name, taken in loss["taken_by"].items())
        for loss in summary["losses"]
    ]


def troubled(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a row (label, text) that names the source addresses with slow or failed handshakes.

    The list is empty if there are none.
    """
    found = [item for worker in summary["workers"] for item in worker["troubled_sources"].items()]
    named = [f"{source} ({had['slow']:,} slow, {had['failed']:,} failed)" for source, had in found]
    return (
        [("slow or failed", ", ".join(named[:MOST_SOURCES]) + (", ..." if len(named) > MOST_SOURCES else ""))] if named else []
    )


def by_source(sources: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    """Return rows (label, text) on how the p99 of one kind of latency differs between source addresses, and the slowest ones.

    The list is empty if there are fewer than two source addresses.
    """
    spread = sources[f"{prefix(kind)}_p99_us"]
    if spread["count"] < 2:
        return []
    low, middle, high = (format_duration(spread[name] / 1e6) for name in ("min", "p50", "max"))
    spread_row = [("... by source", f"p99 of {spread['count']:,} from {low} to {high}, median {middle}")]
    slowest = [source for source in sources[slowest_name(kind)] if source["established"]][:MOST_SOURCES]
    if low == high and all(source[count_name(kind)] for source in slowest):
        return spread_row
    of_nodes = len({source["node"] for source in sources[slowest_name(kind)]}) > 1
    named = [source_text(source, kind) + (f" on {source['node']}" if of_nodes else "") for source in slowest]
    return [*spread_row, ("slowest sources", ", ".join(named))]


def source_text(source: dict[str, Any], kind: str) -> str:
    """Return a text with a source address and its p99 of one kind of latency."""
    p99_us, measured = source[f"{prefix(kind)}_p99_us"], source[count_name(kind)]
    if p99_us is None:
        return f"{source['source']} (nothing over {source['established']:,} connections)"
    failed = f", {source['failed']:,} failed" if source["failed"] and kind == CONNECT else ""
    return f"{source['source']} (p99 {format_duration(p99_us / 1e6)} of {measured:,}{failed})"


def nodes(summary: dict[str, Any]) -> Table:
    """Return the table of a run's nodes: connections, processes, memory and CPU.

    If there are several workers, it also has the latencies of each.
    """
    workers = summary["workers"]
    kinds = shown([kind for kind in LABELS if summary[kind]["count"]]) if len(workers) > 1 else []
    table = Table(box=None, pad_edge=False, header_style="dim")
    latencies = (f"{LABELS[kind]} p99" for kind in kinds)
    for column in ("node", "planned", "held", "shards", "user memory", "a connection", "CPU", *latencies):
        table.add_column(column, justify="left" if column == "node" else "right")
    table.columns[0].overflow = "fold"  # the ends of names distinguish them
    for worker in workers:
        row = node_row(worker, worker["planned"], worker["established_at_hold_end"], worker["shards"])
        table.add_row(*row, *(p99(worker[kind]) for kind in kinds))
    if target := summary["target"]:
        table.add_row(*node_row(target, summary["planned"], server_held(target), target["acceptors"]))
    return table


def server_held(target: dict[str, Any]) -> int | None:
    """Return how many connections the server held at the end of the hold; None if unknown.

    Its acceptors count them; for a server that is not c1m's, its kernel does.
    """
    held: int | None = target["open_at_hold_end"]
    return target["kernel"]["established_at_hold_end"] if held is None and not target["acceptors"] else held


def node_row(node: dict[str, Any], planned: int | None, held: int | None, processes: int | None) -> list[str]:
    """Return the texts of a node's row in the table of nodes, without latencies."""
    per_connection = node["pss_bytes_per_connection"]
    return [
        escape(node["node"]) + (" [red]lost[/red]" if node["lost"] else ""),
        count(planned),
        count(held),
        count(processes),
        format_bytes(node["pss_bytes"]) if node["pss_bytes"] is not None else "unknown",
        f"{per_connection:,.0f} B" if per_connection is not None else "unknown",
        duration(node["cpu_seconds"]),
    ]


def p99(figures_us: dict[str, int]) -> str:
    """Return the p99 of a latency as text; empty if none was measured."""
    return format_duration(figures_us["p99"] / 1e6) if figures_us["count"] else ""


def picture(timeline: dict[str, Any] | None, console: Console) -> list[RenderableType]:
    """Return the chart of the run over time, as wide as the console; an empty list if there is nothing to draw."""
    lines = curves(timeline, console.width, ascii_only=console.options.ascii_only)
    return ["", Text("\n".join(lines), no_wrap=True)] if lines else []


def verdict_line(summary: dict[str, Any]) -> str:
    """Return the verdict of the run in its colour, with the exit code, as a line of markup."""
    colour = COLOURS[summary["verdict"]]
    return f"[bold {colour}]{summary['verdict']}[/bold {colour}] (exit code {summary['exit_code']})"


def ramp(summary: dict[str, Any]) -> str:
    """Return a text on how long opening the connections took, and how many were opened per second."""
    if summary["ramp_seconds"] is None:
        return "unknown"
    return f"{format_duration(summary['ramp_seconds'])}, {format_rate(summary['connections_per_second'])}"


def heartbeats(found: dict[str, int | None]) -> str:
    """Return a text on how many heartbeats were sent and answered, and how many went wrong in each way."""
    if found["answered"] is None:
        return f"{count(found['sent'])} sent; clients do not wait for answers"
    parts = [f"{count(found['sent'])} sent", f"{count(found['answered'])} answered"]
    parts += [
        f"{number:,} {name.replace('_', ' ')}" for name, number in found.items() if number and name not in ("sent", "answered")
    ]
    return ", ".join(parts)


def turnover(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return rows (label, text) on replaced, reopened, away and half-closed connections and on storms.

    What did not occur in the run is left out.
    """
    result = []
    if summary["replaced"] or summary["spec"]["lifetime"]:
        result.append(("replaced", count(summary["replaced"])))
    if (result or summary["spec"]["reopen"]) and (off := summary["widest_off_schedule_through_hold"]) is not None:
        result.append(("off schedule", f"at most {count(off)} in the hold, those in flight among them"))
    if summary["spec"]["reopen"]:
        result.append(("reopened", f"{count(summary['reopened'])}, still waiting {count(summary['waiting_at_hold_end'])}"))
    if summary["away_at_hold_end"]:
        result.append(("away", f"{count(summary['away_at_hold_end'])} at the end of the hold"))
    if summary["half_closed_at_hold_end"]:
        result.append(
            ("half closed", f"{count(summary['half_closed_at_hold_end'])} stayed when the server had closed its side")
        )
    if summary["half_closed_after_us"]["count"]:
        result.append(("half closed at age", percentiles(summary["half_closed_after_us"])))
    return result + [
        (f"storm at {format_duration(storm['at_seconds'])}", storm_text(storm)) for storm in summary["storms"] or ()
    ]


def storm_text(storm: dict[str, Any]) -> str:
    """Return a text on the connections that left in a storm: how many came back, how soon, and what hindered them."""
    dropped, returned, forgone, recovery = (storm[name] for name in ("dropped", "returned", "forgone", "recovery_seconds"))
    parts = [f"{count(dropped)} left, {count(returned)} came back"]
    if forgone:
        parts.append(f"{count(forgone)} were not asked for any more, since the schedule fell")
    if recovery is not None:
        parts.append(f"all were there after {format_duration(recovery)}")
    elif returned + forgone < dropped:
        parts.append("not all came back")
    if storm["slowest_connect_us"] is not None:
        parts.append(f"slowest connect {format_duration(storm['slowest_connect_us'] / 1e6)}")
    queues = storm["accept_queues"]
    if queues:
        parts += [f"{events:,} {name}" for name, events in queues.items() if events] or ["accept queues never full"]
    return ", ".join(parts)
