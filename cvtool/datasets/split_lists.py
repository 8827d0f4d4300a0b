"""Text files that list the examples of each split, one a line: train.txt, val.txt, test.txt."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from cvtool.datasets.faults import Fault, OnFault
from cvtool.datasets.labelled import SPLIT_NAMES
from cvtool.datasets.split_files import SPLIT_ORDER, entries
from cvtool.errors import DatasetError


def find_split_lists(folders: Iterable[Path]) -> dict[str, Path]:
    """Split -> its list, in the first of the folders that has one; train before dev before test.

    Where there is no train.txt, trainval.txt is train.
    """
    for folder in folders:
        found = entries(folder, lambda name: name.lower().endswith(".txt"))
        lists = {at.stem.casefold(): at for at in found if at.is_file()}
        files = {SPLIT_NAMES[name]: at for name, at in lists.items() if name in SPLIT_NAMES}
        if "trainval" in lists:
            files.setdefault("train", lists["trainval"])
        if files:
            return {split: files[split] for split in SPLIT_ORDER if split in files}
    return {}


def read_split_lists(
    lists: dict[str, Path], stems: Collection[str], absent: str, on_fault: OnFault
) -> dict[str, str]:
    """Stem of an example -> its split.

    A line is a stem, a file name or a path, and perhaps a second path or a mark after it.

    Args:
        lists: from `find_split_lists`.
        stems: of the examples that there are.
        absent: what a fault says before the name of an example that is not among them.
        on_fault: called with each fault.
    Raises:
        DatasetError: a list cannot be read.
    """
    split_of: dict[str, str] = {}
    for split, file in lists.items():
        try:
            lines = file.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text in UTF-8"
            raise DatasetError(f"{file}: cannot be read ({reason})") from None
        for number, line in enumerate(lines, 1):
            if not (line := line.strip()):
                continue
            stem = _stem(line, stems)
            if stem is None:
                message = f"{absent} {line}"
                on_fault(Fault("missing picture", file, message, number, split=split))
            elif split_of.setdefault(stem, split) != split:
                message = f"{stem} is in {split_of[stem]} and in {split}; the first counts"
                on_fault(Fault("twice", file, message, number))
    return split_of


def _stem(line: str, stems: Collection[str]) -> str | None:
    """The example that a line means; names may hold spaces."""
    for text in (line, line.split()[0]):
        name = text.replace("\\", "/").rpartition("/")[2]
        for stem in (name, Path(name).stem):
            if stem in stems:
                return stem
    return None
