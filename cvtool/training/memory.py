"""What was computed once, kept in memory as long as it fits."""

from __future__ import annotations

import os
import threading

# Bytes to keep at most, whatever the memory of the machine.
MOST_BYTES = 4 << 30


class BoundedCache:
    """A dict of arrays, or of tuples with arrays in them, that stops growing at its budget.

    What does not fit any more is not kept, and nothing is thrown out: an epoch that comes by
    all pictures would throw out each before its turn. Safe to use from several threads.

    Args:
        budget: bytes; None for a quarter of the free memory, at most 4 GiB.
    """

    def __init__(self, budget=None):
        self.budget = default_budget() if budget is None else budget
        self.bytes = 0
        self._kept = {}
        self._lock = threading.Lock()

    def __contains__(self, key):
        return key in self._kept

    def __len__(self):
        return len(self._kept)

    def get(self, key, default=None):
        return self._kept.get(key, default)

    def __getitem__(self, key):
        return self._kept[key]

    def __setitem__(self, key, value):
        size = _size(value)
        with self._lock:
            if key not in self._kept and self.bytes + size <= self.budget:
                self._kept[key] = value
                self.bytes += size


def _size(value):
    parts = value if isinstance(value, tuple) else (value,)
    return sum(getattr(part, "nbytes", 0) for part in parts)


def default_budget():
    """A quarter of the free memory in bytes, at most 4 GiB."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        free = 4 << 30  # not told by every system
    return min(MOST_BYTES, free // 4)
