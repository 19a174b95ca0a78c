"""The record of what c1m wrote into this host's settings since it booted, and what they were before.

A file, replaced as a whole and on the disk before the setting is written: whoever dies in between leaves a record of what may
not have happened, and never a setting that nobody remembers. A reboot undoes all of it, so that a file is of one boot. What
is a network namespace's own is recorded by the namespace, and the rest by the host.
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
    """``before``: what to restore. ``found`` was there when it was to become ``after``, and still is if we died before that;
    once it has been read back, both are what was read."""

    before: str
    found: str
    after: str

    def is_ours(self, now: str) -> bool:
        """Whether nobody else has changed it, as far as can be told."""
        return now in (self.before, self.found, self.after)


Entries = dict[str, dict[str, WrittenSetting]]  # place -> sysctl -> what became of it


class TuningRecord:
    """``entries`` are there, and may be changed, while it is ``held``: by one process of this host at a time."""

    def __init__(self, directory: Path) -> None:
        boot = (read_text(BOOT_ID) or "unknown").strip()
        self.directory = directory
        self.path = directory / f"tuned-{boot}.json"
        self.namespace = f"network namespace {namespace_cookie() or network_namespace('self')}"
        self.entries: Entries = {}
        self.descriptor = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raises RefusedError where no record can be kept, or another process has it; C1mError for one that cannot be read."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise RefusedError(
                f"changes nothing without a record of what was before, and cannot keep one in {self.directory}: "
                f"{error.strerror}; set XDG_STATE_HOME to a directory that it may write"
            ) from None
        try:
            self.lock()
            self.entries = self.load()
            yield
        finally:
            os.close(self.descriptor)

    def lock(self) -> None:
        """Of the directory, since the file is replaced. Raises RefusedError and does not wait: who has it may be stopped."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError("changes nothing while another node of this host does; try again") from None

    def place(self, name: str) -> str:
        return self.namespace if SYSCTLS[name] is SysctlScope.NAMESPACE else HOST

    def of(self, name: str) -> WrittenSetting | None:
        return self.entries.get(self.place(name), {}).get(name)

    @property
    def here(self) -> dict[str, WrittenSetting]:
        """What was written of the host and of our own network namespace."""
        return {name: written for place in (HOST, self.namespace) for name, written in self.entries.get(place, {}).items()}

    def keep(self, name: str, written: WrittenSetting | None) -> None:
        """On the disk when this returns. None: there is nothing to restore."""
        settings = self.entries.setdefault(self.place(name), {})
        if written is None:
            settings.pop(name, None)
        else:
            settings[name] = written
        self.save()

    # -- the file

    def load(self) -> Entries:
        try:
            document = json.loads(self.path.read_text())
            return {
                place: {name: WrittenSetting(**each) for name, each in settings.items() if name in TUNABLE}
                for place, settings in document.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise C1mError(
                f"cannot read {self.path}, the record of what was tuned ({error}); look at it, or remove it"
            ) from None

    def save(self) -> None:
        """All of it or none; no file where there is nothing to remember."""
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
            raise C1mError(f"cannot write {self.path}, the record of what is tuned: {error.strerror}") from None

    def replace(self, text: str) -> None:
        new = self.path.with_suffix(".new")
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
