"""The most memory that this process has held."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_memory() -> int | None:
    """Bytes resident at the peak; None where the system does not say."""
    # Not `getrusage` on Linux: that counts what the process was forked from.
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        status = ""
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    if found:
        return 1024 * int(found[1])
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
