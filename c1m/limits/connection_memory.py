"""The memory that one end of an idle connection uses on its host, in bytes. Pure."""

from __future__ import annotations

from typing import Final

# 4.2 kB of slab for a socket watched by epoll (measured on Linux 6.18 at 1.9 M sockets), and what c1m adds in user space: 304 B
# and 98 B at 1 M connections, rounded up.
KERNEL_BYTES: Final = 4250
WORKER_BYTES: Final = 350
TARGET_BYTES: Final = 100
WORKER_END: Final = KERNEL_BYTES + WORKER_BYTES
TARGET_END: Final = KERNEL_BYTES + TARGET_BYTES
# The share of memory left to the host for page tables, network buffers in flight, and other programs.
MEMORY_MARGIN: Final = 0.05
