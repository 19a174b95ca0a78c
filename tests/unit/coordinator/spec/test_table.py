"""The table of settings: what follows from its rows, and the checks of specs that were made without a parser."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from c1m.coordinator.spec.grammar import Label, parse_storm
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.readme_table import table
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.spec.table import SETTINGS
from c1m.errors import UsageError
from c1m.measure.phase import Close
from c1m.net.control_address import parse_control_address
from c1m.schedule.schedule import Arrival
from c1m.schedule.shapes import parse_shape
from c1m.text.escapes import Hexadecimal, Text

WORKER = parse_control_address("a:7100", 7100)


def test_the_table_has_the_fields_of_a_spec() -> None:
    assert [field.name for field in fields(RunSpec)] == list(SETTINGS)
    assert {name: setting.default for name, setting in SETTINGS.items()} == {
        field.name: field.default for field in fields(RunSpec)
    }


def test_every_setting_that_a_row_names_exists() -> None:
    for setting in SETTINGS.values():
        named = {*setting.excludes, *setting.overrides, *(setting.need.settings if setting.need else ())}
        assert named <= set(SETTINGS) - {setting.name}
        assert not setting.shown or hasattr(RunSpec, setting.shown)


def test_names_in_the_summary_have_units_and_are_different() -> None:
    spec = RunSpec(
        5, rate=2.0, hold=0.0, heartbeat=9.0, send_hex=Hexadecimal(b"+"), worker=(WORKER,), tls=Path("d"), reopen=True
    )

    assert spec.to_summary() == {
        "total": 5,
        "worker": ["a:7100"],
        "target": None,
        "endpoint": None,
        "tls": "d",
        "data_host": None,
        "rate_per_second": 2.0,
        "ramp_seconds": None,
        "stage": None,
        "arrival": "constant",
        "hold_seconds": 0.0,
        "in_flight": 512,
        "connect_timeout_seconds": 10.0,
        "lease_seconds": 15.0,
        "close": "rst",
        "close_order": "oldest",
        "seed": None,
        "probe_ghosts": False,
        "close_rate_per_second": None,
        "heartbeat_seconds": 9.0,
        "payload_bytes": 64,
        "send": "+",
        "expect": "any",
        "keepalive_seconds": None,
        "server_push_per_second_and_connection": None,
        "require": [],
        "lifetime": None,
        "downtime": None,
        "reopen": True,
        "backoff": "0.1s-30s",
        "storm": [],
        "dscp": 0,
        "trickle_bytes_per_second": None,
        "half_open": False,
        "on_loss": "continue",
        "label": [],
    }


def test_a_flag_of_a_default_is_left_out_and_what_may_change_is_repeated() -> None:
    words = RunSpec(5, reopen=True, worker=(WORKER, parse_control_address("b", 7100))).to_words()

    assert shlex.join(words) == (
        "--total 5 --worker a:7100 --worker b:7100 --lease 15.0 --hold 10.0 --in-flight 512 --connect-timeout 10.0 --reopen "
        "--close rst"
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"total": 0}, "--total: '0' is not possible; it must be 1 to 1,000,000,000,000"),
        ({"total": True}, "--total: 'True' is not a number"),
        ({"total": 5, "rate": -1.0}, "--rate: "),
        ({"total": 5, "lease": 1.0}, "--lease: '1.0' is too little; it must be at least 2"),
        ({"total": 5, "keepalive": 1.5}, "--keepalive: '1.5' is not possible; the kernel takes whole seconds"),
        ({"total": 5, "rate": 1.0, "ramp": 1.0}, "--rate and --ramp exclude each other; give one of them"),
        ({"total": 5, "heartbeat": 1.0, "send": Text(b"a"), "send_hex": Hexadecimal(b"b")}, "--send and --send-hex exclude"),
        ({"total": 5, "payload": 64}, "--payload needs heartbeats; give --heartbeat, such as 60s$"),
        ({"total": 5, "send": Text(b"a")}, "--send needs heartbeats; give --heartbeat, such as 60s, or --trickle, such as 1/s"),
        ({"total": 5, "arrival": Arrival.POISSON}, "--arrival needs a pace"),
        ({"total": 5, "arrival": Arrival.CLOSED_LOOP}, "--arrival: "),
        ({"total": 5, "worker": (WORKER, WORKER)}, "worker a:7100 is named twice"),
        ({"total": 5, "worker": ("a:7100",)}, "--worker: 'a:7100' is a str; give a HostPort"),
        ({"total": 5, "storm": (parse_storm("at=5s,by=target"),)}, "only with --reopen"),
        ({"total": 5, "stage": (parse_shape("9@1s"),)}, "the stages rise to 9 connections, and the total is 5"),
        ({"total": 10**12, "rate": 1.0}, "no run is longer than a year"),
        ({"total": 5, "label": (Label("a", "1"), Label("a", "2"))}, "label a is named twice; give each key one value"),
        ({"total": 5, "label": (Label("a b", "1"),)}, "--label: 'a b=1' is not a label; write KEY=VALUE"),
        ({"total": 5, "server_push": 1.0, "trickle": 1.0}, "what --trickle sends is echoed"),
    ],
)
def test_a_spec_that_makes_no_sense_cannot_be_made_in_python_either(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=f"^.*{sentence}"):
        RunSpec(**settings)


def test_whole_numbers_may_stand_for_durations() -> None:
    assert RunSpec(5, hold=3, close=Close.FIN) == make_spec([("here", {"total": 5, "hold": "3s", "close": "fin"})])


def test_readme_names_every_option_once_and_what_it_excludes() -> None:
    rows = table().splitlines()

    assert [row.split("`")[1] for row in rows[2:]].count("--total") == 1
    assert len(rows) == len(SETTINGS) + 2
    assert next(row for row in rows if row.startswith("| `--trickle`")).endswith(
        "| `--heartbeat`, `--payload`, `--expect` | `trickle_bytes_per_second` |"
    )


@pytest.mark.parametrize("text", ["ticket", "=5", "a=", "a= ", "a b=1", "ä=1", "a=\x1b[2J", "a=b\nc", "a=" + "x" * 199])
def test_what_is_no_label_is_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="label.*write KEY=VALUE, such as ticket=C1M-4711"):
        make_spec([("here", {"total": 5, "label": [text]})])


def test_labels_are_repeated_in_words_settings_and_summary() -> None:
    texts = ["ticket=C1M-4711", "who=Anna = Bob, Zürich"]
    spec = make_spec([("here", {"total": 5, "label": texts})])

    assert spec.label == (Label("ticket", "C1M-4711"), Label("who", "Anna = Bob, Zürich"))
    assert spec.to_settings()["label"] == spec.to_summary()["label"] == texts
    assert shlex.join(spec.to_words()).endswith("--label ticket=C1M-4711 --label 'who=Anna = Bob, Zürich'")
