"""What a command prints. Results go to stdout, everything said about the work to stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

# Columns assumed where stdout is not a terminal, so that no name is cut in a pipe.
PIPE_WIDTH = 400


def say(message: str) -> None:
    """A remark for the person, one line on stderr."""
    print(f"cvtool: {one_line(message)}", file=sys.stderr)


def complain(message: object) -> None:
    """An error, one line on stderr."""
    say(f"error: {message}")


def one_line(message: object) -> str:
    """Text with all runs of white space, line ends included, made single spaces."""
    return visible(" ".join(str(message).split()))


def visible(name: object) -> str:
    """A name with its control characters written out: a file's may drive the terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found.group())[1:-1], str(name))


def to_json(value: Any, *, indent: int | None = None) -> str:
    """JSON in ASCII: valid in any terminal's encoding, and for file names that are no UTF-8."""
    return json.dumps(value, indent=indent, allow_nan=False)


def print_json(value: Any) -> None:
    """One value as indented JSON on stdout."""
    print(to_json(value, indent=2))


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()
) -> Table:
    """A table for people.

    Args:
        columns: headings.
        rows: a string for each column.
        right: the columns to align on the right, as numbers are.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    result = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        result.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        # Text, because a file name may hold what rich takes for markup.
        result.add_row(*(Text(visible(cell)) for cell in row))
    return result


def print_table(value: Table) -> None:
    """Print a table on stdout, within the width of the terminal if it is one."""
    from rich.console import Console

    on_terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=None if on_terminal else PIPE_WIDTH, highlight=False)
    console.print(value)


def track(items: Iterable[Any], description: str, total: int | None = None) -> Iterator[Any]:
    """Yield the items, with a progress bar on stderr if that is a terminal.

    Args:
        items: anything to go through; taken one at a time.
        description: stands before the bar.
        total: how many there are, None where nobody knows.
    """
    with progress(description, total) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr while the block runs, if that is a terminal.

    Yields:
        a function to call after each of the `total` steps.
    """
    if total == 1 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn()]
    columns += [MofNCompleteColumn(), TimeRemainingColumn()]
    # Rows printed meanwhile go above the bar, but only if they go to a terminal as well.
    bar = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda: bar.advance(task)
