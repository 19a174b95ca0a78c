"""Each setting as a person writes it: the value that it becomes, its bounds, and what the run prints of itself."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from c1m.coordinator.spec.grammar import Answer
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.spec.words import OnLoss
from c1m.errors import UsageError
from c1m.measure.phase import Close, CloseOrder
from c1m.schedule.schedule import Arrival, Schedule, Stage
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import Distribution
from c1m.traffic.heartbeat import Expect, Heartbeat
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Turnover

SECONDS = 10**9


def spec(**settings: Any) -> RunSpec:
    return make_spec([("here", {"total": 100, **settings})])


def beside(name: str) -> dict[str, Any]:
    """What a setting needs beside it."""
    needs: dict[str, dict[str, Any]] = {
        "arrival": {"rate": "50/s"},
        "payload": {"heartbeat": "60s"},
        "send": {"heartbeat": "60s"},
        "send_hex": {"heartbeat": "60s"},
        "expect": {"heartbeat": "60s"},
        "downtime": {"lifetime": "60s"},
        "backoff": {"reopen": True},
    }
    return needs.get(name, {})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("total", "1M", 1_000_000),
        ("total", 1, 1),
        ("total", "1000G", 10**12),
        ("rate", "600/m", 10.0),
        ("rate", "0.001", 0.001),
        ("ramp", "1m30s", 90.0),
        ("ramp", "1ms", 0.001),
        ("hold", "0", 0.0),
        ("hold", "2h", 7_200.0),
        ("in_flight", "1", 1),
        ("in_flight", "4_294_967_295", 2**32 - 1),
        ("connect_timeout", "10ms", 0.01),
        ("lease", "2s", 2.0),
        ("lease", "24h", 86_400.0),
        ("close", "rst", Close.RESET),
        ("close", "fin", Close.FIN),
        ("close_order", "oldest", CloseOrder.OLDEST),
        ("close_order", "random", CloseOrder.RANDOM),
        ("close_rate", "1/s", 1.0),
        ("close_rate", "1G", 1e9),
        ("arrival", "poisson", Arrival.POISSON),
        ("arrival", "constant", Arrival.CONSTANT),
        ("on_loss", "redistribute", OnLoss.REDISTRIBUTE),
        ("on_loss", "continue", OnLoss.CONTINUE),
        ("on_loss", "abort", OnLoss.ABORT),
        ("seed", "0", 0),
        ("seed", str(2**32 - 1), 2**32 - 1),
        ("probe_ghosts", True, True),
        ("probe_ghosts", False, False),
        ("reopen", "True", True),
        ("half_open", True, True),
        ("heartbeat", "100ms", 0.1),
        ("payload", "16", 16),
        ("payload", "65536", 65_536),
        ("send", r"PING\r\n", b"PING\r\n"),
        ("send_hex", "50 49", b"PI"),
        ("expect", "any", Answer(Expect.ANY)),
        ("expect", "+PONG", Answer(Expect.PREFIX, b"+PONG")),
        ("keepalive", "1s", 1.0),
        ("keepalive", "32767", 32_767.0),
        ("server_push", "1/h", 1 / 3600),
        ("server_push", "1000/s", 1_000.0),
        ("trickle", "0.001", 0.001),
        ("trickle", "1M", 1e6),
        ("lifetime", "exp:2m", Distribution("exp", 120.0, 120.0)),
        ("downtime", "uniform:1s-3s", Distribution("uniform", 1.0, 3.0)),
        ("backoff", "100ms-30s", Backoff(0.1, 30.0)),
        ("data_host", "10.0.0.5", "10.0.0.5"),
        ("data_host", "srv", "srv"),
        ("data_host", "fd00::1", "fd00::1"),
        ("tls", "/etc/c1m/tls", Path("/etc/c1m/tls")),
    ],
)
def test_a_setting_becomes_its_value(name: str, text: Any, value: Any) -> None:
    assert getattr(spec(**beside(name), **{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("total", "0", "--total: '0' is not possible; it must be 1 to 1,000,000,000,000"),
        ("total", "1000000000001", "--total: '1000000000001' is not possible; it must be 1 to 1,000,000,000,000"),
        ("rate", "0.0009", "--rate: '0.0009' is too little; it must be at least 0.001"),
        ("ramp", "999us", "--ramp: '999us' is too little; it must be at least 0.001"),
        ("in_flight", "0", "--in-flight: '0' is not possible; it must be 1 to 4,294,967,295"),
        ("in_flight", "4294967296", "--in-flight: '4294967296' is not possible; it must be 1 to 4,294,967,295"),
        ("connect_timeout", "9ms", "--connect-timeout: '9ms' is too little; it must be at least 0.01"),
        ("lease", "1.9s", "--lease: '1.9s' is too little; it must be at least 2"),
        ("lease", "86401", "--lease: '86401' is too much; it must be at most 86,400"),
        ("close", "oldest", "--close: 'oldest' is not a way to close; write rst or fin"),
        ("close_order", "rst", "--close-order: 'rst' is not an order to close in; write oldest or random"),
        ("arrival", "abort", "--arrival: 'abort' is not a way to arrive; write constant or poisson"),
        ("on_loss", "fin", "--on-loss: 'fin' is not a policy for lost nodes; write redistribute or continue or abort"),
        ("close_rate", "0.9", "--close-rate: '0.9' is too little; it must be at least 1"),
        ("close_rate", "1000000001", "--close-rate: '1000000001' is too much; it must be at most 1,000,000,000"),
        ("seed", str(2**32), f"--seed: '{2**32}' is too much; it must be at most 4,294,967,295"),
        ("probe_ghosts", "yes", "--probe-ghosts: 'yes' is neither true nor false"),
        ("reopen", "1", "--reopen: '1' is neither true nor false"),
        ("half_open", "", "--half-open: '' is neither true nor false"),
        ("heartbeat", "99ms", "--heartbeat: '99ms' is too little; it must be at least 0.1"),
        ("payload", "15", "--payload: '15' is not possible; it must be 16 to 65,536"),
        ("payload", "65537", "--payload: '65537' is not possible; it must be 16 to 65,536"),
        ("keepalive", "1500ms", "--keepalive: '1500ms' is not possible; the kernel takes whole seconds, from 1 to 32,767"),
        ("keepalive", "0", "--keepalive: '0' is not possible; the kernel takes whole seconds, from 1 to 32,767"),
        ("keepalive", "32768", "--keepalive: '32768' is not possible; the kernel takes whole seconds, from 1 to 32,767"),
        ("server_push", "0.9/h", "--server-push: '0.9/h' is too little; it must be at least 0.000277778"),
        ("server_push", "1001", "--server-push: '1001' is too much; it must be at most 1,000"),
        ("trickle", "0.0009", "--trickle: '0.0009' is too little; it must be at least 0.001"),
        ("trickle", "1000001", "--trickle: '1000001' is too much; it must be at most 1,000,000"),
        ("data_host", "10.0.0.5:80", "--data-host: '10.0.0.5:80' is not a host; write 10.0.0.5, srv or fd00::1"),
        ("data_host", "", "--data-host: '' is not a host; write 10.0.0.5, srv or fd00::1"),
        ("tls", "", "--tls: '' is no directory; write one that c1m-coord pki issue has made"),
        ("tls", "a\0b", "--tls: 'a\\x00b' is no directory; write one that c1m-coord pki issue has made"),
        ("hold", None, "--hold: None is neither a text nor a number; write it as on the command line"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_bounds(name: str, text: Any, told: str) -> None:
    with pytest.raises(UsageError, match=rf"here: {re.escape(told)}$"):
        spec(**beside(name), **{name: text})


def test_workers_and_targets_have_ports_of_their_own_where_none_is_given() -> None:
    made = spec(worker=["a", "b:9", "[fd00::1]", "unix:/run/w.sock"], target="t")

    assert [str(worker) for worker in made.worker] == ["a:7100", "b:9", "[fd00::1]:7100", "unix:/run/w.sock"]
    assert str(made.target) == "t:7200"


def test_one_worker_need_not_be_a_list_and_toml_has_numbers_and_booleans() -> None:
    assert [str(worker) for worker in spec(worker="a").worker] == ["a:7100"]
    assert (spec(hold=2.5).hold, spec(in_flight=7).in_flight, spec(reopen=True).reopen) == (2.5, 7, True)
    assert spec(require=("dropped == 0",)).require[0].name == "dropped"


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ({"hodl": "1s"}, "here: there is no setting 'hodl'; did you mean 'hold'?"),
        ({"connect-timeuot": "1s"}, "here: there is no setting 'connect-timeuot'; did you mean 'connect_timeout'?"),
        ({"xyzzy": 1}, "here: there is no setting 'xyzzy'; the settings are total, worker, target"),
    ],
)
def test_a_setting_that_does_not_exist_is_named_with_the_most_similar(layer: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        make_spec([("here", {"total": 5, **layer})])
    assert str(refusal.value).startswith(told)


# -- what follows from the settings


def test_without_settings_a_run_is_as_documented() -> None:
    made = spec()

    assert (made.hold, made.in_flight, made.connect_timeout, made.lease) == (10.0, 512, 10.0, 15.0)
    assert (made.close, made.close_order, made.arrival, made.on_loss) == (
        Close.RESET,
        CloseOrder.OLDEST,
        Arrival.CONSTANT,
        OnLoss.CONTINUE,
    )
    assert (made.rushes, made.effective_arrival, made.effective_rate) == (True, Arrival.CLOSED_LOOP, 0.0)
    assert (made.beating, made.turnover, made.slow, made.schedule) == (None, None, None, Schedule((Stage(100, 0),)))


@pytest.mark.parametrize(
    ("settings", "schedule", "rate"),
    [
        ({"rate": "50/s"}, Schedule((Stage(100, 2 * SECONDS),)), 50.0),
        ({"ramp": "4s"}, Schedule((Stage(100, 4 * SECONDS),)), 25.0),
    ],
)
def test_a_pace_decides_when_connections_are_due(settings: dict[str, str], schedule: Schedule, rate: float) -> None:
    made = spec(**settings, arrival="poisson")

    assert (made.schedule, made.effective_rate, made.rushes, made.effective_arrival) == (schedule, rate, False, Arrival.POISSON)


def test_stages_are_a_pace_too() -> None:
    made = make_spec([("here", {"stage": ["50@1s", "100@1s"]})])

    assert (made.total, made.effective_rate, made.rushes, made.effective_arrival) == (100, 50.0, False, Arrival.CONSTANT)


@pytest.mark.parametrize(
    ("settings", "beat"),
    [
        ({}, Heartbeat(60.0, 64, b"", Expect.ECHO)),
        ({"payload": 99}, Heartbeat(60.0, 99, b"", Expect.ECHO)),
        ({"send": "PING"}, Heartbeat(60.0, 64, b"PING", Expect.ANY)),
        ({"send_hex": "00ff"}, Heartbeat(60.0, 64, b"\x00\xff", Expect.ANY)),
        ({"send": "PING", "expect": "+PONG"}, Heartbeat(60.0, 64, b"PING", Expect.PREFIX, b"+PONG")),
        ({"expect": "none"}, Heartbeat(60.0, 64, b"", Expect.NONE)),
    ],
)
def test_a_heartbeat_expects_its_echo_or_any_answer_to_a_request_unless_it_is_said(
    settings: dict[str, Any], beat: Heartbeat
) -> None:
    assert spec(heartbeat="60s", **settings).beating == beat


@pytest.mark.parametrize(
    ("settings", "turnover"),
    [
        ({"lifetime": "60s"}, Turnover(Distribution("fixed", 60.0, 60.0), Distribution("fixed", 0.0, 0.0), None, ())),
        ({"reopen": True}, Turnover(None, Distribution("fixed", 0.0, 0.0), Backoff(0.1, 30.0), ())),
        ({"reopen": True, "backoff": "1s-2s"}, Turnover(None, Distribution("fixed", 0.0, 0.0), Backoff(1.0, 2.0), ())),
        ({"storm": ["at=5s"]}, Turnover(None, Distribution("fixed", 0.0, 0.0), None, (Storm(5.0),))),
    ],
)
def test_turnover_is_what_any_of_its_settings_asks_for(settings: dict[str, Any], turnover: Turnover) -> None:
    assert spec(**settings).turnover == turnover


def test_slow_clients_send_a_byte_at_a_time_or_stay_half_open() -> None:
    trickling, staying = spec(trickle="4/s", send="GET /"), spec(half_open=True)

    assert trickling.slow == SlowClients(0.25, b"GET /", False)
    assert staying.slow is not None
    assert (staying.slow.interval, staying.slow.half_open) == (0.0, True)
    assert spec(trickle="4/s", send_hex="0001").slow == SlowClients(0.25, b"\x00\x01", False)
    assert trickling.slow.request != spec(trickle="4/s").slow.request  # type: ignore[union-attr]


# -- what the run prints of itself


def options(made: RunSpec) -> set[tuple[str, ...]]:
    """The options of the printed command line, each with its value."""
    return {tuple(option.split(" ", 1)) for option in " ".join(made.to_words()).replace(" --", "\n--").split("\n")}


def test_the_command_line_that_repeats_a_run_leaves_out_what_was_not_asked_for() -> None:
    assert options(spec()) == {
        ("--total", "100"),
        ("--hold", "10.0"),
        ("--in-flight", "512"),
        ("--connect-timeout", "10.0"),
        ("--lease", "15.0"),
        ("--close", "rst"),
    }


def test_the_command_line_that_repeats_a_run_has_every_choice() -> None:
    chosen = {
        "rate": "50/s",
        "arrival": "poisson",
        "close_order": "random",
        "on_loss": "abort",
        "probe_ghosts": True,
        "require": ["dropped == 0", "failed == 0"],
        "seed": 0,
        "tls": "d",
    }

    assert options(spec(**chosen)) - options(spec()) == {
        ("--rate", "50.0"),
        ("--arrival", "poisson"),
        ("--close-order", "random"),
        ("--on-loss", "abort"),
        ("--probe-ghosts",),
        ("--require", "dropped == 0"),
        ("--require", "failed == 0"),
        ("--seed", "0"),
        ("--tls", "d"),
    }


def test_a_run_in_stages_is_repeated_by_its_stages_and_not_by_its_total() -> None:
    words = make_spec([("here", {"stage": ["50@1s", "spike:9@1s"]})]).to_words()

    assert [value for name, value in pairwise(words) if name == "--stage"] == ["50@1s", "spike:9@1s"]
    assert "--total" not in words


def test_the_summary_has_every_setting_with_its_unit() -> None:
    summary = make_spec(
        [
            (
                "here",
                {
                    "stage": ["50@1s", "100@2s"],
                    "worker": ["a", "b"],
                    "target": "t",
                    "endpoint": "srv:80",
                    "tls": "d",
                    "data_host": "x",
                    "arrival": "poisson",
                    "hold": "61s",
                    "in_flight": 7,
                    "connect_timeout": "8s",
                    "lease": "9s",
                    "close": "fin",
                    "close_order": "random",
                    "seed": 5,
                    "probe_ghosts": True,
                    "close_rate": "3/s",
                    "heartbeat": "20s",
                    "send": r"PING\r\n",
                    "expect": "+PONG",
                    "keepalive": "30s",
                    "require": ["dropped == 0"],
                    "lifetime": "exp:2m",
                    "downtime": "1s",
                    "reopen": True,
                    "storm": ["at=1s"],
                    "half_open": True,
                    "on_loss": "redistribute",
                },
            )
        ]
    ).to_summary()

    assert summary == {
        "label": [],
        "dscp": 0,
        "total": 100,
        "worker": ["a:7100", "b:7100"],
        "target": "t:7200",
        "endpoint": "srv:80",
        "tls": "d",
        "data_host": "x",
        "rate_per_second": None,
        "ramp_seconds": None,
        "stage": ["50@1s", "100@2s"],
        "arrival": "poisson",
        "hold_seconds": 61.0,
        "in_flight": 7,
        "connect_timeout_seconds": 8.0,
        "lease_seconds": 9.0,
        "close": "fin",
        "close_order": "random",
        "seed": 5,
        "probe_ghosts": True,
        "close_rate_per_second": 3.0,
        "heartbeat_seconds": 20.0,
        "payload_bytes": 64,
        "send": r"PING\r\n",
        "expect": "+PONG",
        "keepalive_seconds": 30.0,
        "server_push_per_second_and_connection": None,
        "require": ["dropped == 0"],
        "lifetime": "exp:120s",
        "downtime": "fixed:1s",
        "reopen": True,
        "backoff": "0.1s-30s",
        "storm": ["at=1s,drop=100%,return=0s"],
        "trickle_bytes_per_second": None,
        "half_open": True,
        "on_loss": "redistribute",
    }


def test_what_was_not_asked_for_is_null_in_the_summary() -> None:
    summary = spec().to_summary()

    null = {name for name, value in summary.items() if value is None}
    assert null == {
        *(
            "target",
            "endpoint",
            "tls",
            "data_host",
            "rate_per_second",
            "ramp_seconds",
            "stage",
            "seed",
            "close_rate_per_second",
        ),
        *("heartbeat_seconds", "payload_bytes", "send", "expect", "keepalive_seconds", "lifetime", "downtime", "backoff"),
        *("server_push_per_second_and_connection", "trickle_bytes_per_second"),
    }
    assert (summary["worker"], summary["require"], summary["storm"], summary["reopen"]) == ([], [], [], False)


@pytest.mark.parametrize(
    ("settings", "name", "shown"),
    [
        ({"rate": "50/s"}, "rate_per_second", 50.0),
        ({"ramp": "2s"}, "ramp_seconds", 2.0),
        ({"server_push": "2/s"}, "server_push_per_second_and_connection", 2.0),
        ({"trickle": "2/s"}, "trickle_bytes_per_second", 2.0),
        ({"heartbeat": "9s", "payload": 99}, "payload_bytes", 99),
        ({"heartbeat": "9s"}, "expect", "echo"),
        ({"heartbeat": "9s", "send_hex": "2b"}, "send", "+"),
        ({"trickle": "2/s", "send": "GET"}, "send", "GET"),
    ],
)
def test_what_was_asked_for_is_in_the_summary(settings: dict[str, Any], name: str, shown: Any) -> None:
    assert spec(**settings).to_summary()[name] == shown
