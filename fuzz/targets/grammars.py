"""What people write on command lines: each language has its words, and everything else is refused with a ValueError."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from c1m.coordinator.spec import grammar as phrases
from c1m.coordinator.spec import requirements
from c1m.coordinator.spec.table import SETTINGS as TABLE
from c1m.net import addresses, endpoints, ports
from c1m.net.control_address import parse_control_address
from c1m.schedule import shapes
from c1m.security.certificates import general_name
from c1m.security.roles import PREFIX, bearer_of, parse_name
from c1m.text import escapes, units
from c1m.worker.node.allow_list import parse_allowance
from chance import decoded, text
from fuzzed import Target, each


def grammar(name: str, parsers: Sequence[Callable[[str], object]], words: str, examples: str) -> Target:
    """``words`` and ``examples`` have blanks between them."""
    return Target(
        name,
        tuple(example.encode() for example in examples.split(" ")),
        lambda chance: text(chance, words.split(" ")),
        lambda data: each(parsers, decoded(data)),
    )


def stage(word: str) -> object:
    """A shape, and the lines that it draws after another one."""
    shape = shapes.parse_shape(word)
    schedule = shapes.schedule_of([shape, shape])
    return schedule.end_ns, schedule.steepest, list(schedule.rests())


def host_port(word: str) -> object:
    return endpoints.parse_host_port(word, 7100, allow_zero=True)


def control(word: str) -> object:
    return parse_control_address(word, 7100, allow_zero=True)


UNITS = (units.parse_count, units.parse_duration, units.parse_rate, units.parse_number, units.parse_bytes, units.parse_bits)
ADDRESSES = (addresses.parse_sources, lambda word: [str(one) for one in addresses.parse_sources(word)])
PORTS = (ports.parse_ports, ports.parse_kernel_ports, ports.parse_port_range)
ENDPOINTS = (endpoints.parse_endpoint, host_port, control, parse_allowance, TABLE["data_host"].parse)
PHRASES = (phrases.parse_distribution, phrases.parse_lifetime, phrases.parse_backoff, phrases.parse_storm, phrases.parse_share)
SETTINGS = tuple(setting.parse for setting in TABLE.values())
NAMES = (parse_name, lambda word: bearer_of([word, f"{PREFIX}{word}", f"{PREFIX}operator/{word}"]), general_name)
BYTES = (escapes.parse_text, escapes.parse_hexadecimal, phrases.parse_answer, lambda word: str(escapes.parse_text(word)))

TARGETS = (
    grammar("units", UNITS, "1 2.5 , _ . k M G s ms us m min h /s /m kB GiB B %", "1M 250k 1_000 1h30m 250us 600/m 2GiB 1,000"),
    grammar(
        "addresses",
        ADDRESSES,
        "10.0.0.1 10.0.0 255 .1 - , / 24 /8 /64 fd00:: fd00::1 :: ::ffff:1.2.3.4 fe80::1 % eth0 lo",
        "10.0.0.10-25 10.0.0.0/24 fd00::/64 eth0,10.0.0.1 127.0.0.0/8 ::/1",
    ),
    grammar("ports", PORTS, "80 - , 1 65535 65536 1024 1-65535 443", "80 9000-9999 80,443,8000-8010 1-65535,1-65535"),
    grammar(
        "endpoints",
        ENDPOINTS,
        "10.0.0.5 srv : 80 [fd00::1] [ ] :: . - , localhost _a 9000-9010 % / @ unix: unix:/ // \0",
        "10.0.0.5:80 srv:9000-9010 [fd00::1]:80,443 localhost unix:/run/c1m/worker.sock unix:///a",
    ),
    grammar(
        "stages",
        (stage,),
        "1M 100k 5 @ 10s 1m 0s step: spike: stairs: sine: / - : 250k/5 50k-150k/60s",
        "100k@10s step:200k@30s spike:500k@5s stairs:250k/5@5m sine:50k-150k/60s@10m 5@0s stairs:5/5000@1us",
    ),
    grammar(
        "turnover",
        PHRASES,
        "fixed: uniform: exp: 60s 30s - 1us 0s at= drop= return= by= clients target , 100% 12.5% % .",
        "fixed:60s uniform:30s-90s exp:120s 100ms-30s at=60s,drop=100%,return=5s at=60s,by=target 35%",
    ),
    grammar(
        "settings",
        SETTINGS,
        "1 5 60 . k M s h ms /s /m rst fin oldest random poisson constant continue abort redistribute True False a b : - [ ] "
        "::1 127.0.0.1 7100 echo none any +PONG exp: at= = , @ >= p99 failed / \\x00 \\ 0",
        "1M 60s 5/s rst oldest poisson abort True a:7100 [::1]:7200 echo exp:2m 100ms-30s at=5s step:5@1s failed==0 0 5000000",
    ),
    grammar(
        "names",
        NAMES,
        "a b alice operator node / c1m:role: . - _ @ 10.0.0.2 ::1 % * .lab xn-- é",
        "alice client-1.lab 10.0.0.2 fd00::1 operator/alice node/a c1m:role:node/a",
    ),
    grammar("bytes", BYTES, r"PING \r \n \x \x00 \xff \\ \ 0 echo none any + 50 4 x", r"PING\r\n \x6eone 50494e47 echo"),
    grammar(
        "criteria",
        (requirements.parse,),
        "established failed. dropped. always <= >= == != < > ghosts connect_latency .p99 workers. storms. ECONNREFUSED 5% "
        "50ms 999k heartbeats. . target.memory.",
        "established>=999k connect_latency.p99<50ms always\tdropped==0 failed.ECONNREFUSED==0 workers.dropped<5",
    ),
)
