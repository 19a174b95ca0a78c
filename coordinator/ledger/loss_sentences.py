"""Sentences on why nodes were lost, made from values. No decision reads them. Pure."""

from __future__ import annotations

from c1m.text.units import format_duration

from .loss_reason import CoordinatorPause, LossKind, LossReason


def loss_sentence(node: str, reason: LossReason) -> str:
    """Return a sentence, without its full stop, that names the node and says why it was lost."""
    match reason.kind:
        case LossKind.LEFT:
            sentence = f"{node} closed what it had of the run: {reason.closing}"
        case LossKind.SILENT:
            sentence = (
                f"{node} has said nothing for {reason.silent_seconds:g} s; is it stopped, its machine overloaded or off, or "
                f"the network between cut?"
            )
        case LossKind.ENDED:
            sentence = f"{node} ended its samples before the run was over"
        case LossKind.LEASE_OVER:
            sentence = f"{node} has closed, since no coordinator had watched it for the length of its lease"
        case LossKind.NOT_STARTED:
            sentence = f"{node} had not been asked to start when the coordinator of the run ended"
        case LossKind.UNREACHABLE | LossKind.REFUSED | LossKind.UNKNOWN:
            sentence = reason.detail  # a sentence that names the node
    return sentence + (pause_clause(reason.pause) if reason.pause else "")


def pause_clause(pause: CoordinatorPause) -> str:
    """Return the end of a sentence that says for how long the coordinator did not run, and since when."""
    clause = f"; this coordinator did not run meanwhile, for {format_duration(round(pause.seconds, 1))}"
    if pause.began_seconds is None:
        return clause
    return f"{clause}, from {format_duration(round(pause.began_seconds, 1))} into the run on"
