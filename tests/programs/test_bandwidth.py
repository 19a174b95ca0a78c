"""What a run makes a worker send, in bits a second: each part by hand, and all of it held against a ceiling."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import node, run_coord

from c1m.errors import RefusedError
from c1m.schedule.schedule import NANOSECONDS, Schedule, Stage, straight
from c1m.text.units import format_bits, parse_bits
from c1m.traffic.backoff import Backoff
from c1m.traffic.bandwidth import ConnectionTraffic, bits_each, close_rate
from c1m.traffic.distribution import FIXED, Distribution
from c1m.traffic.heartbeat import Expect, Heartbeat
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Turnover
from c1m.worker.node.quotas import Quotas

SILENT = ConnectionTraffic()
NOTHING = Schedule((Stage(0, 0),))
MINUTE = Distribution(FIXED, 60.0, 60.0)


def schedule(*stages: tuple[int, float]) -> Schedule:
    return Schedule(tuple(Stage(total, int(seconds * NANOSECONDS)) for total, seconds in stages))


@pytest.mark.parametrize(
    ("talk", "version", "bytes_a_second"),
    [
        (SILENT, 4, 0),
        (ConnectionTraffic(Heartbeat(60.0)), 4, (64 + 2 * 52) / 60),  # one packet, and an acknowledgement of its echo
        (ConnectionTraffic(Heartbeat(60.0)), 6, (64 + 2 * 72) / 60),
        (ConnectionTraffic(Heartbeat(60.0, expect=Expect.NONE)), 4, (64 + 52) / 60),
        (ConnectionTraffic(Heartbeat(1.0, payload=1208)), 4, 1208 + 2 * 52),
        (ConnectionTraffic(Heartbeat(1.0, payload=1209)), 4, 1209 + 4 * 52),
        (ConnectionTraffic(Heartbeat(1.0, send=b"PING\r\n")), 4, 6 + 2 * 52),
        (ConnectionTraffic(slow=SlowClients(0.2)), 4, 5 * 53),
        (ConnectionTraffic(slow=SlowClients(half_open=True)), 4, 0),
        (ConnectionTraffic(keepalive=10), 4, 5.2),
        (ConnectionTraffic(push_rate=3), 6, 3 * 72),
    ],
)
def test_what_an_open_connection_says(talk: ConnectionTraffic, version: int, bytes_a_second: float) -> None:
    assert bits_each(NOTHING, 1, None, talk, reset=True, version=version) == pytest.approx(8 * bytes_a_second)


@pytest.mark.parametrize(
    ("line", "turnover", "reset", "bytes_a_second"),
    [
        (schedule((1000, 10)), None, True, 100 * 112),
        (schedule((1000, 10), (1000, 5), (0, 5)), None, True, 100 * 112 + 200 * 52),
        (schedule((1000, 10), (0, 5)), None, False, 100 * 112 + 200 * 104),
        (schedule((1000, 10), (0, 0)), None, True, 100 * 112 + 1000 * 52),  # at once, as if within a second
        (schedule((1000, 0)), None, True, math.inf),
        (schedule((500, 10), (1000, 0)), None, True, math.inf),
        (schedule((1000, 10)), Turnover(MINUTE), True, 100 * 112 + 1000 / 60 * (112 + 52)),
        (schedule((1000, 10)), Turnover(storms=(Storm(5, 0.5, 5), Storm(9, 1, 20))), True, 200 * 112 + 1000 * 52),
        (schedule((1000, 10)), Turnover(storms=(Storm(5, 0.5),)), True, math.inf),
        (schedule((1000, 10)), Turnover(backoff=Backoff(0.1, 1)), True, math.inf),
    ],
)
def test_what_opening_and_closing_send(line: Schedule, turnover: Turnover | None, reset: bool, bytes_a_second: float) -> None:
    found = bits_each(line, 1000, turnover, SILENT, reset=reset, version=4)

    assert 1000 * found == pytest.approx(8 * bytes_a_second)


@given(st.integers(1, 10**9), st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_faster_is_never_less(total: int, seconds: float, longer: float) -> None:
    fast, slow = straight(total, seconds), straight(total, seconds + longer)
    each = [bits_each(line, total, None, SILENT, reset=True, version=4) for line in (fast, slow)]

    assert each[0] >= each[1] > 0


def test_closing_keeps_within() -> None:
    assert close_rate(8 * 52 * 100, reset=True, version=4) == 100
    assert close_rate(8 * 144 * 100, reset=False, version=6) == 100
    ceilings = Quotas(bandwidth=8 * 52 * 100)
    assert ceilings.close_rate(0, reset=True, version=4) == 100
    assert ceilings.close_rate(50, reset=True, version=4) == 50
    assert Quotas(bandwidth=0).close_rate(0, reset=True, version=4) == 1
    assert Quotas().close_rate(0, reset=True, version=4) == 0  # as fast as it goes


@pytest.mark.parametrize(
    ("bandwidth", "bits", "said"),
    [
        (None, math.inf, ""),
        (1e6, 1e6, ""),
        (1e6, 1e6 * (1 + 1e-12), ""),
        (1e6, 1.01e6, r"is to send 1.01 Mbit/s at times, and may send 1 Mbit/s \(--most-bandwidth\)"),
        (1e6, math.inf, "is not known before it"),
    ],
)
def test_a_ceiling(bandwidth: float | None, bits: float, said: str) -> None:
    if not said:
        Quotas(bandwidth=bandwidth).check_bandwidth(bits)
        return
    with pytest.raises(RefusedError, match=said):
        Quotas(bandwidth=bandwidth).check_bandwidth(bits)


@pytest.mark.parametrize(
    ("text", "bits"),
    [("100M", 1e8), ("1G", 1e9), ("2.5Gbit/s", 2.5e9), ("64 kbit", 64e3), ("9600", 9600.0), ("0", 0.0), ("1_000 bit/s", 1e3)],
)
def test_bandwidth_as_people_write_it(text: str, bits: float) -> None:
    assert parse_bits(text) == bits
    assert parse_bits(format_bits(bits)) == bits


@pytest.mark.parametrize("text", ["", "100MB", "1GiB/s", "-1", "fast", "1M/s", "100Mbps"])
def test_what_is_no_bandwidth(text: str) -> None:
    with pytest.raises(ValueError, match="bits a second, not bytes"):
        parse_bits(text)


# -- with real programs

TARGET, FREE, BOUND = "127.0.0.1:24960", "127.0.0.1:24961", "127.0.0.1:24962"


def test_a_plan_keeps_within_it_and_what_cannot_fit_is_refused() -> None:
    """400 connections opened within two seconds take 112 bytes each, 179 kbit/s in all: 90 kbit/s is half of them."""
    words = ("--target", TARGET, "--total", "400", "--ramp", "2s", "--hold", "0s", "--json", "-")
    with (
        node("target", "--listen", TARGET, "--bind", "127.0.0.1", "--ports", "24950-24959"),
        node("worker", "--listen", FREE),
        node("worker", "--listen", BOUND, "--most-bandwidth", "89.6k"),
    ):
        refused = run_coord(*words, "--worker", BOUND)
        shared = run_coord(*words, "--worker", BOUND, "--worker", FREE)

    assert refused.returncode == 3, refused.stderr
    reasons = json.loads(refused.stdout)["reasons"]
    assert any("(--most-bandwidth)" in reason and "89.6 kbit/s left" in reason for reason in reasons), reasons
    assert shared.returncode == 0, shared.stderr
    assert [each["established_peak"] for each in json.loads(shared.stdout)["workers"]] == [200, 200]
