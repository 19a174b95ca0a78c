"""A fold over the readings of a host: what a socket costs in each slab cache, and which counters rose. Pure, of fixed size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from c1m.measure.sample import Cache, Reading

# Programs that list /proc/PID/fd (ss -p, lsof, monitoring agents) leave an inode, a dentry and a security label for each
# descriptor. With a million sockets open that is 900 MB that the sockets do not cost.
ARTEFACT = "proc_inode_cache"
WITH_ARTEFACT = ("dentry", "lsm_inode_cache")  # one object of each for each inode


@dataclass(slots=True)
class RegressionAxis:
    """The count and the sums of the x values of a linear regression, shared by all lines over the same points."""

    count: int = 0
    sum_x: float = 0.0
    sum_xx: float = 0.0

    def add(self, x: float) -> None:
        """Add the x value of one more point to the sums. Returns nothing."""
        self.count += 1
        self.sum_x += x
        self.sum_xx += x * x


@dataclass(slots=True)
class RegressionLine:
    """A least-squares line with one point for each x of its axis. Points with y = 0 change nothing and need not be added."""

    axis: RegressionAxis
    sum_y: float = 0.0
    sum_xy: float = 0.0

    def add(self, x: float, y: float) -> None:
        """Add the y value of a point to the line; the point's x is, or will be, added to the axis. Returns nothing."""
        self.sum_y += y
        self.sum_xy += x * y

    @property
    def slope(self) -> float | None:
        """The slope of the least-squares line; None while all points have the same x."""
        axis = self.axis
        spread = axis.count * axis.sum_xx - axis.sum_x * axis.sum_x
        return (axis.count * self.sum_xy - axis.sum_x * self.sum_y) / spread if spread > 0 else None


@dataclass(frozen=True, slots=True)
class SlabState:
    """The kernel's slab memory of one host reading, in bytes and objects by cache.

    What programs that list open descriptors add to the slab is left out; it is in ``artefact_bytes``.
    """

    slab_bytes: float | None
    page_bytes: Mapping[str, float]
    objects: Mapping[str, float]
    artefact_bytes: float


def books(caches: Mapping[str, Cache], slab_bytes: int | None) -> SlabState:
    """Return the kernel's slab memory of a reading without the inodes that programs add when they list open descriptors.

    ``slab_bytes``: the size of the whole slab; None if unknown.
    """
    made = caches[ARTEFACT].objects if ARTEFACT in caches else 0
    aside = {name: made * caches[name].full_bytes for name in WITH_ARTEFACT if name in caches}
    if ARTEFACT in caches:
        aside[ARTEFACT] = caches[ARTEFACT].page_bytes
    artefact_bytes = sum(aside.values())
    return SlabState(
        slab_bytes=None if slab_bytes is None else slab_bytes - artefact_bytes,
        page_bytes={name: cache.page_bytes - aside.get(name, 0) for name, cache in caches.items()},
        objects={name: cache.objects - (made if name in aside else 0) for name, cache in caches.items()},
        artefact_bytes=artefact_bytes,
    )


class HostReadings:
    """Regression of the kernel's slab caches over the number of TCP sockets of one host.

    Both count all network namespaces of the machine.
    """

    def __init__(self) -> None:
        self.first: Reading | None = None
        self.base = books({}, None)  # the slab of the first reading
        self.last: Reading | None = None
        self.slab = RegressionLine(RegressionAxis())  # has its own axis: some readings lack it
        self.axis = RegressionAxis()
        self.page_bytes: dict[str, RegressionLine] = {}  # caches that changed since the first reading
        self.objects: dict[str, RegressionLine] = {}
        self.artefact_bytes = 0.0  # growth since the first reading
        self.risen_at: Reading | None = None  # the reading of ``risen_by``
        self.risen_by: Mapping[str, int] = {}

    def take(self, reading: Reading) -> None:
        """Add a reading of the host to the regressions. One that is not newer than the last is ignored. Returns nothing."""
        if self.last and reading.number <= self.last.number:
            return
        now = books(reading.caches, reading.slab_bytes)
        if self.first is None:
            self.first, self.base = reading, now
        self.last, then = reading, self.base
        if reading.sockets is None or self.first.sockets is None:
            return
        sockets = reading.sockets - self.first.sockets
        self.artefact_bytes = now.artefact_bytes - then.artefact_bytes
        if now.slab_bytes is not None and then.slab_bytes is not None:
            self.slab.axis.add(sockets)
            self.slab.add(sockets, now.slab_bytes - then.slab_bytes)
        self.axis.add(sockets)
        self.grow(self.page_bytes, sockets, now.page_bytes, then.page_bytes)
        self.grow(self.objects, sockets, now.objects, then.objects)

    def grow(self, lines: dict[str, RegressionLine], sockets: int, now: Mapping[str, float], then: Mapping[str, float]) -> None:
        """Add one point (sockets, growth since the first reading) to the line of each slab cache that changed.

        Two thirds of the caches never change. A reading leaves out caches without slabs, so a cache that is missing is at zero.
        """
        for name in now.keys() | then.keys():
            if grown := now.get(name, 0) - then.get(name, 0):
                if name not in lines:
                    lines[name] = RegressionLine(self.axis)
                lines[name].add(sockets, grown)

    @property
    def sockets(self) -> int | None:
        """The growth of the number of TCP sockets on the machine since the first reading; None if unknown."""
        if not self.first or not self.last or self.first.sockets is None or self.last.sockets is None:
            return None
        return self.last.sockets - self.first.sockets

    @property
    def user_bytes(self) -> int | None:
        """The growth of the memory (PSS) of the watched processes since the first reading, in bytes; None if unknown."""
        if not self.first or not self.last or self.first.pss_bytes is None or self.last.pss_bytes is None:
            return None
        return self.last.pss_bytes - self.first.pss_bytes

    def rose(self) -> dict[str, int]:
        """Return the growth of each kernel counter since the first reading, for counters that both readings have."""
        if not self.first or not self.last:
            return {}
        before = self.first.counters
        return {name: value - before[name] for name, value in self.last.counters.items() if name in before}

    @property
    def risen(self) -> Mapping[str, int]:
        """Counter -> events since the first reading, only of counters that rose. The same object until the next reading."""
        if self.last is not self.risen_at:
            self.risen_at, self.risen_by = self.last, {name: count for name, count in self.rose().items() if count}
        return self.risen_by

    def grew(self, level: str) -> int | None:
        """Return by how much the value called ``level`` changed since the first reading; None if either reading lacks it."""
        if not self.first or not self.last or level not in self.first.levels or level not in self.last.levels:
            return None
        return self.last.levels[level] - self.first.levels[level]
