"""c1m-coord schema."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from c1m.coordinator.planning.advice import TUNE_SCHEMA
from c1m.coordinator.planning.documents import DOCTOR_SCHEMA, PLAN_SCHEMA
from c1m.coordinator.summary.documents import DoctorDocument, PlanDocument, RunsDocument, TuneDocument
from c1m.coordinator.summary.schema import schema_text
from c1m.coordinator.summary.summary import SCHEMA, Summary

from .output import write
from .runs import SCHEMA as RUNS_SCHEMA

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord schema                                    # all documents in one
  c1m-coord schema summary > summary.schema.json      # what run --json writes
"""


class DocumentName(enum.StrEnum):
    """A document that c1m-coord writes as JSON."""

    SUMMARY = "summary"
    PLAN = "plan"
    DOCTOR = "doctor"
    TUNE = "tune"
    RUNS = "runs"


DOCUMENTS: dict[DocumentName, tuple[type, str]] = {
    DocumentName.SUMMARY: (Summary, SCHEMA),
    DocumentName.PLAN: (PlanDocument, PLAN_SCHEMA),
    DocumentName.DOCTOR: (DoctorDocument, DOCTOR_SCHEMA),
    DocumentName.TUNE: (TuneDocument, TUNE_SCHEMA),
    DocumentName.RUNS: (RunsDocument, RUNS_SCHEMA),
}


def schema(
    document: Annotated[
        DocumentName | None, typer.Argument(help="summary, plan, doctor, tune or runs. Default: all in one schema.")
    ] = None,
) -> None:
    """Print the JSON Schema of a document that --json writes, with the meaning and the unit of each field.

    Units are in the keyword "unit": 1 (a count), s, us, B, % and 1/s. Fields are added over time, never renamed.
    """
    chosen = list(DOCUMENTS.values()) if document is None else [DOCUMENTS[document]]
    write(schema_text(chosen) + "\n")
