"""Keeps the record of the sysctls that c1m changed on this host since it booted, with their original values.

The record is a file. It is replaced as a whole and reaches the disk before the setting is written. If the process dies in
between, the record may list a change that did not happen, but no change is ever missing from it. A reboot undoes all
changes, so each boot has its own file. Settings of a network namespace are recorded by namespace, all others for the host.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from c1m.errors import C1mError, RefusedError
from c1m.limits.sysctls import SYSCTLS, SysctlScope
from c1m.limits.tunable import TUNABLE

from .host import BOOT_ID, namespace_cookie, network_namespace, read_text

HOST: Final = "host"


@dataclass(frozen=True, slots=True)
class WrittenSetting:
    """One sysctl that c1m changed.

    ``before`` is the value to restore. While the write is in progress, ``found`` is the value before it and ``after`` the
    value being written; if c1m died during the write, either may be in effect. Once the sysctl has been read back, both are
    what was read.
    """

    before: str
    found: str
    after: str

    def is_ours(self, now: str) -> bool:
        """Return whether a sysctl's current value is one that c1m recorded. If so, probably no one else changed it."""
        return now in (self.before, self.found, self.after)


Entries = dict[str, dict[str, WrittenSetting]]  # place -> sysctl -> record


class TuningRecord:
    """The file that records the sysctls which c1m changed on this host since it booted.

    ``entries`` is valid, and may be changed, only inside ``held``. One process of this host at a time holds the record.
    """

    def __init__(self, directory: Path) -> None:
        boot = (read_text(BOOT_ID) or "unknown").strip()
        self.directory = directory
        self.path = directory / f"tuned-{boot}.json"
        self.namespace = f"network namespace {namespace_cookie() or network_namespace('self')}"
        self.entries: Entries = {}
        self.descriptor = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Return a context in which this process has the tuning record locked and loaded.

        Raises RefusedError if no record can be kept or another process holds it, and C1mError if it cannot be read.
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise RefusedError(
                f"changes nothing because it cannot record the original values in {self.directory}: "
                f"{error.strerror}; set XDG_STATE_HOME to a writable directory"
            ) from None
        try:
            self.lock()
            self.entries = self.load()
            yield
        finally:
            os.close(self.descriptor)

    def lock(self) -> None:
        """Lock the directory of the tuning record, since the file itself is replaced.

        Raises RefusedError if another process holds the lock. It does not wait: the other process may be stopped.
        """
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError("changes nothing while another node of this host changes settings; try again") from None

    def place(self, name: str) -> str:
        """Return the key under which a sysctl is recorded: our network namespace or the host, whichever it belongs to."""
        return self.namespace if SYSCTLS[name] is SysctlScope.NAMESPACE else HOST

    def of(self, name: str) -> WrittenSetting | None:
        """Return the recorded values of a sysctl, or None if c1m has not changed that sysctl."""
        return self.entries.get(self.place(name), {}).get(name)

    @property
    def here(self) -> dict[str, WrittenSetting]:
        """The recorded sysctls of the host and of our own network namespace, as {sysctl: recorded values}."""
        return {name: written for place in (HOST, self.namespace) for name, written in self.entries.get(place, {}).items()}

    def keep(self, name: str, written: WrittenSetting | None) -> None:
        """Record the values of a sysctl, or with None delete its record.

        The record is on the disk when this method returns. Raises C1mError if that fails.
        """
        settings = self.entries.setdefault(self.place(name), {})
        if written is None:
            settings.pop(name, None)
        else:
            settings[name] = written
        self.save()

    # -- the file

    def load(self) -> Entries:
        """Return the entries of the record file as {place: {sysctl: recorded values}}; empty if there is no file.

        Raises C1mError if it cannot be read.
        """
        try:
            document = json.loads(self.path.read_text())
            return {
                place: {name: WrittenSetting(**each) for name, each in settings.items() if name in TUNABLE}
                for place, settings in document.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise C1mError(f"cannot read {self.path}, the record of tuned settings ({error}); repair or remove it") from None

    def save(self) -> None:
        """Write ``entries`` to the record file, or remove the file if there is nothing to record.

        Raises C1mError if that fails.
        """
        document = {
            place: {name: asdict(each) for name, each in settings.items()}
            for place, settings in self.entries.items()
            if settings
        }
        try:
            if document:
                self.replace(json.dumps(document, indent=2) + "\n")
            else:
                self.path.unlink(missing_ok=True)
            os.fsync(self.descriptor)
        except OSError as error:
            raise C1mError(f"cannot write {self.path}, the record of tuned settings: {error.strerror}") from None

    def replace(self, text: str) -> None:
        """Write a text to the record file atomically, so that the file holds either the old or the new text.

        Raises OSError if that fails.
        """
        new = self.path.with_suffix(".new")
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
