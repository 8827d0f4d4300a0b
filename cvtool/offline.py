"""Whether the network may be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "CVTOOL_OFFLINE"


def is_offline() -> bool:
    """Whether CVTOOL_OFFLINE is set: to anything but nothing, 0, no, off or false."""
    return os.environ.get(VARIABLE, "").strip().casefold() not in ("", "0", "no", "off", "false")


@contextmanager
def no_network() -> Iterator[None]:
    """Leave the network alone while the block runs; processes that it starts do so too."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
