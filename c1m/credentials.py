"""TLS as gRPC takes it, from the directory that --tls names. A server looks at it again at every handshake."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import grpc

from c1m.errors import UsageError
from c1m.identity import Identity, checked_identity, read_identity
from c1m.log import log
from c1m.roles import AUTHORITY_FILE, IDENTITY_FILE

Stamp = tuple[tuple[int, int, int], ...]


def channel_credentials(identity: Identity) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(identity.authority, identity.own, identity.own)


def server_credentials(name: str, directory: Path) -> grpc.ServerCredentials:
    """Clients have to show a certificate of the authority. Raises UsageError for a directory that cannot be used.

    ``name`` is the program's, which tells on stderr what it took from the directory.
    """
    renewals = Renewals(name, directory)
    first = configuration(checked_identity(directory))
    # None from it means "as before", which the stubs do not know.
    return grpc.dynamic_ssl_server_credentials(first, renewals.fetch, require_client_authentication=True)  # type: ignore[arg-type]


def configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(identity.own, identity.own)], root_certificates=identity.authority)


class Renewals:
    """Whether the files have changed since they were last taken: two stat() a handshake, 4 us."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.files = [directory / AUTHORITY_FILE, directory / IDENTITY_FILE]
        self.directory = directory
        self.taken = self.stamp()

    def stamp(self) -> Stamp:
        found = [path.stat() for path in self.files]
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC at each handshake, from one thread at a time; None: go on with what there is.

        What cannot be used is told once, and the node goes on with what it had.
        """
        try:
            if (stamp := self.stamp()) == self.taken:
                return None
            self.taken = stamp
            identity = read_identity(self.directory)
        except (OSError, UsageError) as error:
            log(f"{self.name}: keeps its old certificate: {error}")
            return None
        log(f"{self.name}: took a new certificate of {identity.bearer} from {self.directory}")
        for warning in identity.warnings(datetime.now(UTC)):
            log(f"{self.name}: {warning}")
        return configuration(identity)
