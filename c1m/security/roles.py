"""Roles in certificates: the name in a certificate, how long it is valid, and warnings about that. Pure.

A role is a URI among the alternative names of a certificate. ``c1m:role:operator/alice`` may command nodes.
``c1m:role:node/a`` is a node and may not command any.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

PREFIX: Final = "c1m:role:"
WARN_DAYS: Final = 30  # days before a certificate expires
NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.@-]{0,62}[A-Za-z0-9_])?")

# The files of a --tls directory. Key and certificate are in one file, so that a renewal is one rename and no handshake can use
# one without the other.
AUTHORITY_FILE: Final = "ca.crt"
IDENTITY_FILE: Final = "identity.pem"


class Role(enum.Enum):
    """The role of a certificate's holder: a node or an operator."""

    NODE = "node"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Bearer:
    """The holder of a certificate: a role and a name."""

    role: Role
    name: str

    @property
    def uri(self) -> str:
        """The holder's role and name as the URI that is written in a certificate."""
        return f"{PREFIX}{self.role.value}/{self.name}"

    def __str__(self) -> str:
        return f"{self.role.value} {self.name}"


def bearer_of(names: Iterable[str]) -> Bearer | None:
    """Return the first holder (role and name) among a certificate's alternative names. None if there is no known role."""
    for name in names:
        role, slash, bearer = name.removeprefix(PREFIX).partition("/")
        if name.startswith(PREFIX) and slash and role in {each.value for each in Role} and NAME.fullmatch(bearer):
            return Bearer(Role(role), bearer)
    return None


def parse_name(text: str) -> str:
    """Return the name of an operator or a node if the text is a valid one. Raises ValueError otherwise."""
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a name; write at most 64 letters, digits, dots, dashes and @: alice, client-1.lab")
    return text


@dataclass(frozen=True, slots=True)
class Validity:
    """The time in which a certificate is valid. ``what`` is its holder: "operator alice", "authority"."""

    what: str
    begins: datetime
    ends: datetime

    def warning(self, now: datetime) -> str:
        """Return a sentence if the certificate is not valid now or expires within WARN_DAYS. Empty otherwise."""
        if now < self.begins:
            return (
                f"the certificate of {self.what} is valid only from {moment(self.begins)} on, and it is {moment(now)} here; "
                f"set this machine's clock"
            )
        if now >= self.ends:
            return f"the certificate of {self.what} expired on {moment(self.ends)}; {self.cure}"
        if (left := self.ends - now) < timedelta(days=WARN_DAYS):
            return f"the certificate of {self.what} expires in {days(left)}, on {moment(self.ends)}; {self.cure}"
        return ""

    @property
    def cure(self) -> str:
        """A sentence that says what to do about a certificate that expires."""
        if self.what == "authority":
            return "make another one with c1m-coord pki init, and issue all certificates again"
        return f"renew it with c1m-coord pki renew {self.what.rpartition(' ')[2]}, and copy it to its machine"


def moment(when: datetime) -> str:
    """Return a time as text in UTC, such as "2026-01-31 12:00 UTC"."""
    return f"{when:%Y-%m-%d %H:%M} UTC"


def days(left: timedelta) -> str:
    """Return a time span as text in whole days, such as "3 days" or "less than a day"."""
    return "less than a day" if left.days < 1 else "1 day" if left.days == 1 else f"{left.days:,} days"
