"""TLS as gRPC takes it, from the directory that --tls names. A server looks at it again at every handshake."""

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
    return grpc.ssl_channel_credentials(identity.authority, identity.own, identity.own)


def server_credentials(name: str, directory: Path) -> grpc.ServerCredentials:
    """Clients have to show a certificate of the authority. Raises UsageError for a directory that cannot be used.

    ``name`` is the program's, which tells on stderr what it took from the directory.
    """
    renewals = Renewals(directory)
    first = configuration(renewals.identity)
    # None from it means "as before", which the stubs do not know.
    fetch: Any = partial(renewed, name, renewals)
    return grpc.dynamic_ssl_server_credentials(first, fetch, require_client_authentication=True)


def configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(identity.own, identity.own)], root_certificates=identity.authority)


def renewed(name: str, renewals: Renewals) -> grpc.ServerCertificateConfiguration | None:
    """Called by gRPC at each handshake, from one thread at a time; None: go on with what there is.

    What cannot be used is told once, and the node goes on with what it had.
    """
    try:
        identity = renewals.take()
    except (OSError, UsageError) as error:
        log(f"{name}: keeps its old certificate: {error}")
        return None
    if identity is None:
        return None
    log(f"{name}: took a new certificate of {identity.bearer} from {renewals.directory}")
    for warning in identity.warnings(datetime.now(UTC)):
        log(f"{name}: {warning}")
    return configuration(identity)
