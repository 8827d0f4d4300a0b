"""Where a command about faces writes a file, seen to be possible before any work is done."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cvtool.errors import OutputError


def check_output(file: Path, sources: Iterable[str], remedy: str, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written, or must not be.

    Args:
        file: the result to be.
        sources: the inputs as given, never replaced.
        remedy: what to do, for example "name another --out".
        overwrite: replace a file that is there.
    Raises:
        OutputError: naming the file.
    """
    from cvtool.pictures.writing import check_output_folder, same_file

    for source in sources:
        if same_file(file, source):
            raise OutputError(f"{file}: is the input itself, which is never overwritten; {remedy}")
    if os.path.lexists(file):
        if file.exists() and not file.is_file():
            raise OutputError(f"{file}: is no file; {remedy}")
        if not overwrite:
            raise OutputError(f"{file}: already exists; use --overwrite, or {remedy}")
    check_output_folder(file.parent, remedy)
