"""The options of c1m-coord's commands, by the panels of --help, and the settings that they make together with files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from c1m.app.frame import in_panel
from c1m.coordinator.spec.config_files import config_layer, read_layer
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.settings import PARSERS
from c1m.coordinator.spec.spec import RunSpec

FLEET, SCHEDULE, TRAFFIC, VERDICT, OUTPUT = "Fleet", "Schedule", "Traffic", "Verdict", "Output"


# -- Fleet

Workers = Annotated[
    list[str] | None,
    in_panel(
        FLEET,
        "Control address of a worker, HOST:PORT or unix:/PATH. Repeat for more. Default: start one on this machine.",
        "--worker",
    ),
]
TargetAddress = Annotated[
    str | None,
    in_panel(FLEET, "Control address of the target, HOST:PORT or unix:/PATH. Default: start one on this machine.", "--target"),
]
EndpointAddress = Annotated[
    str | None,
    in_panel(FLEET, "Connect to any TCP server instead of a c1m-target: HOST:PORT or HOST:PORT-PORT.", "--endpoint"),
]
DataHost = Annotated[
    str | None,
    in_panel(FLEET, "Host that workers connect to. Default: the target's --bind address, or its control host."),
]
TlsDirectory = Annotated[
    str | None,
    in_panel(FLEET, "Directory with your operator certificate (c1m-coord pki issue operator). Default: no TLS.", "--tls"),
]
Lease = Annotated[
    str | None, in_panel(FLEET, "How long nodes keep their connections without hearing from the coordinator. Default: 15s.")
]
OnLossOption = Annotated[
    str | None,
    in_panel(
        FLEET,
        "When a node is lost: continue without its share, redistribute the share to other workers, or abort. "
        "Default: continue.",
    ),
]

# -- Schedule

Total = Annotated[str | None, in_panel(SCHEDULE, "Number of connections to open and hold: 1000000, 1M, 250k.")]
Rate = Annotated[
    str | None,
    in_panel(SCHEDULE, "Connections that the fleet opens per second: 5k, 300/m. Default: as fast as possible."),
]
Ramp = Annotated[str | None, in_panel(SCHEDULE, "How long opening takes, instead of --rate: 60s.")]
Stages = Annotated[
    list[str] | None,
    in_panel(
        SCHEDULE,
        "A stage of the schedule, instead of --total, --rate and --ramp: COUNT@TIME, or a shape such as step:200k@30s. "
        "Repeat for more.",
    ),
]
ArrivalOption = Annotated[
    str | None,
    in_panel(
        SCHEDULE,
        "Gaps between the openings of a --rate, --ramp or --stage: constant, or poisson (random). Default: constant.",
    ),
]
Hold = Annotated[
    str | None, in_panel(SCHEDULE, "How long to hold the connections after the schedule. Default: 10s, after --stage 0s.")
]
InFlight = Annotated[str | None, in_panel(SCHEDULE, "Largest number of unfinished connects per worker process. Default: 512.")]
ConnectTimeout = Annotated[str | None, in_panel(SCHEDULE, "A connect that takes longer has failed. Default: 10s.")]
Lifetime = Annotated[
    str | None,
    in_panel(
        SCHEDULE,
        "How long a connection lives before another replaces it: exp:2m, uniform:30s-90s, fixed:60s. "
        "Default: until the end of the run.",
    ),
]
Downtime = Annotated[
    str | None, in_panel(SCHEDULE, "Pause between a --lifetime and the next connection, in the same forms. Default: none.")
]
Reopen = Annotated[
    bool, in_panel(SCHEDULE, "Retry failed connects and replace dropped connections, each after a growing wait.", "--reopen")
]
BackoffOption = Annotated[
    str | None, in_panel(SCHEDULE, "Shortest and longest wait before --reopen tries again. Default: 100ms-30s.")
]
Storms = Annotated[
    list[str] | None,
    in_panel(
        SCHEDULE,
        "Many connections close at once and reopen: at=60s,drop=100%,return=5s. With by=target the target closes them, "
        "which needs --reopen. Repeat for more.",
    ),
]
CloseBy = Annotated[
    str | None,
    in_panel(SCHEDULE, "How clients close: rst leaves no TIME_WAIT, fin is what most programs do. Default: rst."),
]
CloseOrderOption = Annotated[
    str | None,
    in_panel(SCHEDULE, "Which connections close first when a stage goes down: oldest or random. Default: oldest."),
]
CloseRate = Annotated[
    str | None, in_panel(SCHEDULE, "Connections that the fleet closes per second at the end. Default: as fast as possible.")
]
Seed = Annotated[
    str | None,
    in_panel(SCHEDULE, "Seed for everything random; the same seed repeats a run. Default: a new one each time."),
]

# -- Traffic

HeartbeatEvery = Annotated[
    str | None,
    in_panel(TRAFFIC, "Interval at which each connection sends a heartbeat and waits for its answer: 60s. Default: never."),
]
Payload = Annotated[str | None, in_panel(TRAFFIC, "Size of a heartbeat in bytes. Default: 64.")]
Send = Annotated[
    str | None,
    in_panel(TRAFFIC, r"Text to send as heartbeat, such as 'PING\r\n'. Any answer is correct unless --expect is given."),
]
SendHex = Annotated[str | None, in_panel(TRAFFIC, "Bytes to send as heartbeat, in hexadecimal: 50494e470d0a.")]
Expect = Annotated[
    str | None,
    in_panel(
        TRAFFIC,
        "The answer to a heartbeat: echo, none, any, or its first bytes, such as +PONG. Default: echo; any with --send.",
    ),
]
Keepalive = Annotated[
    str | None,
    in_panel(
        TRAFFIC,
        "Idle time before TCP keepalive probes, in whole seconds: 60s. The server's kernel answers them, not the server. "
        "Default: no probes.",
    ),
]
ServerPush = Annotated[
    str | None, in_panel(TRAFFIC, "Messages that the target sends on each connection: 10/s, 1/m. Default: none.")
]
Trickle = Annotated[
    str | None,
    in_panel(
        TRAFFIC,
        "Slow clients: each sends its request byte by byte at this rate: 1/s. The request is --send, or filler. Default: none.",
    ),
]
HalfOpen = Annotated[
    bool,
    in_panel(TRAFFIC, "Slow clients: keep our side open after the server has closed its side.", "--half-open"),
]

# -- Verdict

Require = Annotated[
    list[str] | None,
    in_panel(
        VERDICT,
        "A condition on a figure of the summary; the run fails unless it holds: 'established >= 999k'. Repeat for more.",
    ),
]
ProbeGhosts = Annotated[
    bool,
    in_panel(
        VERDICT,
        "At the end of the hold, probe a sample of connections to find those that the server's kernel no longer has. "
        "Takes 1 to 10 s.",
        "--probe-ghosts",
    ),
]

# -- Output

JournalDirectory = Annotated[
    Path | None,
    in_panel(
        OUTPUT,
        "Directory of the journals. Default: $XDG_STATE_HOME/c1m, or ~/.local/state/c1m, or /var/lib/c1m for root.",
        "--journal",
    ),
]
NoJournal = Annotated[
    bool, in_panel(OUTPUT, "Keep no journal of this run; c1m-coord show and attach need one.", "--no-journal")
]
JsonFile = Annotated[
    str | None, in_panel(OUTPUT, "Write the result as JSON to this file; - writes only the JSON to stdout.", "--json")
]

# -- Files that give any of these settings: in no panel

SpecFile = Annotated[Path | None, typer.Option("--spec", help="TOML file with any of these settings, by option name.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file that describes the fleet. Default: $C1M_CONFIG, or ./c1m.toml if it exists."),
]


def settings(context: typer.Context, spec: Path | None, config: Path | None, default_total: str = "") -> RunSpec:
    """Return the settings of a command: its options override the spec file, which overrides the configuration file.

    ``default_total`` is for commands that do not need --total. Raises UsageError.
    """
    flags = {name: value for name, value in context.params.items() if name in PARSERS and value}
    layers: list[tuple[str, dict[str, Any]]] = [("command line", flags)]
    if spec is not None:
        layers.append(read_layer(spec))
    if found := config_layer(config, os.environ):
        layers.append(found)
    if default_total:
        layers.append(("default", {"total": default_total}))
    return make_spec(layers)
