"""c1m-coord schema."""

from __future__ import annotations

import enum
from typing import Annotated, get_args

import typer

from c1m.coordinator.planning.advice import TUNE_SCHEMA
from c1m.coordinator.planning.documents import DOCTOR_SCHEMA, PLAN_SCHEMA
from c1m.coordinator.summary.documents import DoctorDocument, PlanDocument, RunsDocument, TuneDocument
from c1m.coordinator.summary.events import SCHEMA as EVENTS_SCHEMA
from c1m.coordinator.summary.events import Event
from c1m.coordinator.summary.schema import Format, schema_text
from c1m.coordinator.summary.summary import SCHEMA, Summary

from .output import write
from .runs import SCHEMA as RUNS_SCHEMA

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord schema                                    # all formats in one
  c1m-coord schema summary > summary.schema.json      # what run --json writes
  c1m-coord schema events                             # each line of show --events
"""


class FormatName(enum.StrEnum):
    """What c1m-coord writes as JSON."""

    SUMMARY = "summary"
    EVENTS = "events"
    PLAN = "plan"
    DOCTOR = "doctor"
    TUNE = "tune"
    RUNS = "runs"


FORMATS: dict[FormatName, Format] = {
    FormatName.SUMMARY: Format(SCHEMA, (Summary,)),
    FormatName.EVENTS: Format(EVENTS_SCHEMA, get_args(Event)),
    FormatName.PLAN: Format(PLAN_SCHEMA, (PlanDocument,)),
    FormatName.DOCTOR: Format(DOCTOR_SCHEMA, (DoctorDocument,)),
    FormatName.TUNE: Format(TUNE_SCHEMA, (TuneDocument,)),
    FormatName.RUNS: Format(RUNS_SCHEMA, (RunsDocument,)),
}


def schema(
    format_name: Annotated[
        FormatName | None,
        typer.Argument(
            metavar="[FORMAT]",
            help="summary, events, plan, doctor, tune or runs: what the command with this name writes with --json; the summary "
            "is written by run and show, the events by show --events. Default: all in one schema.",
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of what c1m-coord writes as JSON, with the meaning and the unit of each field.

    Units are in the keyword "unit": 1 (a count), s, us, B, % and 1/s. Fields are added over time, never renamed.
    """
    chosen = list(FORMATS.values()) if format_name is None else [FORMATS[format_name]]
    write(schema_text(chosen) + "\n")
