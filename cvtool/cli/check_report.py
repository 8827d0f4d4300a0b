"""What `cvtool check` shows to people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cvtool.cli import console

if TYPE_CHECKING:
    from cvtool.datasets.dataset_check import CheckResult

# Findings of a kind that are listed without --all.
SHOWN_FAULTS, SHOWN_REMARKS = 20, 3


def show(result: CheckResult, show_all: bool) -> None:
    """Print the counts, the findings, and what to do about them."""
    from cvtool.datasets.faults import FAULTS
    from cvtool.datasets.remarks import REMARKS

    pictures = quantity(sum(result.splits.values()), "picture", "pictures")
    classes = quantity(len(result.classes), "class", "classes")
    print(f"{result.dataset}: {result.layout}, {pictures}, {classes}")
    if result.masks is None:
        show_counts(result)
    else:
        show_mask_counts(result)
    print(f"faults: {len(result.faults):,}")
    show_findings(result.faults, FAULTS, None if show_all else SHOWN_FAULTS)
    if result.remarks:
        print(f"remarks: {len(result.remarks):,}")
        show_findings(result.remarks, REMARKS, None if show_all else SHOWN_REMARKS)
    if result.remedies:
        print("what to do:")
        for kind, remedy in result.remedies.items():
            print(f"  {(FAULTS | REMARKS)[kind]}: {remedy}")


def show_counts(result: CheckResult) -> None:
    """Print a table of the classes in each split, and the sizes of the boxes."""
    boxes = result.boxes
    rows = []
    for name, pictures in result.class_pictures.items():
        if boxes is None:
            rows.append((name, *numbers(pictures)))
        else:
            rows.append((name, *numbers(boxes.counts[name]), f"{sum(pictures.values()):,}"))
    if boxes is not None:
        sums = {split: sum(row[split] for row in boxes.counts.values()) for split in result.splits}
        rows.append(("all boxes", *numbers(sums), ""))
    rows.append(("all pictures", *numbers(result.splits), *([] if boxes is None else [""])))
    what = "boxes" if boxes is not None else "pictures"
    names = [*result.splits, "all"] if len(result.splits) > 1 else [what]
    columns = ["class", *names, *([] if boxes is None else ["in pictures"])]
    if len(result.splits) > 1:
        print(f"{what} of each class:")
    console.print_table(console.table(columns, rows, right=columns[1:]))
    if boxes is not None and any(boxes.sizes.values()):
        shares = {name: f"{100 * share:.0f} %" for name, share in boxes.sizes.items()}
        print(
            f"size of the boxes: {shares['small']} small (under 1 % of their picture), "
            f"{shares['medium']} medium, {shares['large']} large (over 10 %)"
        )
    if boxes is not None and boxes.crowd:
        print(f"boxes round groups, not counted above: {boxes.crowd:,}")


def show_mask_counts(result: CheckResult) -> None:
    """Print a table of each class's share of the pixels in each split, and of what is void."""
    masks, splits = result.masks, [*result.splits]
    columns = [*splits, "all"] if len(splits) > 1 else splits
    known = {split: sum(by_split[split] for by_split in masks.pixels.values()) for split in splits}
    every = {split: known[split] + masks.void[split] for split in splits}
    rows = [
        (name, *shares(masks.pixels[name], known), *numbers(pictures)[-1:])
        for name, pictures in result.class_pictures.items()
    ]
    rows.append(("void, of all pixels", *shares(masks.void, every), ""))
    rows.append(("all pictures", *numbers(result.splits), ""))
    columns = ["class", *columns, "in pictures"]
    print("share of the pixels that each class has, without void:")
    console.print_table(console.table(columns, rows, right=columns[1:]))


def shares(part: dict[str, int], whole: dict[str, int]) -> list[str]:
    """The percentage in each split, and of all where there are several splits."""
    parts, wholes = list(part.values()), list(whole.values())
    if len(parts) > 1:
        parts, wholes = [*parts, sum(parts)], [*wholes, sum(wholes)]
    return [f"{100 * a / max(b, 1):.2f} %" for a, b in zip(parts, wholes, strict=True)]


def quantity(count: int, one: str, many: str) -> str:
    """For example "1 class" or "20 classes"."""
    return f"{count:,} {one if count == 1 else many}"


def numbers(by_split: dict[str, int]) -> list[str]:
    """The number in each split, and of all where there are several splits."""
    counts = list(by_split.values())
    return [f"{count:,}" for count in (*counts, *([sum(counts)] if len(counts) > 1 else []))]


def show_findings(findings: Sequence[Any], words: dict[str, str], most: int | None) -> None:
    """Print the findings, by kind; `most` of each, or all where that is None."""
    for kind, group in groupby(findings, lambda finding: finding.kind):
        found = list(group)
        print(f"  {words[kind]}: {len(found):,}")
        for finding in found[:most]:
            # A file's name stays as it is, unless it would break the line.
            print(f"    {' '.join(str(finding).splitlines())}")
        if most is not None and len(found) > most:
            print(f"    and {len(found) - most:,} more; --all lists them")
