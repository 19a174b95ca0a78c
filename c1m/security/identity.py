"""The directory of --tls: the certificate of the trusted authority, and a program's own certificate with its key."""

from __future__ import annotations

import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from c1m.errors import UsageError

from .roles import AUTHORITY_FILE, IDENTITY_FILE, Bearer, Validity, bearer_of

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """The contents of a --tls directory. ``authority`` and ``own`` are PEM; ``own`` has the key and the certificate.

    ``terms`` has the validity of the own certificate, then that of the authority.
    """

    authority: bytes
    own: bytes
    bearer: Bearer
    terms: tuple[Validity, ...]

    def warnings(self, now: datetime) -> list[str]:
        """Return a sentence for each certificate of the --tls directory that is not valid or expires soon; empty if there is
        none.
        """
        return [warning for term in self.terms if (warning := term.warning(now))]

    def check(self, now: datetime) -> None:
        """Raise UsageError if a certificate of the --tls directory is not valid now, because every peer would refuse it.

        Returns nothing.
        """
        for term in self.terms:
            if not term.begins <= now < term.ends:
                raise UsageError(term.warning(now))


def read_identity(directory: Path) -> Identity:
    """Return the certificates, key and role in a --tls directory.

    Raises UsageError with the cure if c1m-coord pki issue did not make the directory.
    """
    # Imported here because cryptography takes 15 MB, and nodes often run without TLS.
    from .certificates import names_of, read_certificate, read_pair, term_of

    authority, own = (read_file(directory / name) for name in (AUTHORITY_FILE, IDENTITY_FILE))
    check_private(directory / IDENTITY_FILE)
    try:
        trusted, pair = read_certificate(authority), read_pair(own, own)
    except (ValueError, TypeError) as error:
        raise UsageError(f"--tls {directory}: {error}; issue it again with c1m-coord pki issue, or copy all of it") from None
    bearer = bearer_of(names_of(pair.certificate))
    if bearer is None:
        raise UsageError(f"--tls {directory}: the certificate names no role of c1m; issue one with c1m-coord pki issue")
    return Identity(authority, own, bearer, (term_of(pair.certificate), term_of(trusted)))


def read_file(path: Path) -> bytes:
    """Return the contents of a file of a --tls directory. Raises UsageError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"--tls: cannot read {path}: {error.strerror}; name a directory that c1m-coord pki issue made"
        ) from None


def check_private(path: Path) -> None:
    """Raise UsageError if other users can access a file with a private key: with the key they could act as the operator or the
    node.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise UsageError(f"--tls: {path} contains a private key, and its mode {mode:04o} gives others access; chmod 600 {path}")


def checked_identity(directory: Path) -> Identity:
    """Return the certificates, key and role in a --tls directory whose certificates are valid now.

    Raises UsageError otherwise.
    """
    identity = read_identity(directory)
    identity.check(datetime.now(UTC))
    return identity


class Renewals:
    """The certificates in a --tls directory, read again when the files are renewed.

    A check costs two stat() calls, 4 us. Raises UsageError for a directory that cannot be used or a certificate that is not
    valid now.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.taken = self.stamp()
        self.identity = checked_identity(directory)

    def stamp(self) -> Stamp:
        """Return the inodes, times and sizes of the certificate files, which identify their current version.

        Empty if a file is missing.
        """
        try:
            found = [(self.directory / name).stat() for name in (AUTHORITY_FILE, IDENTITY_FILE)]
        except OSError:
            return ()
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)

    def take(self) -> Identity | None:
        """Return the renewed identity from the --tls directory, or None if nothing has changed.

        Raises OSError or UsageError for a renewal that cannot be used, once; the old identity is kept.
        """
        if (stamp := self.stamp()) == self.taken:
            return None
        self.taken = stamp
        self.identity = read_identity(self.directory)
        return self.identity

    def newest(self) -> Identity:
        """Return the newest identity in the --tls directory that can be used; the old one if a renewal cannot be used."""
        with suppress(OSError, UsageError):
            self.take()
        return self.identity
