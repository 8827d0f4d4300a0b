"""How commands that go on in spite of faults in a data set tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cvtool.cli import console

# Faults that are named one by one; the rest is counted.
SHOWN = 10


def complain_of_faults(
    faults: Sequence[object], dataset: Path, pictures: Path | None = None
) -> None:
    """Name the first faults of a data set on stderr, and say how many more there are.

    Args:
        faults: `cvtool.datasets.faults.Fault`.
        dataset, pictures: what the user named.
    """
    for fault in faults[:SHOWN]:
        console.complain(fault)
    more = len(faults) - SHOWN
    if more > 0:
        # At a command's start it would cost the help its speed.
        from cvtool.training.faults import check_commands

        faults_are = "1 more fault" if more == 1 else f"{more:,} more faults"
        (command,) = check_commands(dataset, None, {"--pictures": pictures})
        console.complain(f"{dataset}: {faults_are}; {command} shows all")
