"""TLS credentials for gRPC, from the directory of --tls. A server checks the directory for renewals at every handshake."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from c1m.app.log import log
from c1m.errors import UsageError

from .identity import Identity, Renewals


def channel_credentials(identity: Identity) -> grpc.ChannelCredentials:
    """Return the gRPC credentials with which a coordinator calls nodes over TLS."""
    return grpc.ssl_channel_credentials(identity.authority, identity.own, identity.own)


def server_credentials(name: str, directory: Path) -> grpc.ServerCredentials:
    """Return the gRPC credentials of a node, which require from every client a certificate of the same authority.

    ``name`` is the program, for its log of renewals. Raises UsageError for a directory that cannot be used.
    """
    renewals = Renewals(directory)
    first = configuration(renewals.identity)
    # The callback may return None for "unchanged", which the stubs do not allow.
    fetch: Any = partial(renewed, name, renewals)
    return grpc.dynamic_ssl_server_credentials(first, fetch, require_client_authentication=True)


def configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    """Return gRPC's certificate configuration for a server with this identity."""
    return grpc.ssl_server_certificate_configuration([(identity.own, identity.own)], root_certificates=identity.authority)


def renewed(name: str, renewals: Renewals) -> grpc.ServerCertificateConfiguration | None:
    """Return the configuration of a renewed certificate, or None if nothing has changed.

    gRPC calls this at each handshake, from one thread at a time. A renewal that cannot be used is logged once, and the node
    keeps its old certificate.
    """
    try:
        identity = renewals.take()
    except (OSError, UsageError) as error:
        log(f"{name}: keeps its old certificate: {error}")
        return None
    if identity is None:
        return None
    log(f"{name}: uses the new certificate of {identity.bearer} in {renewals.directory}")
    for warning in identity.warnings(datetime.now(UTC)):
        log(f"{name}: {warning}")
    return configuration(identity)
