"""c1m-coord pki: a private certificate authority, and the certificates of nodes and operators."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from c1m.app.cli import option
from c1m.app.frame import Command, help_without_command, new_app
from c1m.errors import UsageError
from c1m.net.endpoints import parse_host_port
from c1m.security.authority import Authority, found_authority
from c1m.security.certificates import AUTHORITY_DAYS, CERTIFICATE_DAYS
from c1m.security.roles import Bearer, Role, moment, parse_name

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord pki init                                  # create an authority in ./c1m-pki; keep its ca.key secret
  c1m-coord pki issue node client-1 client-1.lab 10.0.0.2     # creates c1m-pki/client-1; copy it to that machine
  c1m-worker --listen 10.0.0.2:7100 --tls client-1    # on that machine: only operators of this authority get access
  c1m-coord pki issue operator alice
  c1m-coord run --total 1M --worker 10.0.0.2:7100 --target 10.0.0.1:7200 --tls c1m-pki/alice
  c1m-coord pki renew --all                           # copy them over the old ones; nodes need no restart
"""

app = new_app(completion=False)

Directory = Annotated[Path, typer.Option("--dir", help="The authority's directory.")]
Days = Annotated[int, typer.Option(help="Days of validity; at most until the authority expires.", min=1, max=AUTHORITY_DAYS)]
HERE = Path("c1m-pki")


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def pki(context: typer.Context) -> None:
    """Create and renew the mTLS certificates of nodes and operators."""
    help_without_command(context)


@app.command(cls=Command, epilog=EXAMPLES)
def init(
    directory: Directory = HERE,
    days: Annotated[int, typer.Option(help="Days of validity of the authority.", min=1, max=20 * 365)] = AUTHORITY_DAYS,
) -> None:
    """Create a certificate authority."""
    made = found_authority(directory, datetime.now(UTC), days)
    until = moment(made.term.ends)
    print(f"{directory}: authority created, valid until {until}; {directory}/ca.key gives access to every node: keep it secret")


@app.command(cls=Command, epilog=EXAMPLES)
def issue(
    role: Annotated[Role, typer.Argument(help="What the certificate is for: node or operator.", show_default=False)],
    name: Annotated[str, typer.Argument(help="Name of the node or operator, and of the new directory.", show_default=False)],
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Host names and addresses by which coordinators reach the node. Not for operators.", show_default=False
        ),
    ] = None,
    directory: Directory = HERE,
    days: Days = CERTIFICATE_DAYS,
) -> None:
    """Create a certificate and its key, in a directory for --tls."""
    if role is Role.OPERATOR and hosts:
        raise UsageError(f"an operator's certificate has no host names; leave out {' '.join(hosts)}")
    bearer = Bearer(role, option("NAME", parse_name, name))
    named = [option("HOSTS", host_of, host) for host in hosts or ()]
    made = Authority(directory).issue(bearer, named, datetime.now(UTC), days)
    where = "the node's machine" if role is Role.NODE else "where c1m-coord runs"
    print(f"{made}: the certificate of {bearer}; copy the directory to {where}, and give it with --tls")


@app.command(cls=Command, epilog=EXAMPLES)
def renew(
    name: Annotated[str | None, typer.Argument(help="Name of the node or operator.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Renew every certificate that the authority issued.")] = False,
    directory: Directory = HERE,
    days: Days = CERTIFICATE_DAYS,
) -> None:
    """Create a certificate again, with the same names and a new key. Nodes use it from their next handshake on."""
    if bool(name) == everything:
        raise UsageError("no certificate is named; give a name or --all")
    authority = Authority(directory)
    for each in [option("NAME", parse_name, name)] if name else authority.names:
        made = authority.renew(each, datetime.now(UTC), days)
        print(f"{made}: renewed; copy it over the old one")


@app.command(cls=Command, epilog=EXAMPLES)
def show(directory: Directory = HERE) -> None:
    """List every certificate with its expiry, and warn of those to renew. Exit code 1 if one has expired or soon will."""
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
    """Return the host name or address that a text gives, which must have no port. Raises ValueError."""
    return parse_host_port(f"[{text}]" if text.count(":") > 1 else text, 1).host
