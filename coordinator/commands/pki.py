"""c1m-coord pki: an authority of one's own, and the certificates of nodes and operators."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from c1m.app.cli import option
from c1m.errors import UsageError
from c1m.net.endpoints import parse_host_port
from c1m.security.authority import Authority, found_authority
from c1m.security.certificates import AUTHORITY_DAYS, CERTIFICATE_DAYS
from c1m.security.roles import Bearer, Role, moment, parse_name

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord pki init                                  # an authority, in ./c1m-pki: keep its ca.key to yourself
  c1m-coord pki issue node client-1 client-1.lab 10.0.0.2     # a directory c1m-pki/client-1 to copy to that machine
  c1m-worker --listen 10.0.0.2:7100 --tls client-1    # there: only operators of this authority may command it
  c1m-coord pki issue operator alice
  c1m-coord run --total 1M --worker 10.0.0.2:7100 --target 10.0.0.1:7200 --tls c1m-pki/alice
  c1m-coord pki renew --all                           # copied over the old ones, nodes take them without a restart
"""

app = typer.Typer(rich_markup_mode="rich")

Directory = Annotated[Path, typer.Option("--dir", help="The authority's directory.")]
Days = Annotated[int, typer.Option(help="Days that it is valid; never longer than its authority.", min=1, max=AUTHORITY_DAYS)]
HERE = Path("c1m-pki")


@app.callback(epilog=EXAMPLES)
def pki() -> None:
    """Certificates, so that only operators command nodes, and only nodes are commanded."""


@app.command(epilog=EXAMPLES)
def init(
    directory: Directory = HERE,
    days: Annotated[int, typer.Option(help="Days that the authority is valid.", min=1, max=20 * 365)] = AUTHORITY_DAYS,
) -> None:
    """Make an authority."""
    made = found_authority(directory, datetime.now(UTC), days)
    until = moment(made.term.ends)
    print(f"{directory}: an authority, valid until {until}; whoever has {directory}/ca.key can command every node")


@app.command(epilog=EXAMPLES)
def issue(
    role: Annotated[Role, typer.Argument(help="node or operator", show_default=False)],
    name: Annotated[str, typer.Argument(help="Its name, and that of its directory.", show_default=False)],
    hosts: Annotated[
        list[str] | None,
        typer.Argument(help="Of a node: host names and addresses by which coordinators call it.", show_default=False),
    ] = None,
    directory: Directory = HERE,
    days: Days = CERTIFICATE_DAYS,
) -> None:
    """Make a certificate and its key, in a directory for --tls."""
    if role is Role.OPERATOR and hosts:
        raise UsageError(f"an operator is called by nobody; leave {' '.join(hosts)} out")
    bearer = Bearer(role, option("NAME", parse_name, name))
    named = [option("HOSTS", host_of, host) for host in hosts or ()]
    made = Authority(directory).issue(bearer, named, datetime.now(UTC), days)
    where = "the node's machine" if role is Role.NODE else "where c1m-coord runs"
    print(f"{made}: the certificate of {bearer}; copy the directory to {where}, and name it with --tls")


@app.command(epilog=EXAMPLES)
def renew(
    name: Annotated[str | None, typer.Argument(help="Whose certificate.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every one that the authority issued.")] = False,
    directory: Directory = HERE,
    days: Days = CERTIFICATE_DAYS,
) -> None:
    """Make a certificate anew, with the same names and another key. Nodes take it at their next handshake."""
    if bool(name) == everything:
        raise UsageError("which certificate? Give its name, or --all")
    authority = Authority(directory)
    for each in [option("NAME", parse_name, name)] if name else authority.names:
        made = authority.renew(each, datetime.now(UTC), days)
        print(f"{made}: renewed; copy it over the old one")


@app.command(epilog=EXAMPLES)
def show(directory: Directory = HERE) -> None:
    """Every certificate, how long it lasts, and what has to be done. Exit code 1 where one has expired, or soon will."""
    authority, now = Authority(directory), datetime.now(UTC)
    print(f"authority, until {moment(authority.term.ends)}")
    terms = [authority.term]
    for bearer, term, hosts in authority.issued():
        print(f"{bearer}{': ' if hosts else ''}{' '.join(hosts)}, until {moment(term.ends)}")
        terms.append(term)
    warnings = [warning for term in terms if (warning := term.warning(now))]
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    raise typer.Exit(1 if warnings else 0)


def host_of(text: str) -> str:
    """A host as it stands in addresses, without a port. Raises ValueError."""
    return parse_host_port(f"[{text}]" if text.count(":") > 1 else text, 1).host
