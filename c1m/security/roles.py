"""Who a certificate says that its holder is, and how long it lasts: the names in it, the files of it, the sentences. Pure.

A role is a URI among the certificate's alternative names: ``c1m:role:operator/alice`` may command nodes, ``c1m:role:node/a``
is a node and may command nobody.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

PREFIX: Final = "c1m:role:"
WARN_DAYS: Final = 30  # before the end of a certificate
NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.@-]{0,62}[A-Za-z0-9_])?")

# What a directory for --tls holds. Key and certificate are one file, so that a renewal is one rename and no handshake can
# meet the one without the other.
AUTHORITY_FILE: Final = "ca.crt"
IDENTITY_FILE: Final = "identity.pem"


class Role(enum.Enum):
    NODE = "node"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a certificate names."""

    role: Role
    name: str

    @property
    def uri(self) -> str:
        return f"{PREFIX}{self.role.value}/{self.name}"

    def __str__(self) -> str:
        return f"{self.role.value} {self.name}"


def bearer_of(names: Iterable[str]) -> Bearer | None:
    """The first role among a certificate's alternative names; None where there is none that we know."""
    for name in names:
        role, slash, bearer = name.removeprefix(PREFIX).partition("/")
        if name.startswith(PREFIX) and slash and role in {each.value for each in Role} and NAME.fullmatch(bearer):
            return Bearer(Role(role), bearer)
    return None


def parse_name(text: str) -> str:
    """The name of an operator, or of a node's directory. Raises ValueError."""
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name; write letters, digits, dots, dashes and @, 64 at most: alice, client-1.lab")
    return text


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate is valid; ``what`` is whose: "operator alice", "authority"."""

    what: str
    begins: datetime
    ends: datetime

    def warning(self, now: datetime) -> str:
        """A sentence where it is not valid now, or not for much longer; empty where all is well."""
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
        if self.what == "authority":
            return "make another one with c1m-coord pki init, and issue all certificates again"
        return f"renew it with c1m-coord pki renew {self.what.rpartition(' ')[2]}, and copy it to its machine"


def moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def days(left: timedelta) -> str:
    return "less than a day" if left.days < 1 else "1 day" if left.days == 1 else f"{left.days:,} days"
