"""The c1m-target command."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import trio
import typer

from c1m.app.cli import main_of, option
from c1m.app.frame import Command, Version, in_panel, new_app
from c1m.app.node_options import AllowTune, Insecure, Listen, Tls, WithParent
from c1m.errors import UsageError
from c1m.net.control_address import ControlAddress, parse_control_address
from c1m.net.ports import parse_ports
from c1m.node.serve import check_exposure, serve, warn_of_end
from c1m.processes.zygote_client import ZygoteClient
from c1m.target.node.listeners import Bind
from c1m.target.node.observer import Observer
from c1m.target.node.service import TargetService
from c1m.target.node.target_node import TargetNode, check_bind
from c1m.v1.target_pb2_grpc import add_TargetServiceServicer_to_server

Served = TypeVar("Served", TargetNode, Observer)

EXAMPLES = """
[bold]Examples[/bold]
  c1m-target                                          # control on loopback, data on all IPv4 addresses, ports 9000-9999
  c1m-target --bind 10.0.0.1 --listen 10.0.0.1:7200 --tls server
  c1m-target --bind 10.0.0.1 --listen unix:/run/c1m-target/control.sock   # only this user and root get access
  c1m-target --bind '::' --single-port --ports 9000   # behind a load balancer, or a firewall with one hole
  c1m-target --allow-tune                             # as root: c1m-coord tune --apply may change this host's limits
  c1m-target observe --port 80                        # measure what connections cost another server, such as nginx

The data ports are opened when a run starts. The number of acceptor processes follows from the limit of open files per process.
"""
OBSERVE_EXAMPLES = """
[bold]Examples[/bold]
  c1m-target observe --port 80                        # the server that listens on port 80
  c1m-target observe --port 6379 --pid 4711           # this process and its children
  c1m-coord run --total 15k --endpoint 10.0.0.5:80 --target 10.0.0.5:7200   # a run that it observes
"""

CONNECTIONS, OBSERVED = "Connections", "Server"

app = new_app()


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def target(
    context: typer.Context,
    bind: Annotated[str, in_panel(CONNECTIONS, "Address to accept connections on; '::' means all IPv6 addresses.")] = "0.0.0.0",
    ports: Annotated[str, in_panel(CONNECTIONS, "Ports to accept connections on, one per acceptor process.")] = "9000-9999",
    single_port: Annotated[
        bool, in_panel(CONNECTIONS, "Let all acceptors share one port: the first free one of --ports.", "--single-port")
    ] = False,
    only_run_sources: Annotated[
        bool,
        in_panel(CONNECTIONS, "Accept connections only from the addresses of the run's workers.", "--only-run-sources"),
    ] = False,
    listen: Listen = "127.0.0.1:7200",
    tls: Tls = None,
    insecure: Insecure = False,
    allow_tune: AllowTune = False,
    with_parent: WithParent = False,
    version: Version = False,  # noqa: ARG001 - its callback prints it and exits
) -> None:
    """Accept, echo and count TCP connections on behalf of c1m-coord."""
    if context.invoked_subcommand:
        check_order(context)
        return
    address = option("--listen", lambda text: parse_control_address(text, 7200, allow_zero=True), listen)
    where = Bind(option("--bind", plain_address, bind), option("--ports", parse_ports, ports), single_port)
    check_exposure(address, tls, insecure=insecure)
    warn_of_end("c1m-target", tls)
    check_bind(where)

    def node(zygote: ZygoteClient, nursery: trio.Nursery) -> TargetNode:
        return TargetNode(zygote, nursery, where, only_run_sources=only_run_sources, tunable=allow_tune)

    trio.run(serve_target, address, tls, with_parent, node)


def check_order(context: typer.Context) -> None:
    """Raise UsageError for options of c1m-target before a sub-command, where they would have no effect."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            command = context.invoked_subcommand
            raise UsageError(
                f"--{name.replace('_', '-')} stands before {command} and would have no effect; write it after {command}"
            )


@app.command(cls=Command, epilog=OBSERVE_EXAMPLES)
def observe(
    port: Annotated[str, in_panel(OBSERVED, "Port or ports of the server: 80, 9000-9010.")],
    pid: Annotated[
        int | None,
        typer.Option(
            help="Process id of the server, children included. Default: the process that listens on --port.",
            min=1,
            rich_help_panel=OBSERVED,
        ),
    ] = None,
    listen: Listen = "127.0.0.1:7200",
    tls: Tls = None,
    insecure: Insecure = False,
    allow_tune: AllowTune = False,
    with_parent: WithParent = False,
) -> None:
    """Run beside another TCP server: count its connections and measure what they cost it and its host."""
    address = option("--listen", lambda text: parse_control_address(text, 7200, allow_zero=True), listen)
    ports = option("--port", parse_ports, port)
    check_exposure(address, tls, insecure=insecure)
    warn_of_end("c1m-target", tls)

    def observer(zygote: ZygoteClient, nursery: trio.Nursery) -> Observer:
        return Observer(zygote, nursery, ports, pid, tunable=allow_tune)

    trio.run(serve_target, address, tls, with_parent, observer)


async def serve_target(
    address: ControlAddress, tls: Path | None, with_parent: bool, make: Callable[[ZygoteClient, trio.Nursery], Served]
) -> None:
    """Serve a target's gRPC calls until the program is asked to stop. ``make`` creates the node."""
    await serve(
        "c1m-target",
        "c1m.target.acceptor.process",
        address,
        tls,
        with_parent=with_parent,
        make=make,
        add=lambda node, rpc_server, server: add_TargetServiceServicer_to_server(TargetService(rpc_server, node), server),
    )


def plain_address(text: str) -> str:
    """Return an IP address in its usual notation. Raises ValueError for anything but an address, such as a name."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an address; give an address of this machine, or 0.0.0.0 or :: for all") from None


def main() -> None:
    main_of(app)
