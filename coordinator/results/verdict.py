"""The verdict on a run, and the reasons for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from c1m.coordinator.diagnosis.diagnosis import sentences
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.spec.requirements import Judgement
from c1m.measure.tally import Tally

from . import heartbeats as liveness
from . import storm_results
from .comparison import Comparison
from .outcome import Outcome
from .replacements import came_back, mended


@dataclass(frozen=True, slots=True)
class Verdict:
    name: str
    exit_code: int
    reasons: tuple[str, ...]  # what went wrong, and why
    notes: tuple[str, ...] = ()  # what a person should hear of all the same


def verdict(outcome: Outcome, required: Iterable[Judgement] = ()) -> Verdict:
    """The gravest thing that happened decides the exit code; every reason is kept.

    A cause is a reason where it had an effect. Where growth has stalled and gone on, and the run passed, it is a note.
    """
    ledger = outcome.ledger
    criteria = [*failed_criteria(outcome), *(judgement.reason for judgement in required if not judgement.met)]
    troubles = list(dict.fromkeys([*(ledger.troubles if ledger else []), *outcome.troubles]))
    causes = sentences([finding.cause for finding in outcome.diagnosis])  # they do not fail a run by themselves
    made_good = [loss.sentence() for loss in (ledger.losses.values() if ledger else ()) if loss.made_good]
    if ledger and came_back(ledger, outcome.hold_end):
        made_good += mended(ledger)
    elif ledger:
        troubles += mended(ledger)
    seen = [*causes, *outcome.limit_usages.sentences]
    reasons = tuple(dict.fromkeys([*troubles, *criteria, *made_good, *seen]))
    notes = ledger.any_of(lambda entry: entry.saturation.sentence) if ledger else []
    notes += liveness.notes(ledger.tally, outcome.spec.beating) if ledger else []
    if outcome.cut_off:
        return Verdict("incomplete", 5, tuple(dict.fromkeys((outcome.cut_off, *troubles, *causes))))
    if outcome.refusals:
        return Verdict("refused", 3, outcome.refusals)
    if outcome.interrupted:
        return Verdict("interrupted", 130, ("interrupted by the operator", *troubles, *causes))
    if troubles:
        return Verdict("degraded", 4, reasons, tuple(notes))
    if criteria:
        return Verdict("failed", 1, reasons, tuple(notes))
    return Verdict("passed", 0, tuple(made_good), tuple(dict.fromkeys([*seen, *notes])))


def failed_criteria(outcome: Outcome) -> list[str]:
    """Reached, held, and reconciled: what of it is not true, a sentence each."""
    ledger, hold_end = outcome.ledger, outcome.hold_end
    if ledger is None or hold_end is None:
        return ["the run ended before its hold did"]
    if outcome.spec.turnover:
        told = not_filled(ledger.wanted_at_end, hold_end, ledger.tally)
        told += storm_results.failures(outcome.spec.storm, ledger.waves)
    elif ledger.losses or any(entry.sample.replacements for entry in ledger.entries):
        # What was opened where nobody looks any more is not established, what a dead process had is opened again.
        told = not_filled(ledger.wanted_at_end, hold_end, ledger.tally)
    else:
        told = [*not_reached(ledger), *not_held(ledger, hold_end)]
    return [*told, *not_reconciled(outcome, hold_end), *not_alive(outcome, ledger)]


def not_reached(ledger: Ledger) -> list[str]:
    opened = ledger.tally.opened
    if opened >= ledger.due:
        return []
    return [f"{opened:,} of {ledger.due:,} connections were established; failed: {causes_of(ledger.tally.failed)}"]


def not_held(ledger: Ledger, hold_end: Comparison) -> list[str]:
    left_open = ledger.tally.opened - hold_end.closed
    if hold_end.established >= left_open:
        return []
    held = f"{hold_end.established:,} of {left_open:,} established connections were held to the end"
    said = f"; the server said: {ledger.heard}" if ledger.heard else ""
    return [f"{held}{stayed(hold_end)}; dropped: {causes_of(ledger.tally.dropped)}{said}"]


def not_reconciled(outcome: Outcome, hold_end: Comparison) -> list[str]:
    """At the end of the hold, wherever the schedule stood still before, and by a probe of what clients hold."""
    told = [] if hold_end.reconciliation.sound else list(hold_end.reconciliation.explanation)
    for rest, comparison in outcome.rests:
        if not comparison.reconciliation.sound:
            told += [f"while the schedule stood at {rest.total:,}: {each}" for each in comparison.reconciliation.explanation]
    if (probed := outcome.probed) and probed.ghosts:
        told.append(
            f"{probed.ghosts:,} of {probed.connections:,} connections that were probed got a RST for an answer: the server's "
            f"kernel does not know them"
        )
    return told


def not_alive(outcome: Outcome, ledger: Ledger) -> list[str]:
    told: list[str] = []
    if wanted := outcome.spec.beating:
        told += liveness.complaints(ledger.tally.heartbeats, wanted)
    if wanted or outcome.spec.server_push:
        told += liveness.push_complaints(ledger.tally.pushes)
        if ledger.accepting and not ledger.losses:  # both sides have to have told all
            told += liveness.bytes_differ(ledger.tally, ledger.accepting.sample.tally)
    return told


def not_filled(goal: int, at_end: Comparison, tally: Tally) -> list[str]:
    """``goal``: seats of the schedule at its end. ``tally``: of the whole run."""
    if at_end.established + at_end.away >= goal:
        return []
    away = f", {at_end.away:,} more were away as asked" if at_end.away else ""
    waiting = f"; {at_end.waiting:,} waited to be opened again" if at_end.waiting else ""
    lost = f"dropped: {causes_of(tally.dropped)}; failed: {causes_of(tally.failed)}"
    held = f"{at_end.established:,} of {goal:,} connections were held at the end of the hold"
    return [f"{held}{away}{waiting}{stayed(at_end)}; {lost}"]


def stayed(at_end: Comparison) -> str:
    """Who is neither held nor dropped: slow clients."""
    return f"; {at_end.half_closed:,} stayed when the server had closed its side" if at_end.half_closed else ""


def causes_of(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"
