"""An authority in a directory: ca.crt and ca.key, and a directory for each certificate that it issued, ready for --tls.

Every directory is 0700, every key 0600. A file is replaced by a rename: who reads it sees the old one or the new one.
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
    """Raises UsageError, with what to do, for a directory that is none."""

    def __init__(self, directory: Path) -> None:
        if not (directory / KEY_FILE).exists():
            raise UsageError(f"{directory} holds no authority; make one with c1m-coord pki init --dir {directory}")
        check_private(directory / KEY_FILE)
        self.directory = directory
        try:
            self.pair = certificates.read_pair(read_file(directory / AUTHORITY_FILE), read_file(directory / KEY_FILE))
        except (ValueError, TypeError) as error:
            raise UsageError(f"{directory} holds no authority: {error}; restore it, or make another one") from None

    @property
    def term(self) -> Validity:
        return certificates.term_of(self.pair.certificate)

    def issue(self, bearer: Bearer, hosts: Sequence[str], now: datetime, days: int) -> Path:
        """The directory of the new certificate. Raises UsageError where that name has one."""
        made = self.directory / bearer.name
        if made.exists():
            raise UsageError(f"{made} is there already; renew it (pki renew {bearer.name}), or take another name")
        pair = certificates.issue(self.pair, bearer, hosts, now, days)
        make_private(made)
        self.write(made, pair)
        return made

    def renew(self, name: str, now: datetime, days: int) -> Path:
        """The same names and role with a new key, in the same directory."""
        made = self.directory / name
        own = read_file(made / IDENTITY_FILE)
        try:
            self.write(made, certificates.renew(self.pair, certificates.read_certificate(own), now, days))
        except ValueError as error:
            raise UsageError(f"{made}: {error}; issue another one with c1m-coord pki issue") from None
        return made

    def write(self, made: Path, pair: certificates.Pair) -> None:
        replace(made / AUTHORITY_FILE, self.pair.certificate_pem, 0o644)
        replace(made / IDENTITY_FILE, pair.pem, 0o600)

    @property
    def names(self) -> list[str]:
        """Of what it issued."""
        return sorted(path.parent.name for path in self.directory.glob(f"*/{IDENTITY_FILE}"))

    def issued(self) -> Iterator[tuple[Bearer, Validity, list[str]]]:
        """Of each certificate whose it is, how long it lasts, and the hosts that it names."""
        for name in self.names:
            identity = read_identity(self.directory / name)
            hosts = certificates.hosts_of(certificates.read_certificate(identity.own))
            yield identity.bearer, identity.terms[0], hosts


def found_authority(directory: Path, now: datetime, days: int) -> Authority:
    """A new one. Raises UsageError where there is one: who lost it could command nothing any more."""
    if (directory / KEY_FILE).exists() or (directory / AUTHORITY_FILE).exists():
        raise UsageError(f"{directory} holds an authority already; keep it, or name another directory with --dir")
    made = certificates.make_authority(now, days)
    make_private(directory)
    replace(directory / KEY_FILE, made.key_pem, 0o600)
    replace(directory / AUTHORITY_FILE, made.certificate_pem, 0o644)
    return Authority(directory)


def make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as error:
        raise UsageError(f"cannot make {directory}: {error.strerror}; name another directory with --dir") from None


def replace(path: Path, content: bytes, mode: int) -> None:
    """It never has another mode, and never half of the content. Raises UsageError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask is
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
