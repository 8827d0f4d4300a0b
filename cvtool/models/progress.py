"""What is said on stderr of work that takes a while: a download, a conversion."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def say(message: str) -> None:
    """A remark for the person, one line on stderr."""
    print(f"cvtool: {message}", file=sys.stderr, flush=True)


def readable(count: int) -> str:
    """A number of bytes for people, for example "9.7 kB" or "3.7 MB"."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


@contextmanager
def byte_bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar of bytes on stderr while the block runs, if that is a terminal.

    Args:
        description: stands before the bar.
        total: bytes, None where nobody knows.
    Yields:
        a function to call with how many bytes there are now.
    """
    if not sys.stderr.isatty():
        yield lambda there: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = [TextColumn("{task.description}"), BarColumn(), DownloadColumn()]
    columns += [TransferSpeedColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda there: bar.update(task, completed=there)
