"""Options that several commands of c1m-coord take, and the settings that they make together with files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from c1m.coordinator.spec.config_files import config_layer, read_layer
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.settings import PARSERS
from c1m.coordinator.spec.spec import RunSpec

Total = Annotated[str | None, typer.Option(help="Connections to open and hold: 1000000, 1M, 250k.")]
Workers = Annotated[
    list[str] | None,
    typer.Option("--worker", help="A worker's control, HOST:PORT or unix:/PATH; repeat. Default: one is started here."),
]
TargetAddress = Annotated[
    str | None, typer.Option("--target", help="The target's control, HOST:PORT or unix:/PATH. Default: one is started here.")
]
EndpointAddress = Annotated[
    str | None, typer.Option("--endpoint", help="Any TCP server instead of a target: HOST:PORT or HOST:PORT-PORT.")
]
Rate = Annotated[
    str | None,
    typer.Option(help="Connections that the fleet opens a second, on the clock. Default: as many as it can."),
]
Ramp = Annotated[str | None, typer.Option(help="Instead of --rate: how long opening should take.")]
Stages = Annotated[
    list[str] | None,
    typer.Option(help="Instead of --total, --rate and --ramp: COUNT@TIME, or a shape such as step:200k@30s; repeat."),
]
Hold = Annotated[str | None, typer.Option(help="How long to hold what is open after that. Default: 10s; after stages 0s.")]
InFlight = Annotated[str | None, typer.Option(help="Connects that one shard may have in flight. Default: 512.")]
CloseBy = Annotated[
    str | None, typer.Option(help="How to close: rst leaves no TIME_WAIT, fin is what programs do. Default: rst.")
]
HeartbeatEvery = Annotated[
    str | None, typer.Option(help="How often each connection sends something and waits for its echo: 60s. Default: never.")
]
DataHost = Annotated[
    str | None,
    typer.Option(help="Where workers connect to. Default: the target's --bind, or its control host."),
]
TlsDirectory = Annotated[
    str | None,
    typer.Option("--tls", help="Directory of your operator's certificate (c1m-coord pki). Default: no TLS."),
]
SpecFile = Annotated[Path | None, typer.Option("--spec", help="A TOML file with any of these settings, by their names.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="The fleet's TOML file. Default: $C1M_CONFIG, then ./c1m.toml.")
]
JournalDirectory = Annotated[
    Path | None,
    typer.Option(
        "--journal", help="Where the journals are. Default: $XDG_STATE_HOME/c1m, or ~/.local/state/c1m; for root /var/lib/c1m."
    ),
]
JsonFile = Annotated[
    str | None, typer.Option("--json", help="Write it to this file as JSON; with - to stdout, and nothing else.")
]


def settings(context: typer.Context, spec: Path | None, config: Path | None, default_total: str = "") -> RunSpec:
    """What flags, spec file and configuration say together, the stronger first. Raises UsageError.

    ``default_total``: for a command that can do without one.
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
