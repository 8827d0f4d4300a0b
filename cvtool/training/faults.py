"""What is done about the faults of a data set before it is learnt from."""

from __future__ import annotations

import shlex
from pathlib import Path

from cvtool.errors import DatasetError
from cvtool.training.page import counted

# Pictures with faults may make up at most this share of a data set without --force.
TOLERATED = 0.05
FAULTS_SHOWN = 10


def judge_faults(faults, paths, dataset, commands, *, force, say):
    """Tell of faults, and refuse a data set of which too much is affected.

    Args:
        faults: list of `datasets.faults.Fault`.
        paths: of the pictures that the readers gave back.
        dataset: what messages name.
        commands: that list all the faults, such as "cvtool check data --all".
        force: go on whatever the share of pictures with faults.
        say: function(str), which gets the first faults.
    Returns:
        remarks for the report.
    Raises:
        DatasetError: over 5 % of the pictures are affected, and not `force`.
    """
    if not faults:
        return []
    every = " and ".join(commands)
    for fault in faults[:FAULTS_SHOWN]:
        say(str(fault))
    if len(faults) > FAULTS_SHOWN:
        say(f"... and {len(faults) - FAULTS_SHOWN:,} more; all of them: {every}")
    bad = {affected(fault) for fault in faults}
    # Those that are missing or of another size are not among the paths.
    share = len(bad) / len(bad | {key_of(path) for path in paths})
    words = f"{counted(len(bad), 'picture', 'pictures')} with faults ({100 * share:.1f} %)"
    if share > TOLERATED and not force:
        raise DatasetError(
            f"{dataset}: {words}; see all with: {every} - mend them, or train on the rest "
            "with --force"
        )
    first = f"{faults[0]}" + (f", and {len(faults) - 1:,} more" if len(faults) > 1 else "")
    return [f"{words} left out: {first}"]


def check_commands(dataset, test, options):
    """The commands that list all faults of the data sets.

    Args:
        dataset, test: folders; `test` may be None.
        options: option -> its value or None, of `dataset`.
    """
    given = [str(word) for pair in options.items() if pair[1] is not None for word in pair]
    commands = [["cvtool", "check", str(dataset), *given, "--all"]]
    if test is not None:
        commands.append(["cvtool", "check", str(test), "--all"])
    return [shlex.join(command) for command in commands]


def affected(fault):
    """What tells the picture of a fault from others; a line that names none counts as one."""
    if fault.picture is None and fault.line is not None:
        return f"{key_of(fault.file)}:{fault.line}"
    return key_of(fault.picture or fault.file)


def key_of(path):
    """What tells one file from another, whatever way it was named."""
    return str(Path(path).absolute())
