"""See before the work that its results can be written."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile

from cvtool.errors import OutputError


def check_output_folder(folder: Path, remedy: str) -> None:
    """Refuse a folder that no file can be made in, or that cannot be made.

    Leaves nothing behind: of a folder that is not there yet, the nearest one above is tried.

    Args:
        folder: where results are to go.
        remedy: what to do if they cannot, for example "name another --out".
    Raises:
        OutputError: naming the folder.
    """
    existing = folder.absolute()
    while not os.path.lexists(existing) and existing != existing.parent:
        existing = existing.parent
    try:
        # Tried, not asked: access rights say nothing of read-only and virtual file systems.
        with TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); {remedy}") from None
