"""The directory that --tls names: the authority that is trusted, and one's own certificate with its key."""

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
    """Both as PEM; ``own`` holds the key and the certificate. ``terms``: one's own first, then the authority's."""

    authority: bytes
    own: bytes
    bearer: Bearer
    terms: tuple[Validity, ...]

    def warnings(self, now: datetime) -> list[str]:
        return [warning for term in self.terms if (warning := term.warning(now))]

    def check(self, now: datetime) -> None:
        """Raises UsageError for a certificate that is not valid now, which nobody would take."""
        for term in self.terms:
            if not term.begins <= now < term.ends:
                raise UsageError(term.warning(now))


def read_identity(directory: Path) -> Identity:
    """Raises UsageError, with what to do, for a directory that is not one of c1m-coord pki issue."""
    # Half a node's commands run without TLS, and cryptography takes 15 MB.
    from .certificates import names_of, read_certificate, read_pair, term_of

    authority, own = (read_file(directory / name) for name in (AUTHORITY_FILE, IDENTITY_FILE))
    check_private(directory / IDENTITY_FILE)
    try:
        trusted, pair = read_certificate(authority), read_pair(own, own)
    except (ValueError, TypeError) as error:
        raise UsageError(f"--tls {directory}: {error}; issue it again with c1m-coord pki issue, or copy it whole") from None
    bearer = bearer_of(names_of(pair.certificate))
    if bearer is None:
        raise UsageError(f"--tls {directory}: the certificate names no role of c1m; issue one with c1m-coord pki issue")
    return Identity(authority, own, bearer, (term_of(pair.certificate), term_of(trusted)))


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"--tls: cannot read {path}: {error.strerror}; name a directory that c1m-coord pki issue has made"
        ) from None


def check_private(path: Path) -> None:
    """Raises UsageError for a key that others may read: who has it is the operator, or the node."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise UsageError(f"--tls: {path} holds a private key, and its mode {mode:04o} lets others at it; chmod 600 {path}")


def checked_identity(directory: Path) -> Identity:
    """One that is valid now. Raises UsageError."""
    identity = read_identity(directory)
    identity.check(datetime.now(UTC))
    return identity


class Renewals:
    """The identity of a directory, and what has been put there since: two stat() each time somebody asks, 4 us.

    Raises UsageError for a directory that cannot be used, or a certificate that is not valid now.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.taken = self.stamp()
        self.identity = checked_identity(directory)

    def stamp(self) -> Stamp:
        """Empty where a file is missing."""
        try:
            found = [(self.directory / name).stat() for name in (AUTHORITY_FILE, IDENTITY_FILE)]
        except OSError:
            return ()
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)

    def take(self) -> Identity | None:
        """What is new; None: nothing. Raises OSError or UsageError for what cannot be used, once: what there was stays."""
        if (stamp := self.stamp()) == self.taken:
            return None
        self.taken = stamp
        self.identity = read_identity(self.directory)
        return self.identity

    def newest(self) -> Identity:
        """That can be used."""
        with suppress(OSError, UsageError):
            self.take()
        return self.identity
