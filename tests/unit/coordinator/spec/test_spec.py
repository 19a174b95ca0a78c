"""Settings: layers, their precedence, and the command line that a run prints of itself."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.spec.config_files import parse_layer
from c1m.coordinator.spec.grammar import parse_answer, parse_backoff, parse_distribution, parse_storm
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.requirements import parse
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.spec.table import SETTINGS
from c1m.errors import UsageError
from c1m.measure.phase import Close, CloseOrder
from c1m.net.endpoints import parse_endpoint, parse_host_port
from c1m.schedule.schedule import Arrival, straight
from c1m.schedule.shapes import Shape, parse_shape, schedule_of
from c1m.text.escapes import Hexadecimal, Text

SECONDS = st.integers(1, 10**6).map(lambda milliseconds: milliseconds / 1000)
SHAPES = st.sampled_from(["100k@10s", "1M@1m", "step:5@30s", "spike:7@0s", "stairs:9/3@9s", "sine:1-9/30s@1m"]).map(parse_shape)
SPECS = st.builds(
    RunSpec,
    total=st.integers(1, 10**9),
    worker=st.sets(st.integers(1, 65535), max_size=3).map(
        lambda ports: tuple(parse_host_port(f"[fd00::1]:{port}") for port in sorted(ports))
    ),
    endpoint=st.sampled_from([None, parse_endpoint("srv:80"), parse_endpoint("[::1]:9000-9010")]),
    rate=st.sampled_from([0.0, 50.5, 12_500.0]),  # a billion of them within a year
    close_order=st.sampled_from(CloseOrder),
    seed=st.none() | st.integers(0, 2**32 - 1),
    hold=SECONDS,
    in_flight=st.integers(1, 10_000),
    connect_timeout=SECONDS.filter(lambda seconds: seconds >= 0.01),
    close=st.sampled_from(Close),
    close_rate=st.sampled_from([0.0, 5000.0]),
    probe_ghosts=st.booleans(),
    require=st.sampled_from([(), (parse("dropped == 0"),), (parse("always established >= 1M"), parse("ramp < 1m30s"))]),
)
BEATING: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(dict, payload=st.sampled_from([None, 16, 1_000])),
    st.builds(dict, send=st.binary(min_size=1, max_size=9).map(Text)),
    st.builds(dict, send_hex=st.binary(min_size=1, max_size=9).map(Hexadecimal)),
)


def read(words: list[str]) -> RunSpec:
    layer: dict[str, object] = {}
    for flag in ("--probe-ghosts", "--reopen", "--half-open"):  # those without a value
        if flag in words:
            words.remove(flag)
            layer[flag.removeprefix("--").replace("-", "_")] = True
    for name, value in zip(words[::2], words[1::2], strict=True):
        key = name.removeprefix("--").replace("-", "_")
        layer[key] = [*layer.get(key, []), value] if SETTINGS[key].is_list else value  # type: ignore[misc]
    return make_spec([("command line", layer)])


@given(SPECS)
def test_the_printed_command_line_repeats_the_run(spec: RunSpec) -> None:
    assert read(spec.to_words()) == spec


@given(SPECS, st.lists(SHAPES, min_size=1, max_size=4), st.sampled_from([Arrival.CONSTANT, Arrival.POISSON]))
def test_so_does_that_of_a_run_in_stages(spec: RunSpec, shapes: list[Shape], arrival: Arrival) -> None:
    spec = replace(spec, stage=tuple(shapes), total=schedule_of(shapes).peak, rate=0.0, arrival=arrival)

    assert read(spec.to_words()) == spec


def test_stages_take_the_place_of_total_and_rate_and_hold_nothing_after_them() -> None:
    spec = make_spec(
        [("flags", {"stage": ["5@1s", "spike:9@1s"]}), ("file", {"total": 7, "rate": "5"}), ("weaker", {"ramp": "3s"})]
    )

    assert (spec.total, spec.rate, spec.ramp, spec.hold) == (9, 0.0, 0.0, 0.0)
    assert make_spec([("flags", {"total": 5}), ("file", {"stage": ["9@1s"], "hold": "2s"})]).stage == ()


def test_rate_and_ramp_are_the_short_ways_of_a_schedule() -> None:
    by_rate, by_ramp = RunSpec(100, rate=50.0), RunSpec(100, ramp=2.0)

    assert by_rate.schedule == by_ramp.schedule == straight(100, 2.0)
    assert by_rate.effective_rate == by_ramp.effective_rate == 50.0
    assert (RunSpec(100).rushes, by_rate.rushes, by_ramp.rushes) == (True, False, False)


@given(SPECS, BEATING, st.sampled_from(["echo", "none", "any", "+PONG", r"\x6eone"]))
def test_and_its_heartbeats(spec: RunSpec, beating: dict[str, Any], expect: str) -> None:
    spec = replace(spec, heartbeat=60.0, expect=parse_answer(expect), keepalive=60.0, **beating)

    assert read(spec.to_words()) == spec
    assert spec.beating is not None
    assert spec.beating.send == (beating.get("send") or beating.get("send_hex") or b"")


STORMS = st.sampled_from(["at=60s,drop=35%,return=5s", "at=90s", "at=5s,drop=12.5%"]).map(parse_storm)
TIMES = st.sampled_from(["exp:120s", "uniform:0.5s-90s", "fixed:60s"]).map(parse_distribution)


@given(SPECS, TIMES, st.none() | TIMES, st.lists(STORMS, max_size=3), st.sampled_from([0.0, 0.5, 20.0]), st.booleans())
def test_and_its_turnover_and_slow_clients(
    spec: RunSpec, lifetime: Any, downtime: Any, storms: list[Any], trickle: float, half_open: bool
) -> None:
    backoff = parse_backoff("100ms-30s")
    spec = replace(spec, trickle=trickle, half_open=half_open, hold=100.0)
    spec = replace(spec, lifetime=lifetime, downtime=downtime, storm=tuple(storms), reopen=True, backoff=backoff)

    assert read(spec.to_words()) == spec
    assert spec.turnover is not None
    assert (spec.turnover.lifetime, spec.turnover.backoff, spec.turnover.storms) == (lifetime, backoff, tuple(storms))
    assert (spec.slow is None) == (not trickle and not half_open)


def test_storms_in_a_file() -> None:
    _, layer = parse_layer("run.toml", 'total = "1k"\nreopen = true\nstorm = ["at=5s,by=target", "at=9s,drop=50%,return=2s"]')

    spec = make_spec([("run.toml", layer)])
    assert [str(storm) for storm in spec.storm] == ["at=5s,drop=100%,by=target", "at=9s,drop=50%,return=2s"]
    assert (RunSpec(5).turnover, RunSpec(5).slow) == (None, None)


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        ({"downtime": "5s"}, "--lifetime"),
        ({"backoff": "1s-5s"}, "--reopen"),
        ({"storm": ["at=5s,by=target"]}, "--reopen"),
        ({"storm": ["at=5s,by=target"], "reopen": True, "endpoint": "srv:80"}, "c1m-target"),
        ({"storm": ["at=5s,by=target"], "reopen": True, "close": "fin", "half_open": True}, "none comes back"),
        ({"storm": ["at=9s,return=3s"], "ramp": "1s"}, "over 12 s after the start, and the run after 11 s"),
        ({"lifetime": "fixed:0s"}, "--lifetime"),
        ({"trickle": "1/s", "server_push": "1/s"}, "is echoed"),
        ({"send": "x"}, "--trickle"),
        ({"trickle": "1/s", "payload": 64}, "exclude"),
        ({"trickle": "1/s", "send": "x" * 65_537}, "--trickle"),
        ({"trickle": "1/s", "heartbeat": "5s"}, "exclude"),
    ],
)
def test_words_that_mean_nothing_alone_are_named(layer: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        make_spec([("flags", {"total": 5, **layer})])


def test_a_trickle_takes_the_place_of_heartbeats_and_all_that_belongs_to_them() -> None:
    spec = make_spec([("flags", {"trickle": "2/s"}), ("file", {"total": 7, "heartbeat": "5s", "payload": 99, "expect": "any"})])

    assert (spec.trickle, spec.heartbeat, spec.payload, spec.expect) == (2.0, 0.0, None, None)


def test_the_stronger_layer_wins_even_by_the_other_word() -> None:
    spec = make_spec([("flags", {"ramp": "2s", "total": "1k"}), ("file", {"rate": "5", "hold": "3s", "total": 7})])

    assert (spec.total, spec.ramp, spec.rate, spec.hold) == (1000, 2.0, 0.0, 3.0)


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ({"total": "many"}, "--total"),  # not a number
        ({"total": 0}, "must be 1 to"),  # nothing to do
        ({"total": True}, "'True' is not a number"),  # TOML has booleans
        ({"total": ["5"]}, "neither a text nor a number"),  # ... and lists
        ({"total": 5, "probe_ghosts": "perhaps"}, "neither true nor false"),
        ({"totla": 5}, "did you mean 'total'"),
        ({"total": 5, "rate": 1, "ramp": 1}, "exclude each other"),
        ({"total": 5, "worker": ["a", "a"]}, "twice"),
        ({"total": 5, "payload": 64}, "give --heartbeat"),
        ({"total": 5, "heartbeat": "1s", "payload": 4}, "16 to 65,536"),
        ({"total": 5, "keepalive": "1500ms"}, "whole seconds"),
        ({"total": 5, "server_push": "1/s", "endpoint": "a:1"}, "only a c1m-target pushes"),
        ({"total": 5, "heartbeat": "1s", "send": r"\q"}, "is not an escape"),
        ({"total": 5, "heartbeat": "1s", "send": "a", "send_hex": "00"}, "exclude each other"),
        ({"total": 5, "require": ["dropped == 0", "droped == 0"]}, "--require: there is no figure 'droped'"),
        ({"total": 5, "require": "p99 < 50ms"}, "--require: 'p99' could be connect_latency_us.p99 or "),
        (
            {"total": 5, "require": "wrong == 0"},
            "'wrong' could be heartbeats.wrong or pushes.wrong_bytes; write one of these in full",
        ),
        ({"hold": "1s"}, "how many"),  # no total anywhere
    ],
)
def test_what_makes_no_sense_is_a_sentence(layer: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        make_spec([("here", layer)])


def test_a_file_that_is_not_toml_is_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"c1m\.toml is not TOML"):
        parse_layer("c1m.toml", "total = ")
