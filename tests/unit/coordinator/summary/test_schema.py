"""The types of the summary: JSON and back, and a schema that describes every field with its meaning and unit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from json_schema import complaints
from outcomes import at_once, ended_early, finished, not_held, refused
from partial_records import filled

from c1m.coordinator.commands.schema import FORMATS, FormatName
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.timeline import HostState, NodeState, TimelineRow
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.summary.codec import from_plain, to_plain
from c1m.coordinator.summary.latencies import CountedSpread, NodeSource, SourceRow, Spread
from c1m.coordinator.summary.records import fields_of, is_record, leaves_of
from c1m.coordinator.summary.schema import schema_of, schema_text
from c1m.coordinator.summary.summary import Summary, VerdictName
from c1m.coordinator.summary.traffic import RetargetStage, RetargetSummary
from c1m.coordinator.summary.units import Unit
from c1m.traffic.storm import Storm

SCHEMA = schema_of([FORMATS[FormatName.SUMMARY]])


def with_everything() -> Outcome:
    """A run with a timeline, with heartbeats and a storm, and with a lost node."""
    outcome = finished()
    outcome.spec = RunSpec(2_000, heartbeat=1.0, keepalive=5.0, server_push=1.0, storm=(Storm(1.0),))
    ledger = outcome.ledger
    assert ledger
    host, node = HostState(1, 5, 100, {"open_files": 2}, {"ListenDrops": 3}), NodeState(0.5, 1_000)
    row = TimelineRow(1, 1, 0, 0, 1, 1, {"w": node}, {"h": host}, {"connect_latency_us": {150: 2}})
    ledger.timeline.begin(0.0, lambda: row)
    ledger.timeline.end(2.0, lambda: row)
    ledger.lose(ledger.workers[0], LossReason(LossKind.UNREACHABLE, "it did not answer"), 3.0)
    return outcome


@pytest.mark.parametrize("make", [at_once, finished, refused, ended_early, not_held, with_everything])
def test_a_summary_is_as_its_schema_says_and_comes_back_from_json(make: Callable[[], Outcome]) -> None:
    summary = summarise(make())
    document = json.loads(json.dumps(to_plain(summary)))

    assert complaints(document, SCHEMA) == []
    assert to_plain(from_plain(document, Summary)) == document


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"planned": "many"}, "$.planned: 'many' is no ['integer', 'null']"),
        ({"verdict": "splendid"}, "$.verdict: 'splendid' is none of"),
        ({"invented": 1}, "$: invented is not described"),
        ({"connect_latency_us": {"p50": 3}}, "$.connect_latency_us: count is missing"),
    ],
)
def test_what_the_schema_does_not_allow_is_found(change: dict[str, Any], told: str) -> None:
    document = to_plain(summarise(finished())) | change

    assert [each for each in complaints(document, SCHEMA) if each.startswith(told)]


def records(root: type, found: dict[str, type]) -> dict[str, type]:
    """All records that a record has in it, by name."""
    found[root.__name__] = root
    for field in fields_of(root):
        for kind in (field.type, *get_args(field.type)):
            if is_record(kind) and kind.__name__ not in found:
                records(kind, found)
    return found


ALL = {name: kind for each in FORMATS.values() for root in each.records for name, kind in records(root, {}).items()}


@pytest.mark.parametrize("record", ALL.values(), ids=ALL.keys())
def test_every_field_has_a_meaning_and_every_number_a_unit(record: type) -> None:
    without_unit = ("value", "version", "protocol", "seed", "exit_code", "destination")  # numbers that measure nothing

    assert record.__doc__
    for field in fields_of(record):
        assert field.meaning.endswith(".") or field.inline, f"{record.__name__}.{field.name} has no meaning"
        if field.type in (int, float) and field.name not in without_unit:
            assert field.unit, f"{record.__name__}.{field.name} has no unit"


@pytest.mark.parametrize("record", ALL.values(), ids=ALL.keys())
def test_names_say_the_unit_that_the_type_has(record: type) -> None:
    endings = {
        "_us": Unit.MICROSECONDS,
        "_seconds": Unit.SECONDS,
        "_bytes": Unit.BYTES,
        "_percent": Unit.PERCENT,
        "_per_second": Unit.PER_SECOND,
    }
    for field in fields_of(record):
        ending = next((unit for end, unit in endings.items() if field.name.endswith(end)), None)
        if ending and field.unit and not field.name.startswith("took_"):
            assert field.unit is ending, f"{record.__name__}.{field.name}"


def test_a_document_of_an_older_c1m_lacks_fields_and_of_a_newer_one_has_more() -> None:
    document = to_plain(summarise(not_held()))
    del document["half_closed_at_hold_end"], document["takeovers"], document["workers"][0]["last_known"]
    document["from_the_future"] = 1

    found = from_plain(document, Summary)

    assert (found.figures.half_closed_at_hold_end, found.takeovers) == (None, ())
    assert (found.verdict, found.figures.workers[0].loss.last_known) == (VerdictName.FAILED, None)


def test_a_document_without_what_it_needs_is_none() -> None:
    document = to_plain(summarise(not_held()))
    del document["exit_code"]

    with pytest.raises(ValueError, match="no 'exit_code'"):
        from_plain(document, Summary)


def test_fields_of_an_inline_record_have_its_prefix_and_are_left_out_with_it() -> None:
    spread = Spread(1, 2, 3)
    row = NodeSource("w", SourceRow("10.0.0.1", 5, spread, CountedSpread(4, spread), None, 0, 0))

    document = to_plain(row)

    assert (document["node"], document["connect_p99_us"]) == ("w", 2)
    assert (document["first_byte_count"], document["first_byte_max_us"]) == (4, 3)
    assert not [name for name in document if name.startswith("heartbeat")]
    assert from_plain(document, NodeSource) == row


def test_a_field_may_have_a_name_that_python_reserves() -> None:
    retarget = RetargetSummary(2, 1.5, 100, (RetargetStage(200, 1.0),))

    assert to_plain(retarget)["from"] == 100
    assert from_plain(to_plain(retarget), RetargetSummary) == retarget


@pytest.mark.parametrize("name", FormatName)
def test_each_format_has_a_schema_to_which_its_records_conform(name: FormatName) -> None:
    each = FORMATS[name]
    schema = json.loads(schema_text([each]))

    assert (schema["title"], schema["$schema"]) == (each.name, "https://json-schema.org/draft/2020-12/schema")
    moment = "2026-11-23T00:00:00.000+00:00"
    for record in each.records:
        kind = next((field.default for field in fields_of(record) if field.name == "event"), "")
        given = {"verdict": "passed", "acceptance": "unknown", "started_at": moment, "at": moment, "event": kind}
        document = filled(record, given)
        assert complaints(document, schema) == []
        assert to_plain(from_plain(document, record)) == document


def test_one_schema_has_all_formats() -> None:
    schema = schema_of(list(FORMATS.values()))

    assert complaints(to_plain(summarise(finished())), schema) == []
    assert [choice["title"] for choice in schema["anyOf"]] == [each.name for each in FORMATS.values()]


def paths(record: type, path: str = "") -> set[str]:
    """All fields that JSON may have, by path; * stands for any name."""
    found = set()
    for name, leaf in leaves_of(record).items():
        kind, own = leaf.field.type, f"{path}.{name}" if path else name
        found.add(own)
        below = f"{own}.*" if get_origin(kind) is Mapping else own
        for part in (kind, *get_args(kind)):
            if is_record(part):
                found |= paths(part, below)
    return found


def test_fields_only_grow() -> None:
    """The list is of the release before; add what is new when there is another one."""
    released = set((Path(__file__).parent / "released_fields.txt").read_text().split())

    assert released - paths(Summary) == set()
