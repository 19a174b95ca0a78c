"""A certificate authority in a directory: ca.crt, ca.key, and a directory for --tls for each certificate that it issued.

Every directory has mode 0700 and every key 0600. Files are replaced by a rename, so a reader sees the old or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from c1m.errors import UsageError

from . import certificates
from .identity import check_private, read_file, read_identity
from .roles import AUTHORITY_FILE, IDENTITY_FILE, Bearer, Validity

KEY_FILE = "ca.key"


class Authority:
    """A certificate authority whose files are in a directory.

    Raises UsageError with the cure if the directory contains none.
    """

    def __init__(self, directory: Path) -> None:
        if not (directory / KEY_FILE).exists():
            raise UsageError(f"{directory} contains no authority; make one with c1m-coord pki init --dir {directory}")
        check_private(directory / KEY_FILE)
        self.directory = directory
        try:
            self.pair = certificates.read_pair(read_file(directory / AUTHORITY_FILE), read_file(directory / KEY_FILE))
        except (ValueError, TypeError) as error:
            raise UsageError(f"{directory} contains no authority: {error}; restore it, or make another one") from None

    @property
    def term(self) -> Validity:
        """The time in which the authority's own certificate is valid."""
        return certificates.term_of(self.pair.certificate)

    def issue(self, bearer: Bearer, hosts: Sequence[str], now: datetime, days: int) -> Path:
        """Issue a certificate for an operator or a node and return the directory with its files.

        Raises UsageError if that name has one already.
        """
        made = self.directory / bearer.name
        if made.exists():
            raise UsageError(f"{made} exists already; renew it (pki renew {bearer.name}), or use another name")
        pair = certificates.issue(self.pair, bearer, hosts, now, days)
        make_private(made)
        self.write(made, pair)
        return made

    def renew(self, name: str, now: datetime, days: int) -> Path:
        """Issue a certificate with the same names and role and a new key, in the same directory. Returns the directory.

        Raises UsageError if there is no such certificate or c1m did not issue it.
        """
        made = self.directory / name
        own = read_file(made / IDENTITY_FILE)
        try:
            self.write(made, certificates.renew(self.pair, certificates.read_certificate(own), now, days))
        except ValueError as error:
            raise UsageError(f"{made}: {error}; issue another one with c1m-coord pki issue") from None
        return made

    def write(self, made: Path, pair: certificates.Pair) -> None:
        """Write a certificate with its key, and the authority's certificate, as files into a directory.

        Raises UsageError if that fails.
        """
        replace(made / AUTHORITY_FILE, self.pair.certificate_pem, 0o644)
        replace(made / IDENTITY_FILE, pair.pem, 0o600)

    @property
    def names(self) -> list[str]:
        """The names of all certificates that the authority has issued, sorted."""
        return sorted(path.parent.name for path in self.directory.glob(f"*/{IDENTITY_FILE}"))

    def issued(self) -> Iterator[tuple[Bearer, Validity, list[str]]]:
        """Yield the holder, the validity and the hosts of each certificate that the authority has issued."""
        for name in self.names:
            identity = read_identity(self.directory / name)
            hosts = certificates.hosts_of(certificates.read_certificate(identity.own))
            yield identity.bearer, identity.terms[0], hosts


def found_authority(directory: Path, now: datetime, days: int) -> Authority:
    """Make a new certificate authority in a directory and return it.

    Raises UsageError if the directory contains one: certificates of a lost authority are useless.
    """
    if (directory / KEY_FILE).exists() or (directory / AUTHORITY_FILE).exists():
        raise UsageError(f"{directory} already contains an authority; keep it, or name another directory with --dir")
    made = certificates.make_authority(now, days)
    make_private(directory)
    replace(directory / KEY_FILE, made.key_pem, 0o600)
    replace(directory / AUTHORITY_FILE, made.certificate_pem, 0o644)
    return Authority(directory)


def make_private(directory: Path) -> None:
    """Create a directory with mode 0700, or set that mode if it exists. Raises UsageError if that fails."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as error:
        raise UsageError(f"cannot make {directory}: {error.strerror}; name another directory with --dir") from None


def replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file atomically, with the given content and mode.

    The file never has another mode or incomplete content. Raises UsageError if that fails.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # independent of the umask
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
