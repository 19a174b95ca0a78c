"""The table of settings: what can be given to a run, one row each.

The command line, --help, files, the printed command, the summary, the checks and the table of README.md follow from it. The
order of rows is the order of options in a panel of --help.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from c1m.measure.phase import Close, CloseOrder
from c1m.net.control_address import ControlAddress
from c1m.net.endpoints import Endpoint, parse_endpoint
from c1m.schedule.schedule import Arrival
from c1m.schedule.shapes import Shape, parse_shape
from c1m.text.escapes import Hexadecimal, Text, parse_hexadecimal, parse_text
from c1m.text.units import parse_count, parse_duration, parse_rate
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import Distribution
from c1m.traffic.heartbeat import LEAST_PAYLOAD, MOST_PAYLOAD
from c1m.traffic.storm import Storm
from c1m.wire import bounds

from .grammar import Answer, Label, parse_answer, parse_backoff, parse_distribution, parse_label, parse_lifetime, parse_storm
from .parsers import (
    at_least,
    at_most,
    between,
    one_of,
    parse_directory,
    parse_flag,
    parse_host,
    parse_keepalive,
    parse_target,
    parse_worker,
)
from .requirements import Criterion, parse
from .setting import FLEET, OUTPUT, SCHEDULE, TRAFFIC, VERDICT, Need, Once, Setting, rows_of
from .words import OnLoss

MOST_SEED: Final = 2**32 - 1

OF_HEARTBEATS: Final = Need(("heartbeat",), "heartbeats; give --heartbeat, such as 60s")
OF_REQUESTS: Final = Need(("heartbeat", "trickle"), "heartbeats; give --heartbeat, such as 60s, or --trickle, such as 1/s")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings as they were given. Durations are in seconds, rates per second."""

    total: Annotated[
        int,
        Setting(
            between(1, bounds.MOST_CONNECTIONS),
            SCHEDULE,
            "Number of connections to open and hold: 1000000, 1M, 250k.",
            fits=True,
        ),
    ]  # with stages: the most that they ask for

    worker: Annotated[
        tuple[ControlAddress, ...],
        Setting(
            parse_worker,
            FLEET,
            "Control address of a worker, HOST:PORT or unix:/PATH. Repeat for more. Default: start one on this machine.",
            once=Once("a node does one run at a time"),
            fits=True,
        ),
    ] = ()
    target: Annotated[
        ControlAddress | None,
        Setting(
            parse_target,
            FLEET,
            "Control address of the target, HOST:PORT or unix:/PATH. Default: start one on this machine.",
            fits=True,
        ),
    ] = None
    endpoint: Annotated[
        Endpoint | None,
        Setting(
            parse_endpoint,
            FLEET,
            "Connect to any TCP server instead of a c1m-target: HOST:PORT or HOST:PORT-PORT.",
            overrides=("target",),  # in one layer they go together: the target observes the endpoint's host
            fits=True,
        ),
    ] = None
    data_host: Annotated[
        str | None,
        Setting(
            parse_host,
            FLEET,
            "Host that workers connect to. Default: the target's --bind address, or its control host.",
            fits=True,
        ),
    ] = None
    tls: Annotated[
        Path | None,
        Setting(
            parse_directory,
            FLEET,
            "Directory with your operator certificate (c1m-coord pki issue operator). Default: no TLS.",
            fits=True,
        ),
    ] = None
    lease: Annotated[
        float,
        Setting(
            at_most(at_least(parse_duration, 2), bounds.LONGEST_LEASE_SECONDS),
            FLEET,
            "How long nodes keep their connections without hearing from the coordinator. Default: 15s.",
            unit="seconds",
            echoed=True,
            for_shards=True,
        ),
    ] = 15.0
    on_loss: Annotated[
        OnLoss,
        Setting(
            one_of(OnLoss, "a policy for lost nodes"),
            FLEET,
            "When a node is lost: continue without its share, redistribute the share to other workers, or abort. "
            "Default: continue.",
        ),
    ] = OnLoss.CONTINUE

    rate: Annotated[
        float,
        Setting(
            at_least(parse_rate, 0.001),
            SCHEDULE,
            "Connections that the fleet opens per second: 5k, 300/m. Default: as fast as possible.",
            unit="per_second",
            excludes=("ramp",),
            fits=True,
            null=True,
        ),
    ] = 0.0
    ramp: Annotated[
        float,
        Setting(
            at_least(parse_duration, 0.001),
            SCHEDULE,
            "How long opening takes, instead of --rate: 60s.",
            unit="seconds",
            fits=True,
            null=True,
        ),
    ] = 0.0
    stage: Annotated[
        tuple[Shape, ...],
        Setting(
            parse_shape,
            SCHEDULE,
            "A stage of the schedule, instead of --total, --rate and --ramp: COUNT@TIME, or a shape such as step:200k@30s. "
            "Repeat for more.",
            excludes=("total", "rate", "ramp"),
            fits=True,
            null=True,
        ),
    ] = ()
    arrival: Annotated[
        Arrival,
        Setting(
            one_of(Arrival, "a way to arrive"),
            SCHEDULE,
            "Gaps between the openings of a --rate, --ramp or --stage: constant, or poisson (random). Default: constant.",
            need=Need(("rate", "ramp", "stage"), "a pace, and this run opens as fast as possible; give --rate or --ramp"),
        ),
    ] = Arrival.CONSTANT
    hold: Annotated[
        float,
        Setting(
            at_least(parse_duration, 0),
            SCHEDULE,
            "How long to hold the connections after the schedule. Default: 10s, after --stage 0s.",
            unit="seconds",
            fits=True,
            echoed=True,
        ),
    ] = 10.0
    in_flight: Annotated[
        int,
        Setting(
            between(1, bounds.MOST_IN_FLIGHT),
            SCHEDULE,
            "Largest number of unfinished connects per worker process. Default: 512.",
            fits=True,
            echoed=True,
        ),
    ] = 512
    connect_timeout: Annotated[
        float,
        Setting(
            at_least(parse_duration, 0.01),
            SCHEDULE,
            "A connect that takes longer has failed. Default: 10s.",
            unit="seconds",
            echoed=True,
            for_shards=True,
        ),
    ] = 10.0
    lifetime: Annotated[
        Distribution | None,
        Setting(
            parse_lifetime,
            SCHEDULE,
            "How long a connection lives before another replaces it: exp:2m, uniform:30s-90s, fixed:60s. "
            "Default: until the end of the run.",
        ),
    ] = None
    downtime: Annotated[
        Distribution | None,
        Setting(
            parse_distribution,
            SCHEDULE,
            "Pause between a --lifetime and the next connection, in the same forms. Default: none.",
            need=Need(("lifetime",), "a lifetime; give --lifetime, such as exp:2m"),
        ),
    ] = None
    reopen: Annotated[
        bool,
        Setting(parse_flag, SCHEDULE, "Retry failed connects and replace dropped connections, each after a growing wait."),
    ] = False
    backoff: Annotated[
        Backoff | None,
        Setting(
            parse_backoff,
            SCHEDULE,
            "Shortest and longest wait before --reopen tries again. Default: 100ms-30s.",
            need=Need(("reopen",), "--reopen; give it, too"),
            shown="effective_backoff",
        ),
    ] = None
    storm: Annotated[
        tuple[Storm, ...],
        Setting(
            parse_storm,
            SCHEDULE,
            "Many connections close at once and reopen: at=60s,drop=100%,return=5s. With by=target the target closes them, "
            "which needs --reopen. Repeat for more.",
        ),
    ] = ()
    close: Annotated[
        Close,
        Setting(
            one_of(Close, "a way to close"),
            SCHEDULE,
            "How clients close: rst leaves no TIME_WAIT, fin is what most programs do. Default: rst.",
            fits=True,
            echoed=True,
            for_shards=True,
        ),
    ] = Close.RESET
    close_order: Annotated[
        CloseOrder,
        Setting(
            one_of(CloseOrder, "an order to close in"),
            SCHEDULE,
            "Which connections close first when a stage goes down: oldest or random. Default: oldest.",
            for_shards=True,
        ),
    ] = CloseOrder.OLDEST
    close_rate: Annotated[
        float,
        Setting(
            at_most(at_least(parse_rate, 1), bounds.FASTEST_CLOSE),
            SCHEDULE,
            "Connections that the fleet closes per second at the end. Default: as fast as possible.",
            unit="per_second",
            null=True,
        ),
    ] = 0.0
    seed: Annotated[
        int | None,
        Setting(
            at_most(parse_count, MOST_SEED),
            SCHEDULE,
            "Seed for everything random; the same seed repeats a run. Default: a new one each time.",
        ),
    ] = None

    heartbeat: Annotated[
        float,
        Setting(
            at_least(parse_duration, 0.1),
            TRAFFIC,
            "Interval at which each connection sends a heartbeat and waits for its answer: 60s. Default: never.",
            unit="seconds",
            fits=True,
            null=True,
        ),
    ] = 0.0
    payload: Annotated[
        int | None,
        Setting(
            between(LEAST_PAYLOAD, MOST_PAYLOAD),
            TRAFFIC,
            "Size of a heartbeat in bytes. Default: 64.",
            unit="bytes",
            excludes=("send", "send_hex"),
            need=OF_HEARTBEATS,
            shown="effective_payload",
        ),
    ] = None
    send: Annotated[
        Text | None,
        Setting(
            parse_text,
            TRAFFIC,
            r"Text to send as heartbeat, such as 'PING\r\n'. Any answer is correct unless --expect is given.",
            excludes=("send_hex",),
            need=OF_REQUESTS,
            shown="effective_send",
        ),
    ] = None
    send_hex: Annotated[
        Hexadecimal | None,
        Setting(
            parse_hexadecimal,
            TRAFFIC,
            "Bytes to send as heartbeat, in hexadecimal: 50494e470d0a.",
            need=OF_REQUESTS,
            shown=None,
        ),
    ] = None
    expect: Annotated[
        Answer | None,
        Setting(
            parse_answer,
            TRAFFIC,
            "The answer to a heartbeat: echo, none, any, or its first bytes, such as +PONG. Default: echo; any with --send.",
            need=OF_HEARTBEATS,
            shown="effective_expect",
        ),
    ] = None
    keepalive: Annotated[
        float,
        Setting(
            parse_keepalive,
            TRAFFIC,
            "Idle time before TCP keepalive probes, in whole seconds: 60s. The server's kernel answers them, not the server. "
            "Default: no probes.",
            unit="seconds",
            null=True,
        ),
    ] = 0.0
    server_push: Annotated[
        float,
        Setting(
            at_most(at_least(parse_rate, 1 / 3600), bounds.MOST_PUSHES),
            TRAFFIC,
            "Messages that the target sends on each connection: 10/s, 1/m. Default: none.",
            unit="per_second_and_connection",
            null=True,
        ),
    ] = 0.0
    dscp: Annotated[
        int,
        Setting(
            between(0, 63),
            TRAFFIC,
            "DSCP in the IP header of what clients send, from 0 to 63: 46 is expedited forwarding. Default: 0, best effort.",
            for_shards=True,
        ),
    ] = 0
    trickle: Annotated[
        float,
        Setting(
            at_most(at_least(parse_rate, 0.001), bounds.MOST_TRICKLE),
            TRAFFIC,
            "Slow clients: each sends its request byte by byte at this rate: 1/s. The request is --send, or filler. "
            "Default: none.",
            unit="bytes_per_second",
            excludes=("heartbeat", "payload", "expect"),
            null=True,
        ),
    ] = 0.0
    half_open: Annotated[
        bool,
        Setting(parse_flag, TRAFFIC, "Slow clients: keep our side open after the server has closed its side."),
    ] = False

    require: Annotated[
        tuple[Criterion, ...],
        Setting(
            parse,
            VERDICT,
            "A condition on a figure of the summary; the run fails unless it holds: 'established >= 999k'. Repeat for more.",
        ),
    ] = ()
    probe_ghosts: Annotated[
        bool,
        Setting(
            parse_flag,
            VERDICT,
            "At the end of the hold, probe a sample of connections to find those that the server's kernel no longer has. "
            "Takes 1 to 10 s.",
        ),
    ] = False

    label: Annotated[
        tuple[Label, ...],
        Setting(
            parse_label,
            OUTPUT,
            "A label of the run, KEY=VALUE: ticket=4711. The journal, the summary and c1m-coord runs have it. Repeat for more.",
            once=Once("give each key one value", lambda label: label.key),
        ),
    ] = ()


SETTINGS: Final = rows_of(Settings)
